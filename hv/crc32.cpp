// SPDX-License-Identifier: MIT
#include "hv/crc32.hpp"

#include <array>

namespace uc {

namespace {

constexpr u32 kReflectedPolynomial = 0xedb8'8320;

constexpr auto kTable = [] {
    std::array<u32, 256> table{};
    for (u32 byte = 0; byte < table.size(); ++byte) {
        u32 remainder = byte;
        for (int bit = 0; bit < 8; ++bit) {
            remainder = remainder >> 1 ^ ((remainder & 1) != 0 ? kReflectedPolynomial : 0);
        }
        table[byte] = remainder;
    }
    return table;
}();

}  // namespace

u32 crc32(std::span<const std::byte> data) {
    u32 crc = ~0u;
    for (const std::byte byte : data) crc = crc >> 8 ^ kTable[(crc ^ static_cast<u32>(byte)) & 0xff];
    return ~crc;
}

}  // namespace uc
