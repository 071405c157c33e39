// SPDX-License-Identifier: MIT
#include "hv/guest_life.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <initializer_list>
#include <thread>

namespace uc {
namespace {

using enum GuestState;

// A guest in the state that it has after these, one after the other.
void lead(GuestLife& life, std::initializer_list<GuestState> states) {
    for (const GuestState state : states) {
        EXPECT_TRUE(state == Running && life.state() == Starting ? life.begin() : life.change(life.state(), state));
    }
}

TEST(GuestLife, BeginsAsCreatedWithNothingToTell) {
    const GuestLife life;
    EXPECT_EQ(life.state(), Created);
    EXPECT_FALSE(life.look().untold);
}

TEST(GuestLife, ChangesFromTheStateItIsInOnly) {
    GuestLife life;
    EXPECT_FALSE(life.change(Running, Paused));
    EXPECT_FALSE(life.begin());
    EXPECT_EQ(life.state(), Created);
    EXPECT_TRUE(life.change(Created, Starting));
    EXPECT_TRUE(life.begin());
    EXPECT_EQ(life.state(), Running);
}

TEST(GuestLife, AnEndIsToldOnce) {
    for (const GuestState end : {Shutdown, Stopped, Failed}) {
        GuestLife life;
        lead(life, {Starting, Running, end});
        EXPECT_EQ(life.look().untold, end);
        EXPECT_EQ(life.take_end(), end);
        EXPECT_EQ(life.take_end(), std::nullopt);
        EXPECT_EQ(life.state(), end);
    }
}

TEST(GuestLife, WhatIsNoEndNeedNotBeTold) {
    GuestLife life;
    lead(life, {Starting, Running, Paused, Running, Reboot, Starting, Destroying, Destroyed, Creating, Created});
    EXPECT_EQ(life.take_end(), std::nullopt);
}

// Else the end would be told in the life after it.
TEST(GuestLife, NoLifeBeginsBeforeTheEndOfTheLastWasTold) {
    GuestLife life;
    lead(life, {Starting, Stopped, Starting});
    EXPECT_FALSE(life.begin());
    EXPECT_EQ(life.state(), Starting);
    EXPECT_EQ(life.take_end(), Stopped);
    EXPECT_TRUE(life.begin());
}

TEST(GuestLife, AnEndSurvivesWhatComesAfterIt) {
    GuestLife life;
    lead(life, {Starting, Running, Shutdown, Starting, Reboot, Destroying});
    EXPECT_EQ(life.take_end(), Shutdown);
    EXPECT_EQ(life.state(), Destroying);
}

// Nothing has begun since.
TEST(GuestLife, OfTwoEndsTheFirstIsTold) {
    GuestLife life;
    lead(life, {Starting, Running, Failed, Starting, Stopped});
    EXPECT_EQ(life.take_end(), Failed);
    EXPECT_EQ(life.take_end(), std::nullopt);
}

TEST(GuestLife, OfTwoWhoEndItAtOnceOneHas) {
    for (int i = 0; i < 200; ++i) {
        GuestLife life;
        lead(life, {Starting, Running});
        std::atomic<int> ready{0};
        bool done[2]{};
        const auto end = [&](int who, GuestState state) {
            ++ready;
            while (ready != 2) {}
            done[who] = life.change(Running, state);
        };
        std::thread other(end, 0, Shutdown);
        end(1, Stopped);
        other.join();
        EXPECT_NE(done[0], done[1]);
        EXPECT_EQ(life.take_end(), done[0] ? Shutdown : Stopped);
    }
}

}  // namespace
}  // namespace uc
