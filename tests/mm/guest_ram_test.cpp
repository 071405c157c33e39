// SPDX-License-Identifier: MIT
#include "mm/guest_ram.hpp"

#include <gtest/gtest.h>

#include <array>

namespace uc {
namespace {

class GuestRamTest : public testing::Test {
  protected:
    static constexpr Gpa kBase{0x8000'0000};
    alignas(kPageSize) std::array<std::byte, 2 * kPageSize> bytes_{};
    GuestRam ram_{kBase, Hpa{0x1'0000'0000}, bytes_};
};

TEST_F(GuestRamTest, EndsWhereItEnds) {
    EXPECT_TRUE(ram_.contains(kBase, 2 * kPageSize));
    EXPECT_TRUE(ram_.contains(kBase + 2 * kPageSize, 0));
    EXPECT_FALSE(ram_.contains(kBase, 2 * kPageSize + 1));
    EXPECT_FALSE(ram_.contains(kBase - 1, 1));
    EXPECT_FALSE(ram_.contains(kBase - 1, 0));
    EXPECT_FALSE(ram_.contains(kBase + 1, ~0ull)) << "base + size wraps";
    EXPECT_FALSE(ram_.contains(Gpa{~0ull}, 2));
    EXPECT_FALSE(ram_.contains(Gpa{0}, ~0ull));
}

TEST_F(GuestRamTest, LoadsWhatWasStoredAtAnyAlignment) {
    EXPECT_TRUE(ram_.store<u64>(kBase + 3, 0x0123'4567'89ab'cdef));
    EXPECT_EQ(ram_.load<u32>(kBase + 3), 0x89ab'cdef);
    EXPECT_EQ(ram_.load<u8>(kBase + 10), 0x01);
    EXPECT_EQ(ram_.load<u64>(kBase + 2 * kPageSize - 7), std::nullopt);
    EXPECT_FALSE(ram_.store<u16>(kBase + 2 * kPageSize - 1, 0xffff));
    EXPECT_EQ(bytes_.back(), std::byte{0}) << "half of a store that does not fit";
}

TEST_F(GuestRamTest, ExchangesOnlyWhatIsExpected) {
    EXPECT_TRUE(ram_.store<u64>(kBase + 8, 5));
    EXPECT_EQ(ram_.compare_exchange(kBase + 8, 4, 6), false);
    EXPECT_EQ(ram_.load_pte(kBase + 8), 5);
    EXPECT_EQ(ram_.compare_exchange(kBase + 8, 5, 6), true);
    EXPECT_EQ(ram_.load_pte(kBase + 8), 6);
    EXPECT_EQ(ram_.compare_exchange(kBase + 4, 0, 1), std::nullopt) << "misaligned";
    EXPECT_EQ(ram_.compare_exchange(kBase - 8, 0, 1), std::nullopt);
    EXPECT_EQ(ram_.load_pte(kBase + 2 * kPageSize), std::nullopt);
}

TEST_F(GuestRamTest, CopiesAllOrNothing) {
    const std::array in{std::byte{1}, std::byte{2}, std::byte{3}};
    std::array<std::byte, 3> out{};
    EXPECT_TRUE(ram_.write(kBase + kPageSize - 1, in));
    EXPECT_TRUE(ram_.read(kBase + kPageSize - 1, out));
    EXPECT_EQ(in, out);
    EXPECT_FALSE(ram_.write(kBase + 2 * kPageSize - 2, in));
    EXPECT_EQ(bytes_[2 * kPageSize - 2], std::byte{0});
    EXPECT_FALSE(ram_.read(kBase - 1, out));
    EXPECT_TRUE(ram_.read(kBase + 2 * kPageSize, std::span<std::byte>{}));
}

TEST_F(GuestRamTest, NamesTheSameByteInEachSpace) {
    EXPECT_EQ(ram_.hpa(kBase + 0x1234), Hpa{0x1'0000'1234});
    EXPECT_EQ(ram_.gpa(Hpa{0x1'0000'1234}), kBase + 0x1234);
    EXPECT_EQ(ram_.pointer(kBase + 0x1234, 1), &bytes_[0x1234]);
    EXPECT_EQ(ram_.pointer(kBase + 2 * kPageSize, 1), nullptr);
}

}  // namespace
}  // namespace uc
