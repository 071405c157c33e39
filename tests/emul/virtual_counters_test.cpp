// SPDX-License-Identifier: MIT
#include "emul/virtual_counters.hpp"

#include <gtest/gtest.h>

namespace uc {
namespace {

constexpr unsigned kCycle = VirtualCounters::kCycle, kInstret = VirtualCounters::kInstret;

TEST(VirtualCounters, AreTheHartsUntilTheyAreTakenOver) {
    const VirtualCounters counters;
    EXPECT_EQ(counters.hidden(), 0u);
    for (unsigned n = 0; n < 32; ++n) EXPECT_EQ(counters.value(n, 1000 + n), 1000 + n);
}

TEST(VirtualCounters, CountFromWhereTheyAreSet) {
    VirtualCounters counters;
    counters.set(kCycle, 50, 1000);
    EXPECT_EQ(counters.hidden(), 1u);
    EXPECT_EQ(counters.value(kCycle, 1234), 50u) << "stopped";
    EXPECT_EQ(counters.value(kInstret, 77), 77u) << "not taken over";
    counters.start(kCycle, 1300);
    EXPECT_EQ(counters.value(kCycle, 1310), 60u);
    counters.set(kCycle, ~0ull, 1310);
    EXPECT_EQ(counters.value(kCycle, 1312), 1u) << "wraps";
    counters.stop(kCycle, 1313);
    EXPECT_EQ(counters.value(kCycle, 9999), 2u);
    counters.start(kCycle, 0);
    EXPECT_EQ(counters.value(kCycle, 5), 7u);
}

TEST(VirtualCounters, GoOnFromTheHartsOwnValue) {
    VirtualCounters counters;
    counters.start(kInstret, 500);
    EXPECT_EQ(counters.hidden(), 4u);
    EXPECT_EQ(counters.value(kInstret, 600), 600u);
    counters.stop(kInstret, 700);
    EXPECT_EQ(counters.value(kInstret, 800), 700u);
}

TEST(VirtualCounters, DoNotCountAwayFromTheHart) {
    VirtualCounters counters;
    counters.set(kCycle, 0, 0);
    counters.start(kCycle, 100);
    counters.set(kInstret, 9, 0);
    const auto hart = [](u64 cycle) {
        return [cycle](unsigned n) {
            EXPECT_EQ(n, kCycle) << "only what counts is read";
            return cycle;
        };
    };
    for (int i = 0; i < 2; ++i) counters.leave(hart(150));  // twice is once
    EXPECT_EQ(counters.value(kCycle, 7777), 50u);
    for (int i = 0; i < 2; ++i) counters.arrive(hart(20));  // another hart, which has counted less
    EXPECT_EQ(counters.value(kCycle, 25), 55u);
    EXPECT_EQ(counters.value(kInstret, 25), 9u);
    VirtualCounters unused;
    unused.leave(hart(1));
    unused.arrive(hart(2));
    EXPECT_EQ(unused, VirtualCounters{});
}

}  // namespace
}  // namespace uc
