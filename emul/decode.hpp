// SPDX-License-Identifier: MIT
#pragma once
// Loads and stores as bits, for accesses that a device or a protected page answers instead of memory.

#include <optional>

#include "isa/types.hpp"

namespace uc {

/// One load or store of RV64 I, A, F, D, Zfh, C or Zcb. The address is not decoded: the trap reported it.
struct MemoryInsn {
    Access access = Access::Load;
    u8 width = 0;              ///< bytes: 1, 2, 4 or 8
    bool sign_extend = false;  ///< integer loads narrower than a register
    bool fp = false;           ///< `reg` is an f register
    u8 reg = 0;                ///< rd of a load, rs2 of a store
    u8 length = 0;             ///< of the instruction in bytes: 2 or 4
    bool amo = false;          ///< LR (a Load), SC or AMO (both Store): atomics no device here takes

    friend constexpr bool operator==(const MemoryInsn&, const MemoryInsn&) = default;
};

/// Decodes the instruction in the low bits of `insn`; what follows a compressed one is ignored. Empty for every other
/// or reserved encoding.
[[nodiscard]] std::optional<MemoryInsn> decode_memory(u32 insn);

}  // namespace uc
