// SPDX-License-Identifier: MIT
#pragma once
// Calls to the firmware below us, which may be a hypervisor: from here there is no telling.

#include "isa/sbi.hpp"

namespace uc::mini {

/// One SBI call (SBI 2.0, chapter 3): a7 = extension, a6 = function, up to three arguments.
inline sbi::Ret sbi_call(sbi::Ext ext, u64 fid, u64 arg0 = 0, u64 arg1 = 0, u64 arg2 = 0) {
    register u64 a0 asm("a0") = arg0;
    register u64 a1 asm("a1") = arg1;
    register u64 a2 asm("a2") = arg2;
    register u64 a6 asm("a6") = fid;
    register u64 a7 asm("a7") = static_cast<u64>(ext);
    asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return {static_cast<sbi::Error>(a0), a1};
}

[[nodiscard]] inline bool sbi_has(sbi::Ext ext) {
    const auto ret = sbi_call(sbi::Ext::Base, sbi::base::ProbeExtension, static_cast<u64>(ext));
    return ret.error == sbi::Error::Success && ret.value != 0;
}

}  // namespace uc::mini
