// SPDX-License-Identifier: MIT
#include "hv/scheduler.hpp"

#include <gtest/gtest.h>

#include "tests/hv/lock_check.hpp"

namespace uc {
namespace {

constexpr u64 kSlice = 1000;
constexpr u64 kNever = Scheduler::kNever;

struct SchedulerTest : testing::Test {
    test::CheckLocks check;
    SchedEntity a, b, c, d;
    u64 now = 0;

    static void add(Scheduler& s, SchedEntity& e, HartMask affinity = 0, u64 at = 0) {
        ASSERT_TRUE(s.add(e, affinity, at).has_value());
    }
    // Adds all as floating and makes them ready.
    template <class... E>
    void begin(Scheduler& s, E&... entities) {
        (add(s, entities), ...);
        ((void)s.wake(entities, now), ...);
    }
    // `e` ran on hart 1 and sleeps now, as do harts 0 and 1.
    void let_sleep_on_second(Scheduler& s, SchedEntity& e) {
        begin(s, e);
        ASSERT_EQ(s.pick(1, 0).entity, &e);
        ASSERT_TRUE(s.block(e, 10));
        ASSERT_EQ(s.pick(1, 10).entity, nullptr);
        ASSERT_EQ(s.pick(0, 10).entity, nullptr);
    }
};

TEST_F(SchedulerTest, AHartWithoutWorkWaitsForever) {
    Scheduler s(0b1, kSlice);
    EXPECT_TRUE(s.must_switch(0, 0)) << "it has not asked yet";
    const Pick pick = s.pick(0, 5);
    EXPECT_EQ(pick.entity, nullptr);
    EXPECT_EQ(pick.until, kNever);
    EXPECT_EQ(pick.kick, 0u);
    EXPECT_FALSE(s.must_switch(0, kNever - 1));
}

TEST_F(SchedulerTest, KnowsWhoseAnEntityIs) {
    Vcpu* const vcpu = reinterpret_cast<Vcpu*>(&now);
    EXPECT_EQ(SchedEntity(vcpu).vcpu(), vcpu);
}

TEST_F(SchedulerTest, KnowsWhoIsNeglected) {
    Scheduler s(0b1, kSlice);
    begin(s, a);
    EXPECT_EQ(s.neglect(a, now), Neglect::Starved);
    ASSERT_EQ(s.pick(0, now).entity, &a);
    EXPECT_EQ(s.neglect(a, now), Neglect::None);
    EXPECT_TRUE(s.block(a, now, 100));
    EXPECT_EQ(s.neglect(a, 100), Neglect::None);
    EXPECT_EQ(s.neglect(a, 101), Neglect::Overslept) << "nobody asked for work in time";
    ASSERT_EQ(s.pick(0, now = 102).entity, &a);
    EXPECT_TRUE(s.block(a, now));
    EXPECT_EQ(s.neglect(a, kNever), Neglect::None);
}

// A debugger, or a host of this machine, may hold a hart for any time.
TEST_F(SchedulerTest, WhoStoodStillWithItsHartIsSoonPickedAgain) {
    Scheduler s(0b1, kSlice);
    begin(s, a, b);
    SchedEntity& held = *s.pick(0, now).entity;
    now += 1'000'000 * kSlice;
    unsigned others = 0;
    for (Pick pick = s.pick(0, now); pick.entity != &held; pick = s.pick(0, now = pick.until)) {
        ASSERT_LE(++others, 12u) << "slices of the other";
    }
    EXPECT_GE(others, 10u) << "what an exit may take is made up for";
}

TEST_F(SchedulerTest, WhoHasAHartAloneIsChargedForAll) {
    Scheduler s(0b1, kSlice);
    begin(s, a);
    ASSERT_EQ(s.pick(0, now).until, kNever);
    now += 1'000'000 * kSlice;
    begin(s, b);
    ASSERT_EQ(s.pick(0, now).entity, &b);
    for (int i = 0; i < 4; ++i) {
        SchedEntity* const other = i % 2 == 0 ? &a : &b;
        ASSERT_EQ(s.pick(0, now += kSlice).entity, other) << i;
    }
}

TEST_F(SchedulerTest, KnowsHowLongEachWaited) {
    Scheduler s(0b1, kSlice);
    begin(s, a, b);
    now = 10;
    SchedEntity& first = *s.pick(0, now).entity;
    SchedEntity& second = &first == &a ? b : a;
    EXPECT_EQ(first.waited(), 10u);
    now += kSlice;
    ASSERT_EQ(s.pick(0, now).entity, &second);
    EXPECT_EQ(second.waited(), 10 + kSlice);
    EXPECT_TRUE(s.block(second, now += 5));
    ASSERT_EQ(s.pick(0, now += 3).entity, &first);
    EXPECT_EQ(first.waited(), 10 + 5 + 3u);
    ASSERT_EQ(s.pick(0, now += 50).entity, &first) << "alone";
    EXPECT_EQ(first.waited(), 18u);
    now += 500;
    static_cast<void>(s.wake(second, now));  // what was slept is not waited
    ASSERT_EQ(s.pick(0, now += 7).entity, &second);
    EXPECT_EQ(second.waited(), 10 + kSlice + 7);
    EXPECT_TRUE(s.block(second, now, now + 100));
    ASSERT_EQ(s.pick(0, now).entity, &first);
    ASSERT_EQ(s.pick(0, now += 130).entity, &second);
    EXPECT_EQ(second.waited(), 10 + kSlice + 7 + 30) << "from its alarm on";
}

TEST_F(SchedulerTest, TwoTakeTurnsOnOneHart) {
    Scheduler s(0b1, kSlice);
    begin(s, a, b);
    SchedEntity* last = nullptr;
    for (int i = 0; i < 10; ++i) {
        const Pick pick = s.pick(0, now);
        ASSERT_NE(pick.entity, nullptr);
        EXPECT_NE(pick.entity, last);
        EXPECT_EQ(pick.until, now + kSlice);
        EXPECT_FALSE(s.must_switch(0, pick.until - 1));
        EXPECT_TRUE(s.must_switch(0, pick.until));
        last = pick.entity;
        now = pick.until;
    }
}

TEST_F(SchedulerTest, SlicesShrinkWhereManyShare) {
    Scheduler s(0b1, kSlice);
    begin(s, a, b, c, d);
    EXPECT_EQ(s.pick(0, 0).until, kSlice / 2);
}

TEST_F(SchedulerTest, WhoIsAloneIsNotInterrupted) {
    Scheduler s(0b1, kSlice);
    begin(s, a);
    EXPECT_EQ(s.pick(0, 0).until, kNever);
    EXPECT_EQ(s.add(b, 0, 10), HartMask{0b1}) << "now it may have to share";
    EXPECT_TRUE(s.must_switch(0, 10));
    EXPECT_EQ(s.pick(0, 10).entity, &a);
    EXPECT_FALSE(s.must_switch(0, 10));
    EXPECT_TRUE(s.must_switch(0, 10 + kSlice));
}

TEST_F(SchedulerTest, PinnedGuestsHaveHartsOfTheirOwn) {
    Scheduler s(0b11, kSlice);
    add(s, a, 0b10);
    add(s, b);
    EXPECT_EQ(s.wake(a, 0), 0u);
    EXPECT_EQ(s.wake(b, 0), 0u);
    EXPECT_EQ(s.pick(1, 0).entity, &a);
    EXPECT_EQ(s.pick(0, 0).entity, &b);
    ASSERT_TRUE(s.block(a, 5));
    EXPECT_EQ(s.pick(1, 5).entity, nullptr);
    EXPECT_EQ(s.wake(a, 6), HartMask{0b10});
}

TEST_F(SchedulerTest, NobodyIsLeftWithoutAHart) {
    Scheduler s(0b11, kSlice);
    EXPECT_FALSE(s.add(a, 0b100, 0).has_value()) << "no such hart";
    add(s, a, 0b01);
    add(s, b);
    EXPECT_FALSE(s.add(c, 0b110, 0).has_value()) << "b would have none";
    EXPECT_TRUE(s.remove(b, 0).has_value());
    add(s, c, 0b10);
    EXPECT_FALSE(s.add(b, 0, 0).has_value()) << "all are reserved";
    add(s, b, 0b11);
}

TEST_F(SchedulerTest, AReservationSendsFloatingOnesAway) {
    Scheduler s(0b11, kSlice);
    begin(s, a, b);
    ASSERT_EQ(s.pick(0, 0).entity, &b);
    ASSERT_EQ(s.pick(1, 0).entity, &a);
    EXPECT_EQ(s.add(c, 0b10, 10), HartMask{0b10});
    EXPECT_TRUE(s.must_switch(1, 10));
    EXPECT_FALSE(s.must_switch(0, 10));
    EXPECT_EQ(s.pick(1, 11).entity, nullptr);
    EXPECT_EQ(s.wake(c, 12), HartMask{0b10});
    EXPECT_EQ(s.pick(1, 13).entity, &c);
    EXPECT_EQ(s.pick(0, kSlice).entity, &a);
}

TEST_F(SchedulerTest, ARemovedReservationGivesItsHartsBack) {
    Scheduler s(0b11, kSlice);
    add(s, c, 0b10);
    begin(s, a, b);
    ASSERT_NE(s.pick(0, 0).entity, nullptr);
    ASSERT_EQ(s.pick(1, 0).entity, nullptr);
    EXPECT_EQ(s.remove(c, 1), HartMask{0b10});
    EXPECT_NE(s.pick(1, 2).entity, nullptr);
}

TEST_F(SchedulerTest, WhatRunsIsNotRemoved) {
    Scheduler s(0b1, kSlice);
    begin(s, a, b);
    ASSERT_EQ(s.pick(0, 0).entity, &b);
    EXPECT_FALSE(s.remove(b, 1).has_value());
    EXPECT_TRUE(s.remove(a, 1).has_value()) << "ready";
    EXPECT_TRUE(s.block(b, 2));
    EXPECT_TRUE(s.remove(b, 2).has_value()) << "blocked";
    EXPECT_EQ(s.pick(0, 3).entity, nullptr);
}

TEST_F(SchedulerTest, WhatWasRemovedIsNotWokenUntilItIsAddedAgain) {
    Scheduler s(0b1, kSlice);
    add(s, a);
    ASSERT_EQ(s.pick(0, 0).entity, nullptr);
    ASSERT_TRUE(s.remove(a, 1).has_value());
    EXPECT_EQ(s.remove(a, 1), HartMask{0}) << "not known";
    EXPECT_EQ(s.wake(a, 2), 0u);
    add(s, a);
    EXPECT_EQ(s.pick(0, 3).entity, nullptr);
    EXPECT_EQ(s.wake(a, 4), HartMask{0b1});
    EXPECT_EQ(s.pick(0, 5).entity, &a);
}

TEST_F(SchedulerTest, WakingKicksAnIdleHartFirstTheOneItRanOn) {
    Scheduler s(0b111, kSlice);
    begin(s, a, b);
    ASSERT_EQ(s.pick(2, 0).entity, &b);
    ASSERT_TRUE(s.block(b, 1));
    ASSERT_EQ(s.pick(2, 1).entity, &a);
    ASSERT_TRUE(s.block(a, 2));
    for (unsigned hart = 0; hart < 3; ++hart) ASSERT_EQ(s.pick(hart, 3).entity, nullptr);
    EXPECT_EQ(s.wake(a, 4), HartMask{0b100});
    EXPECT_EQ(s.wake(a, 4), 0u) << "ready already";
    EXPECT_EQ(s.wake(b, 4), HartMask{0b001}) << "the other is taken";
    EXPECT_TRUE(s.must_switch(0, 4));
    EXPECT_NE(s.pick(0, 5).entity, nullptr);
    EXPECT_NE(s.pick(2, 5).entity, nullptr);
    EXPECT_EQ(s.pick(1, 5).entity, nullptr);
}

TEST_F(SchedulerTest, WakingInterruptsWhoIsFurthestAhead) {
    Scheduler s(0b11, kSlice);
    begin(s, a, b, c);
    ASSERT_EQ(s.pick(0, 0).entity, &c);
    ASSERT_TRUE(s.block(c, 0));
    ASSERT_EQ(s.pick(0, 0).entity, &b);
    ASSERT_EQ(s.pick(1, 200).entity, &a);
    EXPECT_EQ(s.wake(c, 700), HartMask{0b01}) << "b has run longer";
    EXPECT_TRUE(s.must_switch(0, 700));
    EXPECT_EQ(s.pick(0, 700).entity, &c);
    EXPECT_FALSE(s.must_switch(1, 700));
}

TEST_F(SchedulerTest, WakingInterruptsNobodyWhoIsHardlyAhead) {
    Scheduler s(0b1, kSlice);
    begin(s, a, b);
    ASSERT_EQ(s.pick(0, 0).entity, &b);
    ASSERT_TRUE(s.block(b, kSlice));
    const Pick pick = s.pick(0, kSlice);
    ASSERT_EQ(pick.entity, &a);
    EXPECT_EQ(s.wake(b, kSlice + 100), 0u);
    EXPECT_FALSE(s.must_switch(0, kSlice + 100));
    EXPECT_EQ(s.pick(0, pick.until).entity, &b);
}

TEST_F(SchedulerTest, AWakeThatComesBeforeTheBlockIsNotLost) {
    Scheduler s(0b1, kSlice);
    begin(s, a);
    ASSERT_EQ(s.pick(0, 0).entity, &a);
    EXPECT_EQ(s.wake(a, 1), 0u);
    EXPECT_FALSE(s.block(a, 2));
    EXPECT_TRUE(s.block(a, 3)) << "it counts once";
    EXPECT_EQ(s.pick(0, 3).entity, nullptr);
}

TEST_F(SchedulerTest, AnAlarmWakes) {
    Scheduler s(0b11, kSlice);
    begin(s, a, b);
    ASSERT_EQ(s.pick(0, 0).entity, &b);
    ASSERT_EQ(s.pick(1, 0).entity, &a);
    ASSERT_TRUE(s.block(b, 10, 500));
    Pick pick = s.pick(0, 10);
    EXPECT_EQ(pick.entity, nullptr);
    EXPECT_EQ(pick.until, 500u);
    EXPECT_FALSE(s.must_switch(0, 499));
    EXPECT_TRUE(s.must_switch(0, 500));
    pick = s.pick(0, 500);
    EXPECT_EQ(pick.entity, &b);
    ASSERT_TRUE(s.block(b, 600, 900));
    EXPECT_EQ(s.wake(b, 700), HartMask{0b10}) << "a is ahead";
    EXPECT_EQ(s.pick(0, 700).entity, &b);
    ASSERT_TRUE(s.block(b, 800));
    EXPECT_EQ(s.pick(0, 800).until, kNever) << "the alarm went with the wake";
}

TEST_F(SchedulerTest, AnAlarmMayWakeOnAnotherHart) {
    Scheduler s(0b11, kSlice);
    begin(s, a, b, c);
    ASSERT_EQ(s.pick(0, 0).entity, &c);
    ASSERT_TRUE(s.block(c, 0, 100));
    ASSERT_EQ(s.pick(0, 0).entity, &b);
    ASSERT_EQ(s.pick(1, 0).entity, &a);
    ASSERT_TRUE(s.block(a, 50));
    ASSERT_EQ(s.pick(1, 50).entity, nullptr);
    const Pick pick = s.pick(0, 100);
    EXPECT_EQ(pick.entity, &c);
    EXPECT_EQ(pick.kick, HartMask{0b10}) << "for b, which had to make room";
    EXPECT_EQ(s.pick(1, 101).entity, &b);
}

TEST_F(SchedulerTest, WhatIsPutBackGoesToAnIdleHart) {
    Scheduler s(0b11, kSlice);
    begin(s, a);
    ASSERT_EQ(s.pick(0, 0).entity, &a);
    ASSERT_EQ(s.pick(1, 0).entity, nullptr);
    EXPECT_EQ(s.put_back(0, 10), HartMask{0b10});
    EXPECT_EQ(s.pick(1, 13).entity, &a);
    EXPECT_EQ(a.waited(), 3u);
    EXPECT_EQ(s.pick(0, 20).entity, nullptr);
    EXPECT_EQ(s.put_back(0, 30), HartMask{0}) << "it runs nothing";
}

TEST_F(SchedulerTest, AnIdleHartThatDoesSomethingElseIsPromisedNothing) {
    Scheduler s(0b11, kSlice);
    let_sleep_on_second(s, a);
    EXPECT_EQ(s.put_back(1, 20), HartMask{0});
    EXPECT_EQ(s.wake(a, 30), HartMask{0b01}) << "although it ran on hart 1";
    EXPECT_EQ(s.pick(0, 31).entity, &a);
}

TEST_F(SchedulerTest, WhatWasPromisedToAHartThatDoesSomethingElseIsOfferedAnew) {
    Scheduler s(0b11, kSlice);
    let_sleep_on_second(s, a);
    ASSERT_EQ(s.wake(a, 20), HartMask{0b10});
    EXPECT_EQ(s.put_back(1, 21), HartMask{0b01});
    EXPECT_EQ(s.pick(0, 22).entity, &a);
}

TEST_F(SchedulerTest, AlarmsOfAHartThatDoesSomethingElseRingOnAnother) {
    Scheduler s(0b111, kSlice);
    begin(s, a);
    add(s, b, 0b100);
    static_cast<void>(s.wake(b, 0));
    ASSERT_EQ(s.pick(1, 0).entity, &a);
    ASSERT_EQ(s.pick(2, 0).entity, &b);
    ASSERT_TRUE(s.block(a, 10, 100));
    ASSERT_TRUE(s.block(b, 10, 50));
    ASSERT_EQ(s.pick(1, 10).until, 100u);
    ASSERT_EQ(s.pick(2, 10).until, 50u);
    ASSERT_EQ(s.pick(0, 10).until, kNever);
    EXPECT_EQ(s.put_back(1, 20), HartMask{0b001});
    EXPECT_TRUE(s.must_switch(0, 20));
    EXPECT_EQ(s.pick(0, 21).until, 100u);
    EXPECT_EQ(s.pick(0, 100).entity, &a);
    EXPECT_EQ(s.put_back(2, 30), HartMask{0}) << "b may run nowhere else";
}

TEST_F(SchedulerTest, WhatIsLeftOverGoesToAnIdleHart) {
    Scheduler s(0b111, kSlice);
    add(s, a, 0b011);
    add(s, b, 0b010);
    ASSERT_EQ(s.pick(0, 0).entity, nullptr);
    ASSERT_EQ(s.pick(1, 0).entity, nullptr);
    EXPECT_EQ(s.wake(a, 0), HartMask{0b001});
    EXPECT_EQ(s.wake(b, 0), HartMask{0b010});
    // Hart 1 is first, and takes what hart 0 was to have; b comes to its turn, and a has a hart to go to.
    const Pick first = s.pick(1, 0);
    ASSERT_NE(first.entity, nullptr);
    static_cast<void>(s.pick(0, 0));
    const Pick next = s.pick(1, kSlice);
    EXPECT_EQ(next.entity, &b);
    EXPECT_EQ(first.entity == &a ? next.kick : 0u, first.entity == &a ? HartMask{0b001} : 0u);
}

TEST_F(SchedulerTest, AHartGivenBackBringsNoTimeWithIt) {
    Scheduler s(0b11, kSlice);
    add(s, d, 0b10);
    EXPECT_EQ(s.wake(d, 0), 0u);
    ASSERT_EQ(s.pick(1, 0).entity, &d);
    begin(s, a, b);
    add(s, c);
    for (; now < 100 * kSlice; now += kSlice) ASSERT_NE(s.pick(0, now).entity, nullptr);
    ASSERT_TRUE(s.block(d, now)) << "it had a hart alone, a and b half of one each";
    ASSERT_EQ(s.pick(1, now).entity, nullptr);
    ASSERT_TRUE(s.remove(d, now).has_value());
    ASSERT_NE(s.pick(0, now).entity, nullptr);
    ASSERT_NE(s.pick(1, now).entity, nullptr);
    EXPECT_NE(s.wake(c, now), 0u);
}

TEST_F(SchedulerTest, WhoHasToLeaveAHartLeavesNoTimeThere) {
    Scheduler s(0b11, kSlice);
    begin(s, a, b);
    for (; now < 100 * kSlice; now += kSlice) {
        ASSERT_NE(s.pick(0, now).entity, nullptr);
        ASSERT_NE(s.pick(1, now).entity, nullptr);
    }
    add(s, c, 0b10, now);
    add(s, d, 0b10, now);
    EXPECT_EQ(s.wake(c, now), 0u) << "the hart was kicked before";
    ASSERT_NE(s.pick(0, now + 1).entity, nullptr);
    ASSERT_EQ(s.pick(1, now + 2).entity, &c);
    EXPECT_EQ(s.wake(d, now + 3), 0u);
    EXPECT_EQ(s.pick(1, now + 2 + kSlice).entity, &d);
}

TEST_F(SchedulerTest, LongSoloTimeIsNotPaidBack) {
    Scheduler s(0b1, kSlice);
    begin(s, a, b);
    ASSERT_EQ(s.pick(0, 0).entity, &b);
    ASSERT_TRUE(s.block(b, 0));
    ASSERT_EQ(s.pick(0, 0).entity, &a);
    now = 1'000'000;
    ASSERT_TRUE(s.block(a, now));
    ASSERT_EQ(s.pick(0, now).entity, nullptr);
    EXPECT_EQ(s.wake(b, now), HartMask{0b1});
    ASSERT_EQ(s.pick(0, now).entity, &b);
    EXPECT_EQ(s.wake(a, now), 0u);
    EXPECT_EQ(s.pick(0, now + kSlice).entity, &b) << "it had a little credit";
    EXPECT_EQ(s.pick(0, now + 2 * kSlice).entity, &a);
}

}  // namespace
}  // namespace uc
