// SPDX-License-Identifier: MIT
#pragma once
// The registers of the management device, for the device and for who drives it from a guest. docs/management.md tells
// how they are used.

#include "emul/sbi_undercroft.hpp"

namespace uc::manager {

/// What kIdRegister reads: the layout's version in the upper half, the SBI extension that it carries in the lower.
inline constexpr u64 kId = 1ull << 32 | sbi::undercroft::kExt;

// Offsets. Each register is a doubleword and is accessed as one.
inline constexpr u64 kIdRegister = 0x00;        ///< read-only
inline constexpr u64 kFunctionRegister = 0x08;  ///< a store calls that function of the extension; it is done afterwards
inline constexpr u64 kErrorRegister = 0x10;     ///< read-only; what the last call returned in a0: an sbi::Error
inline constexpr u64 kValueRegister = 0x18;     ///< read-only; and in a1
inline constexpr u64 kArgumentRegisters = 0x20;  ///< a0 to a5
inline constexpr u64 kArguments = 6;
/// Memory of the device's own. Calls take offsets into it for guest-physical addresses.
inline constexpr u64 kData = 0x800;
inline constexpr u64 kDataSize = 0x200;
inline constexpr u64 kSize = 0x1000;

}  // namespace uc::manager
