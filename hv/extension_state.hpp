// SPDX-License-Identifier: MIT
#pragma once
// What of a vCPU lives in the hart while it runs, where it waits while another vCPU has the hart.

#include <array>
#include <cstddef>

#include "isa/types.hpp"

namespace uc {

/// f0..f31, raw bits, and fcsr. Known to hv/arch/extension_state.S.
struct FpRegisters {
    std::array<u64, 32> f{};
    u64 fcsr = 0;
};

/// The vector unit. Known to hv/arch/extension_state.S.
struct VectorRegisters {
    u64 vstart = 0;
    u64 vcsr = 0;
    u64 vl = 0;
    u64 vtype = 0;
    std::byte* v = nullptr;  ///< v0..v31, VLEN / 8 bytes each; null: guests have no vectors
};
inline constexpr unsigned kVectorRegisters = 32;

}  // namespace uc
