// SPDX-License-Identifier: MIT
#pragma once
// The hart's own CSRs, and the fences. Each function is one instruction.

#include <optional>

#include "isa/csr.hpp"

namespace uc::arch {

template <CsrNo N>
[[gnu::always_inline]] inline u64 csr_read() {
    u64 value;
    asm volatile("csrr %0, %1" : "=r"(value) : "i"(static_cast<unsigned>(N)) : "memory");
    return value;
}
template <CsrNo N>
[[gnu::always_inline]] inline void csr_write(u64 value) {
    asm volatile("csrw %0, %1" ::"i"(static_cast<unsigned>(N)), "rK"(value) : "memory");
}
template <CsrNo N>
[[gnu::always_inline]] inline void csr_set(u64 bits) {
    asm volatile("csrs %0, %1" ::"i"(static_cast<unsigned>(N)), "rK"(bits) : "memory");
}
template <CsrNo N>
[[gnu::always_inline]] inline void csr_clear(u64 bits) {
    asm volatile("csrc %0, %1" ::"i"(static_cast<unsigned>(N)), "rK"(bits) : "memory");
}

/// Reads a CSR that the hart may lack: nullopt when the read traps. For boot only: stvec points elsewhere meanwhile,
/// and the trap leaves sstatus.SPP set.
template <CsrNo N>
[[nodiscard]] inline std::optional<u64> csr_probe() {
    u64 failed, value = 0, vector;
    asm volatile(
        "lla %[failed], 1f\n"
        "csrrw %[vector], stvec, %[failed]\n"
        "li %[failed], 1\n"
        "csrr %[value], %[csr]\n"
        "li %[failed], 0\n"
        ".balign 4\n"
        "1: csrw stvec, %[vector]\n"
        : [failed] "=&r"(failed), [value] "+&r"(value), [vector] "=&r"(vector)
        : [csr] "i"(static_cast<unsigned>(N))
        : "memory");
    if (failed != 0) return std::nullopt;
    return value;
}

/// What stval holds after an mret, illegal in S-mode, that follows another SYSTEM instruction. For boot only, as
/// csr_probe.
[[nodiscard]] inline u64 stval_of_mret() {
    u64 stval, vector;
    asm volatile(
        "lla %[stval], 1f\n"
        "csrrw %[vector], stvec, %[stval]\n"
        "csrr %[stval], sscratch\n"
        "mret\n"
        ".balign 4\n"
        "1: csrr %[stval], stval\n"
        "csrw stvec, %[vector]\n"
        : [stval] "=&r"(stval), [vector] "=&r"(vector)
        :
        : "memory");
    return stval;
}

[[gnu::always_inline]] inline void sfence_all() { asm volatile("sfence.vma" ::: "memory"); }
[[gnu::always_inline]] inline void sfence_page(u64 va) { asm volatile("sfence.vma %0, x0" ::"r"(va) : "memory"); }
[[gnu::always_inline]] inline void sfence_asid(u64 asid) { asm volatile("sfence.vma x0, %0" ::"r"(asid) : "memory"); }
[[gnu::always_inline]] inline void fence_i() { asm volatile("fence.i" ::: "memory"); }
/// Ends the reservation of an lr, if there is one (Unprivileged, 8.2): a store-conditional always does.
[[gnu::always_inline]] inline void break_reservation() {
    u64 nowhere, failed;
    asm volatile("sc.d %0, zero, (%1)" : "=r"(failed) : "r"(&nowhere) : "memory");
}
/// CSRs and memory know no order but this (Unprivileged, "CSR Access Ordering"): what was stored is seen before an
/// interrupt that is sent from here on, and what is loaded from here on is newer than an interrupt that was taken.
[[gnu::always_inline]] inline void fence_interrupts() { asm volatile("fence iorw, iorw" ::: "memory"); }
[[gnu::always_inline]] inline void wait_for_interrupt() { asm volatile("wfi" ::: "memory"); }

}  // namespace uc::arch
