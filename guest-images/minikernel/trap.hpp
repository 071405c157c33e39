// SPDX-License-Identifier: MIT
#pragma once
// Traps: the saved state of whoever was interrupted, and what happens to traps of the kernel itself.

#include "guest-images/minikernel/layout.hpp"
#include "isa/cause.hpp"

namespace uc::mini {

/// Registers of an interrupted process or kernel; trap.S knows this layout.
struct Frame {
    u64 kernel_sp;  ///< while a process runs: where enter_user's caller goes on
    u64 x[31];      ///< x1..x31
    u64 pc;
    Sstatus status;
    Scause cause;
    u64 tval;

    [[nodiscard]] u64& reg(unsigned n) { return x[n - 1]; }
};
static_assert(sizeof(Frame) == 36 * 8);

inline constexpr unsigned kRa = 1, kSp = 2, kA0 = 10, kA1 = 11, kA2 = 12, kA7 = 17;

extern "C" {
/// Runs U-mode from `frame` until it traps; then `frame` holds its registers and the trap.
void enter_user(Frame* frame);
/// f0..f31 and fcsr. sstatus.FS must not be Off.
void fp_save(u64 (*state)[33]);
void fp_restore(const u64 (*state)[33]);
/// Copies between kernel and user; false if a page of the user's is not there and cannot be had. The caller checks the
/// range.
[[nodiscard]] bool copy_user(void* to, const void* from, u64 size);
/// Called by trap.S for a trap out of S-mode.
void kernel_trap(Frame& frame);
}

/// What `catch_trap` saw.
struct Caught {
    bool trapped = false;
    Scause cause;
    u64 tval = 0;
    u64 pc = 0;
    Sstatus status;  ///< as the handler found it
};

namespace detail {
void expect_trap();
Caught expected_trap();
}  // namespace detail

/// Runs `code`, which is expected to trap in S-mode. The instruction that trapped is skipped; a call to an address that
/// cannot be fetched returns at once.
template <class Code>
[[nodiscard]] Caught catch_trap(Code code) {
    detail::expect_trap();
    code();
    return detail::expected_trap();
}

/// Kernel-mode interrupts taken so far, by code.
extern volatile u64 kernel_interrupts[16];

}  // namespace uc::mini
