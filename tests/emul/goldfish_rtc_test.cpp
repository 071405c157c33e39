// SPDX-License-Identifier: MIT
#include "emul/goldfish_rtc.hpp"

#include <gtest/gtest.h>

namespace uc {
namespace {

enum Register : u64 {
    TIME_LOW = 0x00,
    TIME_HIGH = 0x04,
    ALARM_LOW = 0x08,
    ALARM_HIGH = 0x0c,
    IRQ_ENABLED = 0x10,
    CLEAR_ALARM = 0x14,
    ALARM_STATUS = 0x18,
    CLEAR_INTERRUPT = 0x1c,
};

constexpr u64 kNow = 0x1790'0000'ffff'fff0;

struct RtcTest : testing::Test, IrqLine, WallClock {
    u64 now = kNow;
    bool level = false;
    GoldfishRtc rtc{*this, 11, *this};

    u64 now_ns() override { return now; }
    void set(unsigned source, bool value) override {
        EXPECT_EQ(source, 11u);
        level = value;
    }

    u64 read(u64 offset) { return rtc.read(offset, 4).value(); }
    void write(u64 offset, u64 value) { EXPECT_TRUE(rtc.write(offset, 4, value)); }
    u64 time() {
        const u64 low = read(TIME_LOW);
        return read(TIME_HIGH) << 32 | low;
    }
    void set_alarm(u64 when) {
        write(ALARM_HIGH, when >> 32);
        write(ALARM_LOW, when & 0xffff'ffff);
    }
};

TEST_F(RtcTest, TellsTheHostsTime) { EXPECT_EQ(time(), kNow); }

TEST_F(RtcTest, HighHalfBelongsToTheLowHalfReadBefore) {
    EXPECT_EQ(read(TIME_LOW), 0xffff'fff0u);
    now += 0x20;
    EXPECT_EQ(read(TIME_HIGH), 0x1790'0000u);
    EXPECT_EQ(read(TIME_LOW), 0x10u);
    EXPECT_EQ(read(TIME_HIGH), 0x1790'0001u);
}

TEST_F(RtcTest, SettingTheTimeMovesTheGuestsClockAlone) {
    write(TIME_HIGH, 0x1111'1111);
    write(TIME_LOW, 0x2222'2222);
    EXPECT_EQ(time(), 0x1111'1111'2222'2222u);
    now += 1000;
    EXPECT_EQ(time(), 0x1111'1111'2222'2222u + 1000);
    rtc.reset();
    EXPECT_EQ(time(), now);
}

TEST_F(RtcTest, AlarmRingsWhenItIsDue) {
    write(IRQ_ENABLED, 1);
    set_alarm(kNow + 100);
    EXPECT_EQ(read(ALARM_STATUS), 1u);
    EXPECT_EQ(read(ALARM_HIGH) << 32 | read(ALARM_LOW), kNow + 100);
    EXPECT_EQ(rtc.deadline(), kNow + 100);
    now += 99;
    rtc.poll();
    EXPECT_FALSE(level);
    now += 1;
    rtc.poll();
    EXPECT_TRUE(level);
    EXPECT_EQ(read(ALARM_STATUS), 0u);
    EXPECT_FALSE(rtc.deadline().has_value());
    write(CLEAR_INTERRUPT, 1);
    EXPECT_FALSE(level);
}

TEST_F(RtcTest, AlarmInThePastRingsAtOnce) {
    write(IRQ_ENABLED, 1);
    set_alarm(kNow);
    EXPECT_TRUE(level);
    EXPECT_EQ(read(ALARM_STATUS), 0u);
}

TEST_F(RtcTest, ClearedAlarmStaysSilent) {
    write(IRQ_ENABLED, 1);
    set_alarm(kNow + 100);
    write(CLEAR_ALARM, 1);
    EXPECT_EQ(read(ALARM_STATUS), 0u);
    EXPECT_FALSE(rtc.deadline().has_value());
    now += 200;
    rtc.poll();
    EXPECT_FALSE(level);
}

TEST_F(RtcTest, InterruptWaitsForItsEnable) {
    set_alarm(kNow);
    EXPECT_FALSE(level);
    write(IRQ_ENABLED, 0xffff'fffe);
    EXPECT_FALSE(level);
    EXPECT_EQ(read(IRQ_ENABLED), 0u);
    write(IRQ_ENABLED, 1);
    EXPECT_TRUE(level);
    write(IRQ_ENABLED, 0);
    EXPECT_FALSE(level);
}

TEST_F(RtcTest, AlarmFollowsTheGuestsClock) {
    write(IRQ_ENABLED, 1);
    write(TIME_HIGH, 0);
    write(TIME_LOW, 1000);
    set_alarm(1500);
    EXPECT_EQ(rtc.deadline(), now + 500);
    write(TIME_LOW, 1499);
    EXPECT_FALSE(level);
    EXPECT_EQ(rtc.deadline(), now + 1);
    write(TIME_LOW, 1500);
    EXPECT_TRUE(level) << "setting the clock past the alarm rings it";
}

TEST_F(RtcTest, AlarmsAtTheEndOfTimeDoNotWrap) {
    write(TIME_HIGH, 0);
    write(TIME_LOW, 0);
    set_alarm(~0ull);
    EXPECT_EQ(rtc.deadline(), ~0ull);
    now += 1'000'000'000;
    rtc.poll();
    EXPECT_EQ(read(ALARM_STATUS), 1u);
}

TEST_F(RtcTest, OnlyWordsAndNothingElsewhere) {
    for (const unsigned width : {1u, 2u, 8u}) {
        EXPECT_FALSE(rtc.read(TIME_LOW, width).has_value());
        EXPECT_FALSE(rtc.write(ALARM_LOW, width, 0));
    }
    EXPECT_EQ(read(CLEAR_ALARM), 0u);
    EXPECT_EQ(read(CLEAR_INTERRUPT), 0u);
    EXPECT_EQ(read(0x20), 0u);
    write(0x20, ~0u);
    EXPECT_EQ(time(), kNow);
}

}  // namespace
}  // namespace uc
