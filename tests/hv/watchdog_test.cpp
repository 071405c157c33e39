// SPDX-License-Identifier: MIT
#include "hv/watchdog.hpp"

#include <gtest/gtest.h>

#include "isa/cause.hpp"

namespace uc {
namespace {

constexpr u64 kPeriod = 1000;
constexpr WatchTimes kTimes{kPeriod};
constexpr u64 kSoftware = irq_bit(Irq::SSI), kTimer = irq_bit(Irq::STI), kExternal = irq_bit(Irq::SEI);

/// A vCPU in the middle of something, looked at once a period.
struct WatchdogTest : testing::Test {
    Watchdog dog;
    Glance seen{.deaf = true, .waiting = kTimer, .pc = 0x8020'0000, .deadline = 500, .exits = 7, .ipis = 3};
    u64 since = 0;
    u64 now = 10'000;

    std::optional<Deafness> look(u64 passed = kPeriod) {
        now += passed;
        return dog.look(since, now, seen, kTimes);
    }
    /// The first answer in so many looks, before each of which the guest does something.
    template <class Do>
    std::optional<Deafness> look_while(unsigned looks, Do&& something) {
        for (unsigned i = 0; i < looks; ++i) {
            something();
            if (auto found = look()) return found;
        }
        return std::nullopt;
    }
    std::optional<Deafness> look_often(unsigned looks) {
        return look_while(looks, [] {});
    }
};

TEST_F(WatchdogTest, TellsOfAVcpuThatSpins) {
    EXPECT_FALSE(look_often(10));  // the first only shows how things are
    const auto found = look();
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->spins);
    EXPECT_EQ(found->timer, kTimes.limit());
    EXPECT_EQ(found->software, 0u);
    EXPECT_EQ(found->external, 0u);
    EXPECT_EQ(found->low, 0x8020'0000u);
    EXPECT_EQ(found->high, 0x8020'0000u);
    EXPECT_FALSE(found->is_last);
    EXPECT_EQ(dog.told(), 1u);
}

TEST_F(WatchdogTest, TellsOnceForAsLongAsItLasts) {
    EXPECT_TRUE(look_often(11));
    EXPECT_FALSE(look_often(1000));
    EXPECT_EQ(dog.told(), 1u);
}

TEST_F(WatchdogTest, TellsAgainWhenItWasOver) {
    for (u64 time = 1; time <= Complaint::kMost; ++time) {
        seen.deaf = true;
        const auto found = look_often(11);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->is_last, time == Complaint::kMost);
        seen.deaf = false;
        EXPECT_FALSE(look());
    }
    seen.deaf = true;
    EXPECT_FALSE(look_often(1000));  // nor for ever
    EXPECT_EQ(dog.told(), Complaint::kMost);
    dog.reset();
    EXPECT_EQ(dog.told(), 0u);
    EXPECT_FALSE(look_often(10));
    EXPECT_TRUE(look());
}

TEST_F(WatchdogTest, SaysWhereItWasSeen) {
    u64 pc = 0x8020'0000;
    const auto found = look_while(11, [&] { seen.pc = pc ^= 0x40; });
    ASSERT_TRUE(found);
    EXPECT_EQ(found->low, 0x8020'0000u);
    EXPECT_EQ(found->high, 0x8020'0040u);
}

TEST_F(WatchdogTest, SaysWhatWaitsAndForHowLong) {
    EXPECT_FALSE(look_often(5));
    seen.waiting |= kSoftware;
    EXPECT_FALSE(look_often(3));
    seen.waiting |= kExternal;
    const auto found = look_often(3);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->timer, 10 * kPeriod);
    EXPECT_EQ(found->software, 5 * kPeriod);
    EXPECT_EQ(found->external, 2 * kPeriod);
}

TEST_F(WatchdogTest, AnyInterruptMayWaitForTooLong) {
    for (const u64 irq : {kSoftware, kTimer, kExternal}) {
        dog.reset();
        seen.waiting = irq;
        EXPECT_TRUE(look_often(11)) << irq;
    }
}

// Not a matter.

TEST_F(WatchdogTest, WhoHasInterruptsOnIsNotStuck) {
    seen.deaf = false;
    EXPECT_FALSE(look_often(100));
}

TEST_F(WatchdogTest, WhoWaitsForNothingMayKeepThemOff) {
    seen.waiting = 0;
    EXPECT_FALSE(look_often(100));
}

TEST_F(WatchdogTest, LessThanTheLimitIsNothing) {
    for (int i = 0; i < 20; ++i) {
        seen.deaf = true;
        EXPECT_FALSE(look_often(10));
        seen.deaf = false;
        EXPECT_FALSE(look());
    }
}

TEST_F(WatchdogTest, WhoHasTakenOneStartsAfresh) {
    EXPECT_FALSE(look_often(10));
    dog.interrupt_taken();
    EXPECT_FALSE(look_often(10));
    // It is stuck in the handler.
    EXPECT_TRUE(look());
}

TEST_F(WatchdogTest, AnInterruptThatWasWithdrawnHasNotWaited) {
    EXPECT_FALSE(look_often(10));
    seen.waiting = 0;
    EXPECT_FALSE(look());
    seen.waiting = kTimer;
    EXPECT_FALSE(look_often(10));
}

// A machine that stood still.

TEST_F(WatchdogTest, ALeapOfTimeCountsAsOneLook) {
    EXPECT_FALSE(look_often(2));
    EXPECT_FALSE(look(1'000'000'000));
    EXPECT_FALSE(look_often(8 - 1));
    EXPECT_FALSE(look(1));
    EXPECT_TRUE(look(kPeriod - 1));
}

TEST_F(WatchdogTest, TimeThatGoesBackCountsAsNone) {
    EXPECT_FALSE(look_often(10));
    now -= 500;  // another hart's clock
    EXPECT_FALSE(look(0));
    EXPECT_TRUE(look());
}

TEST_F(WatchdogTest, OnlyTimeOnAHartCounts) {
    // Each of its slices is a tenth of a period, and ten others run in between.
    unsigned looks = 0;
    while (!look()) {
        ASSERT_LT(++looks, 1000u);
        since = now + kPeriod - kPeriod / 10;
    }
    EXPECT_GT(looks, 90u);
}

// One that does something.

TEST_F(WatchdogTest, ATimerThatIsNotSetAnewIsOverdueWhateverElseHappens) {
    const auto found = look_while(11, [&] { seen.exits += 1000; });
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->spins);
}

TEST_F(WatchdogTest, ATimerThatIsAskedAndSetAnewIsNotOverdue) {
    EXPECT_FALSE(look_while(100, [&] {
        seen.exits += 2;
        seen.deadline += kPeriod;
    }));
}

TEST_F(WatchdogTest, AnIpiThatNoOtherFollowedIsUnseen) {
    seen.waiting = kSoftware;
    const auto found = look_while(11, [&] { ++seen.exits; });
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->spins);
}

TEST_F(WatchdogTest, IpisThatAreAskedForAreNotUnseen) {
    seen.waiting = kSoftware;
    EXPECT_FALSE(look_while(100, [&] {
        ++seen.exits;
        ++seen.ipis;
    }));
}

TEST_F(WatchdogTest, IpisToOneWhoSpinsAreUnseen) {
    seen.waiting = kSoftware;
    EXPECT_TRUE(look_while(11, [&] { ++seen.ipis; }));
}

TEST_F(WatchdogTest, ALineThatIsUpAgainAndAgainIsNotUnseen) {
    seen.waiting = kExternal;
    EXPECT_FALSE(look_while(100, [&] { ++seen.exits; }));
}

// What the hypervisor may do wrong.

TEST(NeglectWatchTest, TellsOnceWhatLasts) {
    NeglectWatch watch;
    for (u64 look = 0; look < 100; ++look) {
        EXPECT_EQ(watch.look(Neglect::Overslept, 5), look == WatchTimes::kLooks) << look;
    }
    EXPECT_EQ(watch.told(), 1u);
}

TEST(NeglectWatchTest, TellsAgainAFewTimes) {
    NeglectWatch watch;
    unsigned told = 0;
    for (u64 look = 0; look < 1000; ++look) {
        const bool well = look % 20 == 19;
        told += watch.look(well ? Neglect::None : Neglect::Unheard, 5) ? 1 : 0;
    }
    EXPECT_EQ(told, Complaint::kMost);
}

TEST(NeglectWatchTest, WhoHasRunIsNotNeglected) {
    NeglectWatch watch;
    for (u64 exits = 0; exits < 100; ++exits) EXPECT_FALSE(watch.look(Neglect::Starved, exits));
}

TEST(NeglectWatchTest, OneThingAfterAnotherIsNotOneThing) {
    NeglectWatch watch;
    for (u64 look = 0; look < 100; ++look) {
        EXPECT_FALSE(watch.look(look % 5 == 0 ? Neglect::Starved : Neglect::Unheard, 5));
    }
}

}  // namespace
}  // namespace uc
