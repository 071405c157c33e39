// SPDX-License-Identifier: MIT
// The scheduler's promises, in simulated time: equal shares, short waits, no idle hart while anybody waits.
#include "tests/hv/scheduler_sim.hpp"

#include <cmath>
#include <string>

namespace uc {
namespace {

using test::Habit;
using test::kKickDelay;
using test::kMs;
using test::kSecond;
using test::kSlice;
using test::Sim;
using test::Task;

constexpr Habit kComputes{};

HartMask first(unsigned harts) { return static_cast<HartMask>((u64{1} << harts) - 1); }

/// Watches that in every second, beginning each tenth, the tasks get the same within 5 %.
class ShareWatch {
  public:
    ShareWatch(Sim& sim, std::vector<Task*> tasks) : tasks_(std::move(tasks)) {
        sim.sample(kSecond / 10, [this](u64 now) { look(now); });
    }
    [[nodiscard]] double worst() const { return worst_; }
    [[nodiscard]] usize windows() const { return windows_; }

  private:
    void look(u64 now) {
        std::vector<u64> used;
        for (const Task* t : tasks_) used.push_back(t->used);
        history_.push_back(used);
        if (history_.size() <= 10) return;
        const auto& before = history_[history_.size() - 11];
        u64 sum = 0;
        for (usize i = 0; i < used.size(); ++i) sum += used[i] - before[i];
        const double fair = static_cast<double>(sum) / static_cast<double>(used.size());
        for (usize i = 0; i < used.size(); ++i) {
            const double off = std::abs(static_cast<double>(used[i] - before[i]) / fair - 1);
            EXPECT_LE(off, 0.05) << "task " << i << " in the second that ends at " << now / kMs << " ms";
            worst_ = std::max(worst_, off);
        }
        ++windows_;
    }

