// SPDX-License-Identifier: MIT
#include "hv/host_memory.hpp"

#include <gtest/gtest.h>

#include <bitset>
#include <random>
#include <vector>

namespace uc {
namespace {

constexpr HostRange pages(u64 first, u64 count) { return {Hpa{first * kPageSize}, count * kPageSize}; }

std::vector<HostRange> free_in(const HostMemory& memory) {
    const auto ranges = memory.free_ranges();
    return {ranges.begin(), ranges.end()};
}
using Ranges = std::vector<HostRange>;

TEST(HostMemory, MergesNeighboursAndKeepsOrder) {
    HostMemory m;
    m.add(pages(10, 2));
    m.add(pages(2, 2));
    m.add(pages(12, 1));
    EXPECT_EQ(free_in(m), (Ranges{pages(2, 2), pages(10, 3)}));
    m.add(pages(4, 6));
    EXPECT_EQ(free_in(m), (Ranges{pages(2, 11)}));
}

TEST(HostMemory, KeepsWholePagesOnly) {
    HostMemory m;
    m.add({Hpa{0x1001}, 0x2fff});
    m.add({Hpa{0x9001}, 0xffe});
    EXPECT_EQ(free_in(m), (Ranges{{Hpa{0x2000}, 0x2000}}));
}

TEST(HostMemory, RemovalSplitsAndRoundsOutwards) {
    HostMemory m;
    m.add(pages(0, 10));
    m.remove({Hpa{0x3001}, 1});
    EXPECT_EQ(free_in(m), (Ranges{pages(0, 3), pages(4, 6)}));
    m.remove({Hpa{0x5000}, ~0ull});  // wraps: to the end of the address space
    EXPECT_EQ(free_in(m), (Ranges{pages(0, 3), pages(4, 1)}));
}

TEST(HostMemory, AllocatesAlignedFromTheTop) {
    HostMemory m;
    m.add(pages(1, 1023));
    const auto big = m.allocate(2 * kMiB, 2 * kMiB);
    ASSERT_TRUE(big);
    EXPECT_EQ(*big, Hpa{2 * kMiB});
    const auto page = m.allocate(kPageSize, kPageSize);
    ASSERT_TRUE(page);
    EXPECT_EQ(*page, Hpa{2 * kMiB - kPageSize});
    EXPECT_FALSE(m.allocate(2 * kMiB, 2 * kMiB));
    EXPECT_FALSE(m.allocate(0, kPageSize));
    EXPECT_FALSE(m.allocate(100, kPageSize));
}

TEST(HostMemory, TakesTheRangeThatLeavesLeast) {
    HostMemory m;
    m.add(pages(10, 4));
    m.add(pages(20, 3));
    m.add(pages(30, 9));
    EXPECT_EQ(m.allocate(3 * kPageSize, kPageSize), Hpa{20 * kPageSize});
    EXPECT_EQ(m.allocate(3 * kPageSize, kPageSize), Hpa{11 * kPageSize});
    EXPECT_EQ(m.largest(kPageSize), 9 * kPageSize);
}

TEST(HostMemory, MemoryGivenBackIsOneRangeAgain) {
    HostMemory m;
    m.add(pages(0, 64));
    std::vector<HostRange> held;
    for (int i = 0; i < 16; ++i) held.push_back({m.allocate(4 * kPageSize, kPageSize).value(), 4 * kPageSize});
    EXPECT_FALSE(m.allocate(kPageSize, kPageSize));
    EXPECT_EQ(m.used(), 64 * kPageSize);
    for (const usize first : {1, 0}) {
        for (usize i = first; i < held.size(); i += 2) m.free(held[i]);
    }
    EXPECT_EQ(free_in(m), (Ranges{pages(0, 64)}));
    EXPECT_EQ(m.used(), 0u);
    m.free({});
    EXPECT_EQ(m.used(), 0u);
}

TEST(HostMemory, EnoughInPiecesIsNotEnough) {
    HostMemory m;
    m.add(pages(0, 32));
    std::vector<Hpa> held;
    for (int i = 0; i < 32; ++i) held.push_back(m.allocate(kPageSize, kPageSize).value());
    for (usize i = 0; i < held.size(); i += 2) m.free({held[i], kPageSize});
    EXPECT_EQ(m.available(), 16 * kPageSize);
    EXPECT_EQ(m.largest(kPageSize), kPageSize);
    EXPECT_FALSE(m.allocate(2 * kPageSize, kPageSize));
}

TEST(HostMemory, WhatTheTableHasNoRoomForIsCounted) {
    constexpr u64 kPages = 2 * HostMemory::kCapacity + 4;
    HostMemory m;
    m.add(pages(0, kPages));
    std::vector<Hpa> held;
    for (u64 i = 0; i < kPages; ++i) held.push_back(m.allocate(kPageSize, kPageSize).value());
    for (u64 i = 0; i < kPages; i += 2) m.free({held[i], kPageSize});
    EXPECT_EQ(m.available(), HostMemory::kCapacity * kPageSize);
    EXPECT_EQ(m.lost(), 2 * kPageSize);
    EXPECT_EQ(m.used(), kPages / 2 * kPageSize);
}

TEST(HostMemory, NoRangeIsSplitThatTheTableCannotHold) {
    HostMemory m;
    // Each has a place aligned to two pages in its middle only.
    for (u64 i = 0; i < HostMemory::kCapacity; ++i) m.add(pages(8 * i + 1, 3));
    EXPECT_TRUE(m.allocate(2 * kPageSize, 2 * kPageSize));  // the upper end is aligned
    HostMemory split;
    for (u64 i = 0; i < HostMemory::kCapacity; ++i) split.add(pages(8 * i + 1, 4));
    EXPECT_FALSE(split.allocate(2 * kPageSize, 2 * kPageSize));
    EXPECT_EQ(split.lost(), 0u);
    EXPECT_EQ(split.available(), HostMemory::kCapacity * 4 * kPageSize);
}

TEST(HostMemoryDeathTest, WhatIsFreeIsNotTakenBack) {
    HostMemory m;
    m.add(pages(0, 8));
    const Hpa at = m.allocate(2 * kPageSize, kPageSize).value();
    m.free({at, kPageSize});
    EXPECT_DEATH(m.free({at, 2 * kPageSize}), "");
}

TEST(HostMemory, RandomUseAgreesWithABitmap) {
    constexpr u64 kPages = 256;
    const unsigned seed = 20240917;
    std::mt19937 random(seed);
    HostMemory m;
    std::bitset<kPages> free;
    std::vector<HostRange> held;
    m.add(pages(0, kPages));
    free.set();
    // The largest run of free pages that begins at a multiple of `align` pages.
    const auto largest = [&](u64 align) {
        u64 best = 0;
        for (u64 first = 0; first < kPages; first += align) {
            u64 n = 0;
            while (first + n < kPages && free[first + n]) ++n;
            best = std::max(best, n);
        }
        return best;
    };
    for (int step = 0; step < 20000; ++step) {
        if (held.empty() || (random() % 2 != 0 && held.size() < 40)) {
            const u64 n = 1 + random() % 16, align = u64{1} << random() % 4;
            const auto at = m.allocate(n * kPageSize, align * kPageSize);
            ASSERT_EQ(at.has_value(), largest(align) >= n) << "seed " << seed << " step " << step;
            if (!at) continue;
            ASSERT_TRUE(is_aligned(at->raw, align * kPageSize));
            for (u64 p = at->frame(); p < at->frame() + n; ++p) {
                ASSERT_TRUE(free[p]) << "seed " << seed << " step " << step;
                free.reset(p);
            }
            held.push_back({*at, n * kPageSize});
        } else {
            const usize i = random() % held.size();
            m.free(held[i]);
            for (u64 p = held[i].base.frame(); p < held[i].end().frame(); ++p) free.set(p);
            held.erase(held.begin() + static_cast<long>(i));
        }
        ASSERT_EQ(m.available(), free.count() * kPageSize) << "seed " << seed << " step " << step;
        ASSERT_EQ(m.used(), kPages * kPageSize - m.available());
    }
    ASSERT_EQ(m.lost(), 0u);
}

}  // namespace
}  // namespace uc
