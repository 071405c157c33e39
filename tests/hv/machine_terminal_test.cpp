// SPDX-License-Identifier: MIT
// Who has the terminal while guests come and go.

#include "tests/hv/many_scene.hpp"

namespace uc {
namespace {

using test::interrupt;
using test::sbi_ecall;
using test::shut_down;
using TerminalTest = test::ManyScene;

TEST_F(TerminalTest, TheOnlyGuestHasTheTerminal) {
    Guest& guest = add();
    then_as("guest00", [&](GuestHart& hart) {
        EXPECT_EQ(host.console.attached(), &guest);
        return sbi_ecall(hart, sbi::Ext::LegacyPutchar, 0, 'x');
    });
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(), "x\r\n[uc] guest0: shutdown\r\n");
}

TEST_F(TerminalTest, SeveralGuestsShowTheirNames) {
    add("a");
    add("b");
    const auto put = [](char c) {
        return [c](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::LegacyPutchar, 0, c); };
    };
    then_as("a0", put('x'));
    then_as("a0", put('\n'));
    then_as("a0", put('y'));
    then_shut_down("a0");
    then_as("b0", [&](GuestHart& hart) {
        EXPECT_EQ(host.console.attached(), nullptr);
        return put('z')(hart);
    });
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(), "a| x\r\na| y\r\n[uc] a: shutdown\r\nb| z\r\n[uc] b: shutdown\r\n");
}

TEST_F(TerminalTest, TheTerminalOfAGuestThatEndsGoesToAllOthers) {
    Guest& a = add("a");
    add("b");
    host.console.attach(&a);
    then_shut_down("a0");
    then_as("b0", [&](GuestHart& hart) {
        EXPECT_EQ(host.console.attached(), nullptr);
        return sbi_ecall(hart, sbi::Ext::LegacyPutchar, 0, '!');
    });
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(), "[uc] a: shutdown\r\nb| !\r\n[uc] b: shutdown\r\n");
}

TEST_F(TerminalTest, ARebootKeepsTheTerminal) {
    Guest& a = add("a");
    add("b");
    host.console.attach(&a);
    then_as("a0", [](GuestHart& hart) {
        return sbi_ecall(hart, sbi::Ext::Srst, sbi::srst::Reset, sbi::srst::ColdReboot, sbi::srst::None);
    });
    then_as("a0", [&](GuestHart& hart) {
        EXPECT_EQ(host.console.attached(), &a);
        return shut_down(hart);
    });
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

// With the monitor.

TEST_F(TerminalTest, TheMonitorActsWhileAGuestComputes) {
    machine.set_monitor(monitor);
    Guest& guest = add();
    then_as("guest00", [&](GuestHart&) {
        type("\x1dpause guest0\r");
        platform.events = {[&] { type("resume guest0\r\x04"); }};
        return interrupt(Irq::SEI);
    });
    then_as("guest00", [&](GuestHart& hart) {
        EXPECT_EQ(platform.waits, 1u);
        EXPECT_EQ(guest.state(), GuestState::Running);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_TRUE(printed("guest0: paused")) << host.output();
    EXPECT_TRUE(printed("guest0: resumed")) << host.output();
}

TEST_F(TerminalTest, CommandsTypedWhileAnEndIsToldAreCarriedOut) {
    machine.set_monitor(monitor);
    Guest& guest = add();
    then_as("guest00", [&](GuestHart& hart) {
        while (host.terminal.put('.')) {}
        const auto uart = guest.bus().find(kGuestUart, 1);
        EXPECT_TRUE(uart && uart->device.write(uart->offset, 1, 'x'));  // for which there is no room
        type("\x1dstop guest0\r");
        return sbi_ecall(hart, sbi::Ext::Srst, sbi::srst::Reset, sbi::srst::ColdReboot, sbi::srst::None);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(guest.state(), GuestState::Stopped);
    EXPECT_TRUE(printed("[uc] guest0: reboot")) << host.output();
    EXPECT_TRUE(printed("[uc] guest0: stopped")) << host.output();
}

TEST_F(TerminalTest, WhatIsWatchedIsShownEachSecondThoughNothingElseHappens) {
    machine.set_monitor(monitor);
    add();
    const u64 second = platform.timebase_hz();
    const auto screens = [&] {
        usize count = 0;
        for (usize at = 0; (at = host.output().find("\x1b[2J", at)) != std::string::npos; ++at) ++count;
        return count;
    };
    then_as("guest00", [&](GuestHart&) {
        type("\x1dstats -w\r");
        return interrupt(Irq::SEI);
    });
    for (usize i = 0; i < 3; ++i) {
        then_as("guest00", [&, i](GuestHart&) {
            EXPECT_EQ(screens(), i);
            EXPECT_EQ(platform.deadline, platform.now + second);
            platform.now = platform.deadline;
            return interrupt(Irq::STI);
        });
    }
    then_as("guest00", [&](GuestHart& hart) {
        EXPECT_EQ(screens(), 3u);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

}  // namespace
}  // namespace uc
