// SPDX-License-Identifier: MIT
#pragma once
// The privileged instructions, which trap because the guest's kernel runs in U-mode.

#include "emul/csr_file.hpp"
#include "emul/outcome.hpp"

namespace uc {

/// Executes `insn`, which trapped as illegal, as the guest's hart would at its present privilege: CSR accesses, sret,
/// wfi, sfence.vma and Svinval. Anything else is illegal for the guest too, and comes back as that exception. Does not
/// move pc: commit() does.
[[nodiscard]] Step execute_privileged(const CsrContext& context, u32 insn);

}  // namespace uc
