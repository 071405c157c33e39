// SPDX-License-Identifier: MIT
// Who looks after guests, and what becomes of them.

#include "tests/hv/many_scene.hpp"

namespace uc {
namespace {

using test::enable;
using test::exception;
using test::interrupt;
using test::kEntry;
using test::kSecondEntry;
using test::place;
using test::sbi_ecall;
using test::shut_down;
using ManyTest = test::ManyScene;

// Looking after guests.

TEST_F(ManyTest, APausedGuestDoesNotRunUntilItIsResumed) {
    Guest& guest = add("guest0", 2);
    then_start_second("guest00");
    then_compute("guest00");
    then_meanwhile("guest01", [&] {
        act(guest, GuestAction::Pause);
        platform.events = {[&] { platform.now += 100 * slice(); }, [&] { act(guest, GuestAction::Resume); }};
    });
    then_as("guest01", [&](GuestHart& hart) {
        EXPECT_EQ(platform.waits, 2u);
        EXPECT_EQ(hart.pc, kSecondEntry);
        platform.now = platform.deadline;
        return interrupt(Irq::STI);
    });
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(), "[uc] guest0: shutdown\r\n");
}

// A pause may come when a vCPU is out of the guest already, about to end it.
TEST_F(ManyTest, WhatEndsAPausedGuestIsDoneWhenItGoesOn) {
    Guest& guest = add();
    const auto end_twice = [&](const test::FakePlatform::Stay& end) {
        then_as("guest00", [&, end](GuestHart& hart) {
            act(guest, GuestAction::Pause);
            platform.events = {[&] { act(guest, GuestAction::Resume); }};
            return end(hart);
        });
        then_as("guest00", [end](GuestHart& hart) {
            EXPECT_EQ(hart.pc, kEntry);
            return end(hart);
        });
    };
    const auto store = [&](u32 value) {
        return [&guest, value](GuestHart& hart) {
            constexpr u32 kSw = 0x0080'2023;  // sw x8, 0(x0)
            place(guest, Gpa{hart.pc}, kSw);
            hart.set_x(test::kData, value);
            return exception(Cause::StorePageFault, kGuestSyscon.raw);
        };
    };
    end_twice([](GuestHart& hart) {
        return sbi_ecall(hart, sbi::Ext::Srst, sbi::srst::Reset, sbi::srst::ColdReboot, sbi::srst::None);
    });
    end_twice(store(0x7777));  // the test device: reboot
    end_twice([](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Stop); });
    EXPECT_EQ(run(), MachineEnd::Failure);
    const std::string ends =
        "[uc] guest0: reboot\r\n[uc] guest0: reboot\r\n[uc] guest0: failed: its last hart has stopped\r\n";
    EXPECT_TRUE(host.output().starts_with(ends)) << host.output();
}

TEST_F(ManyTest, NothingStartsOnceAllIsOver) {
    Guest& guest = add();
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    act(guest, GuestAction::Start);
    machine.settle_guests(0);
    EXPECT_EQ(guest.state(), GuestState::Starting);
}

