// SPDX-License-Identifier: MIT
#pragma once
// Why a vCPU left the guest: counts, and the last exits for people to read.

#include <array>
#include <string_view>

#include "isa/cause.hpp"

namespace uc {

enum class ExitReason : u8 {
    Csr,             ///< a CSR instruction, emulated
    Sret,            ///< sret, emulated
    Fence,           ///< sfence.vma and Svinval
    Satp,            ///< satp written
    Wfi,             ///< wfi
    Illegal,         ///< an instruction that is illegal for the guest too
    Sbi,             ///< ecall of the guest's kernel
    UserEcall,       ///< ecall of the guest's user
    ShadowFill,      ///< page fault answered by the shadow tables
    GuestPageFault,  ///< page fault that is the guest's own
    Mmio,            ///< access to an emulated device
    GuestException,  ///< any other exception that is the guest's own
    Timer,
    Software,
    External,
    Count,
};
inline constexpr usize kExitReasons = static_cast<usize>(ExitReason::Count);

/// Short lower-case name, as `undercroft.stats` prints it.
[[nodiscard]] constexpr std::string_view name(ExitReason reason) {
    constexpr std::array<std::string_view, kExitReasons> kNames{
        "csr",         "sret",       "fence", "satp",      "wfi",   "illegal",  "sbi",     "user-ecall",
        "shadow-fill", "page-fault", "mmio",  "exception", "timer", "software", "external"};
    return kNames[static_cast<usize>(reason)];
}

/// One exit as it happened.
struct ExitRecord {
    u64 pc = 0;
    u64 scause = 0;
    u64 stval = 0;
    ExitReason reason{};  ///< what it turned out to be
};

/// Counts and the ring of one vCPU, written by the hart that runs it.
struct ExitStats {
    static constexpr usize kRing = 64;  ///< a power of two

    u64 exits = 0;  ///< all of them; the next record goes to exits % kRing
    std::array<u64, kExitReasons> count{};
    std::array<u64, 16> exceptions{};      ///< passed on to the guest, by cause
    std::array<ExitRecord, kRing> ring{};  ///< last, so that all else is within reach of an offset

    /// An exit as it arrives, and then what it turned out to be.
    void record(u64 pc, u64 scause, u64 stval) {
        ExitRecord& last = ring[exits++ % kRing];
        last.pc = pc;  // one by one: GCC 12 copies the whole by bytes
        last.scause = scause;
        last.stval = stval;
    }
    /// The guest is given an exception of its own, which is neither a page fault nor an illegal instruction.
    void pass_on(Cause cause) { ++exceptions[static_cast<usize>(cause) % exceptions.size()]; }
    [[nodiscard]] u64 passed_on(Cause cause) const { return exceptions[static_cast<usize>(cause)]; }
    void tally(ExitReason reason) {
        ++count[static_cast<usize>(reason)];
        ring[(exits - 1) % kRing].reason = reason;
    }
};

}  // namespace uc