    std::vector<Task*> tasks_;
    std::vector<std::vector<u64>> history_;
    double worst_ = 0;
    usize windows_ = 0;
};

struct Crowd {
    unsigned harts, tasks;
};

class Shares : public testing::TestWithParam<Crowd> {};

TEST_P(Shares, AreEqualInEverySecond) {
    const auto [harts, tasks] = GetParam();
    Sim sim(first(harts));
    std::vector<Task*> all;
    for (unsigned i = 0; i < tasks; ++i) all.push_back(&sim.add(kComputes));
    const ShareWatch watch(sim, all);
    sim.run_until(10 * kSecond);
    EXPECT_GE(watch.windows(), 80u);
    RecordProperty("worst_per_mille", static_cast<int>(1000 * watch.worst()));
    for (unsigned h = 0; h < harts && h < tasks; ++h) EXPECT_LE(sim.idle_ticks(h), 2 * kKickDelay);
}

// Sleepers take what they want and leave the rest to be shared equally.
TEST_P(Shares, AreEqualWhileOthersComeAndGo) {
    const auto [harts, tasks] = GetParam();
    Sim sim(first(harts));
    std::vector<Task*> all;
    for (unsigned i = 0; i < tasks; ++i) all.push_back(&sim.add(kComputes));
    for (unsigned i = 0; i < harts; ++i) sim.add({.burst = kMs, .sleep = 20 * kMs, .alarm = i % 2 == 0});
    const ShareWatch watch(sim, all);
    sim.run_until(10 * kSecond);
}

INSTANTIATE_TEST_SUITE_P(Scheduler, Shares,
                         testing::Values(Crowd{1, 1}, Crowd{1, 2}, Crowd{1, 3}, Crowd{1, 8}, Crowd{1, 16}, Crowd{2, 1},
                                         Crowd{2, 2}, Crowd{2, 3}, Crowd{2, 5}, Crowd{3, 4}, Crowd{3, 7}, Crowd{4, 5},
                                         Crowd{4, 6}, Crowd{4, 9}, Crowd{4, 17}, Crowd{8, 11}, Crowd{32, 48}),
                         [](const auto& p) {
                             return std::to_string(p.param.harts) + "x" + std::to_string(p.param.tasks);
                         });

TEST(SchedulerSim, WhoSleptLongHasNoAdvantage) {
    Sim sim(0b1);
    Task& a = sim.add(kComputes);
    Task& b = sim.add(kComputes);
    Task& late = sim.add(kComputes, 0, 20 * kSecond);
    sim.run_until(20 * kSecond + 1);
    const u64 before = a.used;
    const ShareWatch watch(sim, {&a, &b, &late});
    sim.run_until(25 * kSecond);
    EXPECT_NEAR(static_cast<double>(a.used - before), 5.0 * kSecond / 3, 2 * kSlice);
    EXPECT_LE(late.worst_latency, kSlice);
}

TEST(SchedulerSim, WhoRanAloneForLongHasNoDisadvantage) {
    Sim sim(0b11);
    // The first has both harts to itself for long, then more come than there are harts.
    Task& a = sim.add(kComputes);
    Task& b = sim.add(kComputes, 0, 20 * kSecond);
    Task& c = sim.add(kComputes, 0, 20 * kSecond + 3 * kMs);
    sim.run_until(20 * kSecond + 4 * kMs);
    const ShareWatch watch(sim, {&a, &b, &c});
    sim.run_until(25 * kSecond);
    EXPECT_GE(watch.windows(), 30u);
}

TEST(SchedulerSim, LightSleepersWaitLittle) {
    for (const unsigned harts : {1u, 2u, 4u}) {
        Sim sim(first(harts), harts);
        for (unsigned i = 0; i < 3 * harts; ++i) sim.add(kComputes);
        std::vector<Task*> light;
        for (unsigned i = 0; i < harts; ++i)
            light.push_back(&sim.add({.burst = kMs / 5, .sleep = 20 * kMs}, 0, kSecond));
        sim.run_until(20 * kSecond);
        for (const Task* t : light) {
            EXPECT_GE(t->wakes, 500u);
            // Another light one may be in the way, never one that computes.
            EXPECT_LE(t->worst_latency, kMs) << harts;
            EXPECT_LE(t->latencies / t->wakes, kMs / 20) << harts;
        }
    }
}

TEST(SchedulerSim, WhoSleepsWaitsNoLongerThanASlice) {
    for (const unsigned harts : {1u, 2u, 4u}) {
        Sim sim(first(harts), harts);
        for (unsigned i = 0; i < 2 * harts; ++i) sim.add(kComputes);
        std::vector<Task*> sleepers;
        for (unsigned i = 0; i < 3 * harts; ++i) {
            sleepers.push_back(&sim.add({.burst = kMs, .sleep = 30 * kMs, .alarm = i % 3 == 0}));
        }
        sim.run_until(20 * kSecond);
        for (const Task* t : sleepers) EXPECT_LE(t->worst_latency, kSlice + kKickDelay) << harts;
    }
}

TEST(SchedulerSim, PinnedOnesAreNeverDelayedByFloatingOnes) {
    Sim sim(0b1111);
    Task& busy = sim.add(kComputes, 0b0001);
    Task& light = sim.add({.burst = kMs, .sleep = 5 * kMs}, 0b0010);
    Task& timed = sim.add({.burst = kMs, .sleep = 5 * kMs, .alarm = true}, 0b0100);
    for (unsigned i = 0; i < 6; ++i) sim.add(kComputes);
    for (unsigned i = 0; i < 6; ++i) sim.add({.burst = 3 * kMs, .sleep = 5 * kMs});
    sim.run_until(10 * kSecond);
    EXPECT_GE(busy.used, 10 * kSecond - kKickDelay);
    EXPECT_LE(light.worst_latency, kKickDelay);
    EXPECT_EQ(timed.worst_wait, kKickDelay) << "for the first kick; its own alarms are on time";
    EXPECT_GE(light.wakes, 1000u);
    EXPECT_GE(timed.wakes, 1000u);
    EXPECT_LE(sim.idle_ticks(3), kKickDelay);
}

TEST(SchedulerSim, OverlappingPinnedGuestsDoNotStarve) {
    Sim sim(0b11);
    // b is mostly on hart 1, where it gets ahead of those on hart 0 until one comes that has no other hart.
    Task& a = sim.add(kComputes, 0b01);
    Task& a2 = sim.add(kComputes, 0b01);
    Task& b = sim.add(kComputes, 0b11);
    sim.run_until(20 * kSecond);
    Task& c = sim.add(kComputes, 0b10, 20 * kSecond);
    sim.run_until(40 * kSecond);
    for (const Task* t : {&a, &a2, &b, &c}) EXPECT_LE(t->worst_wait, 20 * kSlice);
    EXPECT_GE(c.used, 8 * kSecond);
}

// Virtual times of pinned guests that overlap in part drift apart; what then makes them meet must not let anyone wait
// for as long as that took.
TEST(SchedulerSim, OverlapsOfAnyKindStarveNobodyHoweverLongTheyHaveRun) {
    for (unsigned seed = 1; seed <= 60; ++seed) {
        std::mt19937 random(seed);
        const auto upto = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
        const unsigned harts = 2 + upto(3);
        Sim sim(first(harts), seed);
        for (unsigned i = 3 + upto(8); i != 0; --i) {
            const HartMask pins = 1 + upto((1u << harts) - 1);
            const Habit sleeps{.burst = kMs * (1 + upto(40)), .sleep = kMs * (1 + upto(40)), .alarm = upto(2) != 0};
            const Habit habit = upto(2) != 0 ? kComputes : sleeps;
            sim.add(habit, pins, upto(2) * upto(20) * kSecond);
        }
        sim.run_until(40 * kSecond);
        for (const Task& t : sim.tasks()) EXPECT_LE(t.worst_wait, 50 * kSlice) << "seed " << seed;
    }
}

TEST(SchedulerSim, AnyMixtureKeepsHartsBusyAndStarvesNobody) {
    for (unsigned seed = 1; seed <= 40; ++seed) {
        std::mt19937 random(seed);
        const auto upto = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
        const unsigned harts = 2 + upto(7);
        Sim sim(first(harts), seed);
        // The last hart stays unpinned.
        for (unsigned i = upto(6); i != 0; --i) {
            const HartMask pins = 1 + upto((1u << (harts - 1)) - 1);
            sim.add(upto(2) != 0 ? kComputes : Habit{kMs * (1 + upto(20)), kMs * (1 + upto(20)), upto(2) != 0}, pins);
        }
        const unsigned floating = 1 + upto(12);
        for (unsigned i = 0; i < floating; ++i) {
            sim.add(upto(2) != 0 ? kComputes : Habit{kMs * (1 + upto(20)), kMs * (1 + upto(20)), upto(2) != 0}, 0,
                    upto(2) * upto(1000) * kMs);
        }
        sim.run_until(5 * kSecond);
        for (const Task& t : sim.tasks()) {
            EXPECT_LE(t.worst_wait, 40 * kSlice) << "seed " << seed;
            EXPECT_GT(t.used, 0u) << "seed " << seed;
        }
    }
}

}  // namespace
}  // namespace uc
