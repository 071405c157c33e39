// SPDX-License-Identifier: MIT
#include "isa/types.hpp"

#include <gtest/gtest.h>

namespace uc {
namespace {

// Spaces of addresses must not mix.
static_assert(!std::is_convertible_v<u64, Gpa> && !std::is_convertible_v<Gpa, u64>);
static_assert(!std::is_constructible_v<Gpa, Gva> && !std::is_constructible_v<Hpa, Gpa>);

TEST(Types, Align) {
    EXPECT_EQ(align_down(0x1fff, 0x1000), 0x1000u);
    EXPECT_EQ(align_up(0x1001, 0x1000), 0x2000u);
    EXPECT_EQ(align_up(0x1000, 0x1000), 0x1000u);
    EXPECT_TRUE(is_aligned(0, 8));
    EXPECT_FALSE(is_aligned(4, 8));
}

TEST(Types, SignExtend) {
    EXPECT_EQ(sign_extend(0x80, 8), 0xffff'ffff'ffff'ff80u);
    EXPECT_EQ(sign_extend(0x17f, 8), 0x7fu) << "higher bits are dropped";
    EXPECT_EQ(sign_extend(1, 1), ~0ull);
    EXPECT_EQ(sign_extend(1ull << 63, 64), 1ull << 63);
}

TEST(Types, Addresses) {
    const Gva va{0xffff'ffff'8000'1234};
    EXPECT_EQ(va.page_offset(), 0x234u);
    EXPECT_EQ(va.page(), Gva{0xffff'ffff'8000'1000});
    EXPECT_EQ(va.frame(), 0xf'ffff'fff8'0001u);
    EXPECT_EQ(va + 0x10 - va, 0x10u);
    EXPECT_LT(va, va + 1);
}

}  // namespace
}  // namespace uc
