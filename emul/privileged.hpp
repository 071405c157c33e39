// SPDX-License-Identifier: MIT
#pragma once
// The privileged instructions, which trap because the guest's kernel runs in U-mode.

#include "emul/csr_file.hpp"
#include "emul/outcome.hpp"

namespace uc {

/// The privileged instructions that are no CSR access; anything else is illegal.
[[nodiscard]] Step execute_system(const CsrContext& context, u32 insn);

/// Executes `insn`, which trapped as illegal, as the guest's hart would at its present privilege: CSR accesses, sret,
/// wfi, sfence.vma and Svinval. Anything else is illegal for the guest too, and comes back as that exception. Does not
/// move pc: commit() does.
[[nodiscard]] inline Step execute_privileged(const CsrContext& context, u32 insn) {
    constexpr u32 kSystem = 0x73;
    // funct3 = 0 are the instructions without CSR, 4 the hypervisor extension's loads and stores.
    const bool is_csr = (insn & 0x7f) == kSystem && (insn >> 12 & 3) != 0;
    return is_csr ? execute_csr(context, insn) : execute_system(context, insn);
}

}  // namespace uc
