// SPDX-License-Identifier: MIT
#include "hv/crc32.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace uc {
namespace {

u32 crc(std::string_view text) { return crc32(std::as_bytes(std::span{text})); }

TEST(Crc32, KnownMessages) {
    EXPECT_EQ(crc(""), 0u);
    EXPECT_EQ(crc("123456789"), 0xcbf4'3926u);  // the check value of ISO-HDLC
    EXPECT_EQ(crc("The quick brown fox jumps over the lazy dog"), 0x414f'a339u);
}

}  // namespace
}  // namespace uc
