// SPDX-License-Identifier: MIT
#include "hv/host_memory.hpp"

#include <gtest/gtest.h>

#include <bitset>
#include <random>

namespace uc {
namespace {

constexpr HostRange pages(u64 first, u64 count) { return {Hpa{first * kPageSize}, count * kPageSize}; }

TEST(HostMemory, MergesNeighboursAndKeepsOrder) {
    HostMemory m;
    m.add(pages(10, 2));
    m.add(pages(2, 2));
    m.add(pages(12, 1));
    ASSERT_EQ(m.count(), 2u);
    EXPECT_EQ(m.range(0), pages(2, 2));
    EXPECT_EQ(m.range(1), pages(10, 3));
    m.add(pages(4, 6));
    ASSERT_EQ(m.count(), 1u);
    EXPECT_EQ(m.range(0), pages(2, 11));
}

TEST(HostMemory, KeepsWholePagesOnly) {
    HostMemory m;
    m.add({Hpa{0x1001}, 0x2fff});
    ASSERT_EQ(m.count(), 1u);
    EXPECT_EQ(m.range(0), (HostRange{Hpa{0x2000}, 0x2000}));
    m.add({Hpa{0x9001}, 0xffe});
    EXPECT_EQ(m.count(), 1u);
}

TEST(HostMemory, RemovalSplitsAndRoundsOutwards) {
    HostMemory m;
    m.add(pages(0, 10));
    m.remove({Hpa{0x3001}, 1});
    ASSERT_EQ(m.count(), 2u);
    EXPECT_EQ(m.range(0), pages(0, 3));
    EXPECT_EQ(m.range(1), pages(4, 6));
    m.remove({Hpa{0x5000}, ~0ull});  // wraps: to the end of the address space
    ASSERT_EQ(m.count(), 2u);
    EXPECT_EQ(m.range(1), pages(4, 1));
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

TEST(HostMemory, RandomUseAgreesWithABitmap) {
    constexpr u64 kPages = 256;
    const unsigned seed = 20240917;
    std::mt19937 random(seed);
    HostMemory m;
    std::bitset<kPages> free;
    std::vector<HostRange> held;
    m.add(pages(0, kPages));
    free.set();
    for (int step = 0; step < 20000; ++step) {
        if (held.empty() || (random() % 2 != 0 && held.size() < 20)) {
            const u64 n = 1 + random() % 16, align = kPageSize << random() % 4;
            const auto at = m.allocate(n * kPageSize, align);
            if (!at) continue;
            ASSERT_TRUE(is_aligned(at->raw, align));
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
    }
}

}  // namespace
}  // namespace uc
