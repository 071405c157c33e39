// SPDX-License-Identifier: MIT
#include "mm/frame_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

namespace uc {
namespace {

constexpr u32 kFrames = 5;

class FramePoolTest : public testing::Test {
  protected:
    FramePoolTest() { bytes_.fill(std::byte{0xcc}); }
    static bool is_zero(const std::byte* frame) {
        return std::all_of(frame, frame + kPageSize, [](std::byte b) { return b == std::byte{0}; });
    }
    alignas(kPageSize) std::array<std::byte, kFrames * kPageSize + 100> bytes_;
    FramePool pool_{bytes_, Hpa{0x9'8765'4000}};
};

TEST_F(FramePoolTest, GivesEveryFrameOnceAndZeroed) {
    EXPECT_EQ(pool_.capacity(), kFrames) << "the partial frame does not count";
    std::set<std::byte*> frames;
    for (u32 i = 0; i < kFrames; ++i) {
        std::byte* frame = pool_.allocate();
        ASSERT_NE(frame, nullptr);
        EXPECT_TRUE(is_zero(frame));
        EXPECT_TRUE(frames.insert(frame).second);
        EXPECT_EQ(pool_.available(), kFrames - 1 - i);
    }
    EXPECT_EQ(pool_.allocate(), nullptr);
}

TEST_F(FramePoolTest, TakesBackInAnyOrder) {
    std::array<std::byte*, kFrames> frames{};
    for (auto& frame : frames) frame = pool_.allocate();
    for (u32 i : {3, 0, 4}) {
        std::fill_n(frames[i], kPageSize, std::byte{0x55});
        pool_.free(frames[i]);
    }
    EXPECT_EQ(pool_.available(), 3);
    std::set<std::byte*> again;
    for (unsigned i = 0; i < 3; ++i) {
        std::byte* frame = pool_.allocate();
        EXPECT_TRUE(is_zero(frame));
        again.insert(frame);
    }
    EXPECT_EQ(again, (std::set{frames[0], frames[3], frames[4]}));
    EXPECT_EQ(pool_.allocate(), nullptr);
}

TEST_F(FramePoolTest, NamesAFrameByPointerIndexAndAddress) {
    static_cast<void>(pool_.allocate());
    const std::byte* second = pool_.allocate();
    EXPECT_EQ(pool_.index(second), 1);
    EXPECT_EQ(pool_.frame(1), second);
    EXPECT_EQ(pool_.hpa(second), Hpa{0x9'8765'5000});
    EXPECT_EQ(pool_.index(Hpa{0x9'8765'5000}), 1);
}

}  // namespace
}  // namespace uc
