// SPDX-License-Identifier: MIT
#pragma once
// Live CSRs and fences as functions.

#include "guest-images/minikernel/layout.hpp"
#include "isa/csr.hpp"

namespace uc::mini {

template <CsrNo N>
[[nodiscard]] u64 csr_read() {
    u64 value;
    asm volatile("csrr %0, %1" : "=r"(value) : "i"(static_cast<u16>(N)) : "memory");
    return value;
}
template <CsrNo N>
void csr_write(u64 value) {
    asm volatile("csrw %0, %1" ::"i"(static_cast<u16>(N)), "r"(value) : "memory");
}
template <CsrNo N>
void csr_set(u64 bits) {
    asm volatile("csrs %0, %1" ::"i"(static_cast<u16>(N)), "r"(bits) : "memory");
}
template <CsrNo N>
void csr_clear(u64 bits) {
    asm volatile("csrc %0, %1" ::"i"(static_cast<u16>(N)), "r"(bits) : "memory");
}

inline void wait_for_interrupt() { asm volatile("wfi" ::: "memory"); }
inline void fence_i() { asm volatile("fence.i" ::: "memory"); }

/// The four forms of sfence.vma (Privileged 1.12, 4.2.1).
inline void sfence_all() { asm volatile("sfence.vma" ::: "memory"); }
inline void sfence_address(Va va) { asm volatile("sfence.vma %0" ::"r"(va.raw) : "memory"); }
inline void sfence_asid(u64 asid) { asm volatile("sfence.vma zero, %0" ::"r"(asid) : "memory"); }
inline void sfence_address_asid(Va va, u64 asid) {
    asm volatile("sfence.vma %0, %1" ::"r"(va.raw), "r"(asid) : "memory");
}

}  // namespace uc::mini
