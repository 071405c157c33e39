// SPDX-License-Identifier: MIT
#pragma once
// CRC-32 as in ISO-HDLC, zlib and U-Boot.

#include <span>

#include "isa/types.hpp"

namespace uc {

/// Polynomial 0x04c11db7 reflected, initial value and final inversion all ones.
[[nodiscard]] u32 crc32(std::span<const std::byte> data);

}  // namespace uc
