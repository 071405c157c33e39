// SPDX-License-Identifier: MIT
#pragma once
// Calls into the firmware below us.

#include <string_view>

#include "isa/sbi.hpp"

namespace uc::arch {

/// One SBI call with up to three arguments (SBI 2.0, chapter 3).
inline sbi::Ret sbi_call(sbi::Ext ext, u64 fid, u64 arg0 = 0, u64 arg1 = 0, u64 arg2 = 0) {
    register u64 a0 asm("a0") = arg0;
    register u64 a1 asm("a1") = arg1;
    register u64 a2 asm("a2") = arg2;
    register u64 a6 asm("a6") = fid;
    register u64 a7 asm("a7") = static_cast<u64>(ext);
    asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return {static_cast<sbi::Error>(a0), a1};
}

/// Whether the firmware has `ext`.
[[nodiscard]] bool sbi_probe(sbi::Ext ext);

/// What the firmware says of itself and of the machine.
struct Firmware {
    u64 spec_version = 0;  ///< major in bits 30:24, minor below
    u64 impl_id = 0;
    u64 impl_version = 0;
    u64 mvendorid = 0, marchid = 0, mimpid = 0;
    bool time = false, ipi = false, rfence = false, hsm = false, srst = false, dbcn = false, pmu = false;
    bool misaligned_delegated = false;  ///< FWFT: misaligned accesses trap to S-mode
};
[[nodiscard]] Firmware probe_firmware();

/// Writes text through DBCN or, without it, the legacy console. Blocks until it is out. `pa_of` is the text's physical
/// address; early code passes the same pointer for both.
void sbi_console_write(std::string_view text, u64 pa, bool dbcn);

/// Powers the machine off or reboots it through SRST, or the legacy shutdown; waits for ever where neither works.
[[noreturn]] void sbi_system_reset(sbi::srst::Type type, sbi::srst::Reason reason);

/// Prints `line` and powers off with failure, before anything else works. May run with translation off.
[[noreturn]] void early_die(std::string_view line);

}  // namespace uc::arch