TEST_F(ManyTest, ATimerThatPassesDuringAPauseWakesAfterIt) {
    Guest& guest = add("guest0", 2);
    const u64 alarm = platform.now + slice() / 2;
    then_start_second("guest00");
    then_as("guest00",
            [alarm](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, alarm); });
    then_wait("guest00", Irq::STI);
    then_meanwhile("guest01", [&] {
        act(guest, GuestAction::Pause);
        platform.events = {[&] { platform.now = alarm; }, [&] { act(guest, GuestAction::Resume); }};
    });
    then_wait("guest01", Irq::SSI);
    then_as("guest00", [&](GuestHart& hart) {
        EXPECT_EQ(hart.pc, kEntry + 12);
        EXPECT_EQ(platform.waits, 2u);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ManyTest, AnAlarmOfTheClockThatPassesDuringAPauseWakesAfterIt) {
    Guest& guest = add();
    constexpr u64 kDelay = 5'000'000;  // ns
    const u64 alarm = host.clock.ns + kDelay;
    then_store(guest, test::kPlicPriority + 4 * kGuestRtcIrq, 1);
    then_store(guest, test::kPlicEnable, 1u << kGuestRtcIrq);
    then_store(guest, kGuestRtc + 0x10, 1);
    then_store(guest, kGuestRtc + 0x0c, static_cast<u32>(alarm >> 32));
    then_store(guest, kGuestRtc + 0x08, static_cast<u32>(alarm));
    then_as("guest00", [&](GuestHart& hart) {
        enable(hart, Irq::SEI);
        act(guest, GuestAction::Pause);
        platform.events = {[&] {
                               host.clock.ns += kDelay;
                               platform.now = platform.deadline;
                           },
                           [&] { act(guest, GuestAction::Resume); }};
        return exception(Cause::IllegalInstruction, test::kWfi);
    });
    then_as("guest00", [](GuestHart& hart) {
        EXPECT_EQ(hart.scause, Scause::of(Irq::SEI));
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ManyTest, StoppingTheOnlyGuestEndsTheMachine) {
    Guest& guest = add("guest0", 2);
    then_start_second("guest00");
    then_meanwhile("guest00", [&] { act(guest, GuestAction::Stop); });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(), "[uc] guest0: stopped\r\n");
    EXPECT_EQ(guest.state(), GuestState::Stopped);
}

TEST_F(ManyTest, AGuestMayBeStoppedWhileAnotherRuns) {
    add("a");
    Guest& b = add("b");
    then_compute("a0");
    then_compute("b0");
    then_meanwhile("a0", [&] { act(b, GuestAction::Stop); });
    then_compute("a0");
    then_shut_down("a0");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(), "[uc] b: stopped\r\n[uc] a: shutdown\r\n");
}

// As by a manager that looks after it.
TEST_F(ManyTest, AFailureIsToldThoughTheGuestIsStartedAtOnce) {
    Guest& guest = add();
    then_meanwhile("guest00", [&] {
        EXPECT_TRUE(guest.fail("broken"));
        act(guest, GuestAction::Start);
    });
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Failure);
    EXPECT_TRUE(host.output().starts_with("[uc] guest0: failed: broken\r\n")) << host.output();
    EXPECT_TRUE(host.output().ends_with("[uc] guest0: shutdown\r\n")) << host.output();
}

TEST_F(ManyTest, AFailureIsToldThoughTheGuestIsDestroyedAtOnce) {
    Guest& guest = add();
    then_meanwhile("guest00", [&] {
        EXPECT_TRUE(guest.fail("broken"));
        act(guest, GuestAction::Destroy);
    });
    EXPECT_EQ(run(), MachineEnd::Failure);
    EXPECT_TRUE(host.output().starts_with("[uc] guest0: failed: broken\r\n")) << host.output();
    EXPECT_TRUE(host.output().ends_with("[uc] guest0: destroyed\r\n")) << host.output();
}

struct ReviveTest : ManyTest, testing::WithParamInterface<GuestState> {};

TEST_P(ReviveTest, StartBeginsAnew) {
    Guest& a = add("a");
    add("b");
    then_as("a0", [&](GuestHart& hart) {
        hart.set_x(5, 42);
        hart.sscratch = 42;
        switch (GetParam()) {
            case GuestState::Failed: a.fail("so it was"); break;
            case GuestState::Stopped: act(a, GuestAction::Stop); break;
            default: return shut_down(hart);
        }
        return interrupt(Irq::SSI);
    });
    then_meanwhile("b0", [&] {
        EXPECT_EQ(a.state(), GetParam());
        act(a, GuestAction::Start);
    });
    then_as("a0", [&](GuestHart& hart) {
        EXPECT_EQ(hart, at_entry(0));
        return shut_down(hart);
    });
    then_shut_down("b0");
    EXPECT_EQ(run(), GetParam() == GuestState::Failed ? MachineEnd::Failure : MachineEnd::Success);
    EXPECT_TRUE(printed("[uc] a: shutdown\r\n[uc] b: shutdown\r\n")) << host.output();
}

