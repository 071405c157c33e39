// SPDX-License-Identifier: MIT
#pragma once
// SHA-256 (FIPS 180-4).

#include <array>
#include <span>

#include "isa/types.hpp"

namespace uc {

[[nodiscard]] std::array<std::byte, 32> sha256(std::span<const std::byte> message);

}  // namespace uc
