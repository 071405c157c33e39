// SPDX-License-Identifier: MIT
#include "hv/exit_clock.hpp"

#include <gtest/gtest.h>

namespace uc {
namespace {

constexpr u64 kTimebase = 10'000'000;
constexpr u64 kDear = kCheapReadNs + 1;

struct Case {
    const char* what;
    TraceMode mode;
    CounterCosts costs;
    ExitCounter counter;
    u64 hz;
};

TEST(ExitClock, IsACheapCounterOrNoneUnlessItIsAskedFor) {
    using enum TraceMode;
    const Case cases[] = {
        {"both cheap", On, {5, 5, 1'000'000'000}, ExitCounter::Cycle, 1'000'000'000},
        {"the dearest that is cheap", On, {kDear, kCheapReadNs, 5'000}, ExitCounter::Cycle, 5'000},
        {"cycle cannot be read", On, {5, 0, 0}, ExitCounter::Time, kTimebase},
        {"cycle is emulated", On, {5, kDear, 1'000'000'000}, ExitCounter::Time, kTimebase},
        {"both dear", On, {kDear, kDear, 1'000'000'000}, ExitCounter::None, 0},
        {"time is dear, and there is no other", On, {kDear, 0, 0}, ExitCounter::None, 0},
        {"not wanted", Untimed, {5, 5, 1'000'000'000}, ExitCounter::None, 0},
        {"nothing is", Off, {5, 5, 1'000'000'000}, ExitCounter::None, 0},
        {"wanted: one is cheap", Timed, {5, kDear, 1'000'000'000}, ExitCounter::Time, kTimebase},
        {"wanted: the less dear", Timed, {900, 800, 1'000'000'000}, ExitCounter::Cycle, 1'000'000'000},
        {"wanted: the less dear", Timed, {800, 900, 1'000'000'000}, ExitCounter::Time, kTimebase},
        {"wanted: the only one", Timed, {900, 0, 0}, ExitCounter::Time, kTimebase},
    };
    for (const Case& c : cases) {
        const ExitClock clock = choose_exit_clock(c.mode, c.costs, kTimebase);
        EXPECT_EQ(clock.counter, c.counter) << c.what;
        EXPECT_EQ(clock.hz, c.hz) << c.what;
    }
}

TEST(ExitClock, CountsInNanoseconds) {
    EXPECT_EQ((ExitClock{ExitCounter::Time, kTimebase}).ns(3), 300u);
    EXPECT_EQ((ExitClock{ExitCounter::Cycle, 3'000'000'000}).ns(7), 2u);
    EXPECT_EQ((ExitClock{}).ns(7), 0u);
    EXPECT_EQ(ticks_to_ns(5, 0), 0u);
    // A century of a fast counter.
    constexpr u64 kSeconds = 100ull * 365 * 24 * 3600;
    EXPECT_EQ(ticks_to_ns(kSeconds * 5'000'000'000 + 4'999'999'999, 5'000'000'000),
              kSeconds * 1'000'000'000 + 999'999'999);
}

TEST(ExitClock, SaysWhatItIs) {
    const auto text = [](TraceMode mode, const CounterCosts& costs) {
        return std::string(describe(choose_exit_clock(mode, costs, kTimebase), mode, costs).view());
    };
    EXPECT_EQ(text(TraceMode::On, {5, 5, 1'234'567'890}), "timed by cycle, 1234 MHz");
    EXPECT_EQ(text(TraceMode::On, {5, 0, 0}), "timed by time, 10 MHz");
    EXPECT_EQ(text(TraceMode::Untimed, {5, 5, 1'234'567'890}), "not timed");
    EXPECT_EQ(text(TraceMode::On, {1200, 0, 0}), "not timed: to read time costs 1200 ns");
    EXPECT_EQ(text(TraceMode::On, {1200, 1300, 9}), "not timed: to read time costs 1200 ns, cycle 1300 ns");
}

}  // namespace
}  // namespace uc