TEST_F(ManyTest, AStartThatIsTakenBackIsToldAtOnce) {
    Guest& a = add("a");
    add("b");
    then_shut_down("a0");
    then_meanwhile("b0", [&] {
        EXPECT_EQ(a.state(), GuestState::Shutdown);
        act(a, GuestAction::Start);
        act(a, GuestAction::Stop);
    });
    then_as("b0", [&](GuestHart& hart) {
        EXPECT_TRUE(printed("[uc] a: shutdown\r\n[uc] a: stopped\r\n")) << host.output();
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

INSTANTIATE_TEST_SUITE_P(Every, ReviveTest,
                         testing::Values(GuestState::Shutdown, GuestState::Stopped, GuestState::Failed));

TEST_F(ManyTest, AGuestThatCannotStartAgainHasFailed) {
    std::vector<std::byte> tree(4096);
    ASSERT_EQ(fdt_create_empty_tree(tree.data(), static_cast<int>(tree.size())), 0);
    GuestConfig& config = host.config("a");
    config.fdt.data = tree;
    Guest& a = host.create(config);
    EXPECT_TRUE(machine.add(a));
    add("b");
    then_shut_down("a0");
    then_meanwhile("b0", [&] {
        tree.assign(tree.size(), std::byte{0});
        act(a, GuestAction::Start);
    });
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Failure);
    EXPECT_TRUE(printed("[uc] a: shutdown\r\n[uc] a: failed: ")) << host.output();
}

TEST_F(ManyTest, StatisticsOfAGuestThatNeverRanAreNotAskedFor) {
    options.stats = true;
    std::string tree = compile_dts("/ { };").string();
    GuestConfig& broken = host.config("broken");
    broken.fdt.data = std::as_bytes(std::span{tree});
    EXPECT_TRUE(machine.add(host.create(broken)));
    std::ranges::fill(tree, 'x');
    EXPECT_EQ(run(), MachineEnd::Failure);
    EXPECT_TRUE(printed("[uc] broken: failed: ")) << host.output();
}

TEST_F(ManyTest, ResetBeginsAnewThoughAnotherVcpuIsTheRunningOne) {
    Guest& guest = add("guest0", 2);
    then_start_second("guest00");
    then_wait("guest00", Irq::SSI);
    then_meanwhile("guest01", [&] { act(guest, GuestAction::Reset); });
    then_as("guest00", [&](GuestHart& hart) {
        EXPECT_EQ(hart, at_entry(0));
        EXPECT_EQ(guest.vcpus()[1].state, sbi::hsm::Stopped);
        return interrupt(Irq::SSI);
    });
    then_compute("guest00");
    then_compute("guest00");
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(), "[uc] guest0: reboot\r\n[uc] guest0: shutdown\r\n");
}

TEST_F(ManyTest, ResetEndsAPause) {
    Guest& guest = add();
    then_meanwhile("guest00", [&] {
        act(guest, GuestAction::Pause);
        platform.events = {[&] { act(guest, GuestAction::Reset); }};
    });
    then_as("guest00", [&](GuestHart& hart) {
        EXPECT_EQ(platform.waits, 1u);
        EXPECT_EQ(hart, at_entry(0));
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ManyTest, TimersOfALifeBeforeWakeNobody) {
    Guest& guest = add();
    const u64 alarm = platform.now + 100;
    then_as("guest00",
            [alarm](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, alarm); });
    then_as("guest00", [&](GuestHart& hart) {
        hart.sie.raw = irq_bit(Irq::STI);
        platform.events = {[&] { act(guest, GuestAction::Reset); }};
        return exception(Cause::IllegalInstruction, test::kWfi);
    });
    then_as("guest00", [&](GuestHart& hart) {
        hart.sie.raw = irq_bit(Irq::STI) | irq_bit(Irq::SSI);
        platform.events = {[&] { platform.now = alarm; }, [&] { act(guest, GuestAction::Stop); }};
        return exception(Cause::IllegalInstruction, test::kWfi);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(platform.waits, 3u);
}

TEST_F(ManyTest, QuitEndsWhoeverIsLeft) {
    Guest& a = add("a");
    Guest& b = add("b");
    then_compute("a0");
    then_meanwhile("b0", [&] { machine.quit(); });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_TRUE(a.live() && b.live());
    EXPECT_EQ(host.output(), "");
}

TEST_F(ManyTest, QuitEndsTheHartsSleep) {
    add();
    then_as("guest00", [&](GuestHart&) {
        platform.events = {[&] { machine.quit(); }};
        return exception(Cause::IllegalInstruction, test::kWfi);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

// A manager may start and stop a guest as fast as it likes.
TEST_F(ManyTest, QuitIsNotKeptWaitingByWhoActsOnAGuestAgainAndAgain) {
    Guest& guest = add();
    std::vector<bool> over;
    host.terminal.while_it_prints = [&] {
        if (over.size() == 3 || !host.terminal.buffer.ends_with("stopped")) return;
        over.push_back(machine.is_over());
        act(guest, GuestAction::Start);
        act(guest, GuestAction::Stop);
    };
    then_meanwhile("guest00", [&] {
        machine.quit();
        act(guest, GuestAction::Stop);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(over, (std::vector<bool>{false, true, true}));
}

TEST_F(ManyTest, NothingBeginsOnceAllIsToEnd) {
    Guest& guest = add();
    then_meanwhile("guest00", [&] {
        act(guest, GuestAction::Stop);
        machine.quit();
        act(guest, GuestAction::Start);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(guest.state(), GuestState::Starting);
    EXPECT_EQ(host.output(), "[uc] guest0: stopped\r\n");
}

}  // namespace
}  // namespace uc
