// SPDX-License-Identifier: MIT
#include "hv/watchman.hpp"

#include "tests/hv/many_scene.hpp"

namespace uc {
namespace {

using test::interrupt;
using test::sbi_ecall;
using test::shut_down;

/// Guests that are watched closely: what lasts a second is told.
struct WatchmanTest : test::ManyScene {
    static constexpr unsigned kLooks = WatchTimes::kLooks;
    const u64 period = platform.timebase_hz() / kLooks;

    WatchmanTest() { options.watch = 1; }

    unsigned times(std::string_view text) {
        unsigned count = 0;
        for (usize at = 0; (at = host.output().find(text, at)) != std::string::npos; ++at) ++count;
        return count;
    }
    /// It has its timer rung with interrupts off, and `irqs` enabled.
    void then_ring(const std::string& vcpu, u64 irqs) {
        then_as(vcpu, [=](GuestHart& hart) {
            hart.sie.raw = irqs;
            return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, 1);
        });
    }
    /// It spins until the hart's timer rings, so often.
    void then_spin(const std::string& vcpu, unsigned looks) {
        for (unsigned i = 0; i < looks; ++i) then_compute(vcpu);
    }
};

TEST_F(WatchmanTest, ASpinningVcpuIsToldOnceWithItsLastExits) {
    add();
    then_ring("guest00", irq_bit(Irq::STI));
    then_spin("guest00", 100);
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    const std::string& out = host.output();
    EXPECT_TRUE(out.starts_with(
        "[uc] warning: guest0: vCPU 0 has spun for 1 s with interrupts off at 0x80200004; waiting: timer 1 s\r\n"
        "[uc] warning: guest0: the last of its exits:\r\n"
        "[uc] warning: "))
        << out;
    EXPECT_EQ(times("has spun"), 1u);
    EXPECT_EQ(times("timer interrupt"), 8u) << out;
    EXPECT_EQ(view.vcpu(0, 0).warnings, 1u);
}

TEST_F(WatchmanTest, WhoIsWatchedIsInterruptedOnceAPeriod) {
    add();
    for (unsigned i = 0; i < 3; ++i) {
        then_as("guest00", [&](GuestHart&) {
            EXPECT_EQ(platform.deadline, platform.now + period);
            platform.now = platform.deadline;
            return interrupt(Irq::STI);
        });
    }
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(times("warning"), 0u);
}

TEST_F(WatchmanTest, WatchingCanBeSwitchedOff) {
    options.watch = 0;
    add();
    then_ring("guest00", irq_bit(Irq::STI));
    for (unsigned i = 0; i < 100; ++i) {
        then_as("guest00", [&](GuestHart&) {
            EXPECT_EQ(platform.deadline, ~0ull);
            platform.deadline = platform.now += period;
            return interrupt(Irq::STI);
        });
    }
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(times("warning"), 0u);
}

TEST_F(WatchmanTest, AnIpiThatIsNotTakenIsTold) {
    add("guest0", 2);
    then_start_second("guest00");
    then_as("guest00", [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Ipi, sbi::ipi::SendIpi, 2, 0); });
    for (unsigned i = 0; i < 300; ++i) {  // slices; which vCPU has them is the scheduler's
        then([&](GuestHart& hart) {
            if (who() == "guest01") hart.sie.raw = irq_bit(Irq::SSI);
            platform.now = platform.deadline;
            return interrupt(Irq::STI);
        });
    }
    then(shut_down);
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(times("[uc] warning: guest0: vCPU 1 has spun for 1 s with interrupts off at "), 1u) << host.output();
    EXPECT_EQ(times("; waiting: IPI 1 s\r\n"), 1u);
    EXPECT_EQ(times("has"), 1u);
}

TEST_F(WatchmanTest, WhoDoesManyThingsWithoutItsTimerIsTold) {
    add();
    then_ring("guest00", irq_bit(Irq::STI));
    for (unsigned i = 0; i < 20; ++i) {
        then_compute("guest00");
        then_as("guest00", [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Base, sbi::base::SpecVersion); });
    }
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(times("vCPU 0 has been busy for 1 s with interrupts off between 0x8020000"), 1u) << host.output();
}

TEST_F(WatchmanTest, WhatIsNotEnabledMayWait) {
    add();
    then_ring("guest00", irq_bit(Irq::SSI));
    then_spin("guest00", 100);
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(times("warning"), 0u);
}

TEST_F(WatchmanTest, WhoTakesItsInterruptsMayBeSeenWithThemOff) {
    add();
    for (unsigned i = 0; i < 100; ++i) {
        then_as("guest00", [&](GuestHart& hart) {
            test::enable(hart, Irq::STI);
            return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, 1);
        });
        then_compute("guest00");  // the handler, which sets the timer no more
    }
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(times("warning"), 0u);
}

TEST_F(WatchmanTest, AskingForInterruptsIsNotMissingThem) {
    add();
    for (unsigned i = 1; i <= 100; ++i) {
        then_as("guest00", [&](GuestHart& hart) {
            hart.sie.raw = irq_bit(Irq::STI);
            return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, platform.now + period);
        });
        then_compute("guest00");
    }
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(times("warning"), 0u);
}

TEST_F(WatchmanTest, NobodyIsWokenToBeWatched) {
    add();
    const u64 alarm = 1000 * period;
    then_as("guest00", [=](GuestHart& hart) {
        hart.sie.raw = irq_bit(Irq::STI);
        return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, alarm);
    });
    then_wait("guest00", Irq::STI);
    then_as("guest00", [&](GuestHart& hart) {
        EXPECT_EQ(platform.now, alarm);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_LE(platform.waits, 2u) << "one for the timer that was set while it ran";
    EXPECT_EQ(times("warning"), 0u);
}

TEST_F(WatchmanTest, TimeInPauseDoesNotCount) {
    Guest& guest = add();
    then_ring("guest00", irq_bit(Irq::STI));
    then_spin("guest00", kLooks - 1);
    then_meanwhile("guest00", [&] { act(guest, GuestAction::Pause); });
    platform.events.push_back([&] {
        platform.now += 10'000 * period;
        act(guest, GuestAction::Resume);
    });
    then_spin("guest00", 1);
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_TRUE(platform.events.empty());
    EXPECT_EQ(times("warning"), 0u) << host.output();
}

TEST_F(WatchmanTest, ARequestThatNobodyWasKickedForIsTold) {
    Guest& guest = add("guest0", 2);
    then_as("guest00", [&](GuestHart&) {
        static_cast<void>(guest.vcpus()[1].mailbox.post(Request::Kick));  // and that is all
        return interrupt(Irq::SSI);
    });
    then_spin("guest00", 20 * kLooks);  // slices, too
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(times("[uc] warning: guest0: vCPU 1 does not look at what others ask of it, for 1 s now"), 1u)
        << host.output();
    EXPECT_EQ(times("[uc] warning: guest0: no exit of vCPU 1 is kept\r\n"), 1u);
}

TEST_F(WatchmanTest, ARequestThatNobodyWasKickedForIsToldThoughAllSleep) {
    Guest& guest = add();
    then_wait("guest00", Irq::SSI);
    platform.events.push_back([&] { static_cast<void>(guest.vcpus()[0].mailbox.post(Request::Kick)); });
    const auto next_look = [&] {
        EXPECT_NE(platform.deadline, ~0ull);
        platform.now = platform.deadline;
    };
    for (unsigned i = 0; i <= kLooks; ++i) platform.events.push_back(next_look);
    platform.events.push_back([&] {
        EXPECT_EQ(platform.deadline, ~0ull) << "nobody looks for what was told";
        machine.quit();
    });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(times("[uc] warning: guest0: vCPU 0 does not look at what others ask of it, for 1 s now"), 1u)
        << host.output();
}

TEST_F(WatchmanTest, AHartThatWasWokenIsLookedAfterOnceMore) {
    Guest& guest = add();
    then_wait("guest00", Irq::SSI);
    const auto look = [&] {
        EXPECT_EQ(platform.deadline, platform.now + period);
        platform.now = platform.deadline;
    };
    platform.events = {look, [&] {
                           EXPECT_EQ(platform.deadline, ~0ull) << "all was well";
                           platform.pending = irq_bit(Irq::SSI);
                           static_cast<void>(guest.vcpus()[0].mailbox.post(Request::Kick));
                       }};
    for (unsigned i = 0; i <= kLooks; ++i) platform.events.push_back(look);
    platform.events.push_back([&] { machine.quit(); });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(times("does not look at what others ask of it"), 1u) << host.output();
}

TEST_F(WatchmanTest, OneLookIsEnoughForAllThatSleep) {
    add();
    EXPECT_TRUE(machine.start());
    Watchman& watchman = machine.watchman();
    const u64 seen = watchman.rounds();
    EXPECT_EQ(watchman.next_rounds(1000, 0, seen), 1000 + period);
    EXPECT_EQ(watchman.next_rounds(1000, 1, seen), 1000 + period);
    watchman.make_rounds(1000 + period, 1);
    EXPECT_EQ(watchman.next_rounds(1000 + period, 0, seen), ~0ull);
    EXPECT_EQ(watchman.next_rounds(1000 + period, 1, seen), ~0ull);
    // Another that falls asleep waits until the next are due; before, there are none.
    EXPECT_EQ(watchman.next_rounds(1001 + period, 0, watchman.rounds()), 1000 + 2 * period);
    watchman.make_rounds(1001 + period, 0);
    EXPECT_EQ(watchman.rounds(), seen + 1);
}

TEST_F(WatchmanTest, WhoFoundSomethingLastLooksAgain) {
    Guest& guest = add();
    EXPECT_TRUE(machine.start());
    machine.settle_guests(0);
    static_cast<void>(guest.vcpus()[0].mailbox.take());
    static_cast<void>(machine.scheduler().pick(0, platform.now));
    static_cast<void>(guest.vcpus()[0].mailbox.post(Request::Kick));
    Watchman& watchman = machine.watchman();
    u64 now = platform.now;
    const auto goes_on = [&](unsigned hart) { return watchman.next_rounds(now, hart, 0) != ~0ull; };
    watchman.make_rounds(now += period, 1);
    EXPECT_TRUE(goes_on(1));
    EXPECT_FALSE(goes_on(0));
    watchman.make_rounds(now += period, 0);
    EXPECT_TRUE(goes_on(0));
    EXPECT_FALSE(goes_on(1));
    static_cast<void>(guest.vcpus()[0].mailbox.take());
    watchman.make_rounds(now += period, 1);
    EXPECT_FALSE(goes_on(0) || goes_on(1));
}

TEST_F(WatchmanTest, AGuestWhoseHartNeverRunsIsTold) {
    Machine two(platform, host.console, options, 2);
    Runner first(two, platform, 0, 10), second(two, platform, 1, 11);
    two.add(first);
    two.add(second);
    host.environment.keeper = &two;
    for (const u64 hart : {10, 11}) {
        GuestConfig& config = host.config(hart == 10 ? "runs" : "waits");
        ASSERT_TRUE(config.harts.push(hart));
        ASSERT_TRUE(two.add(host.create(config, hart == 10 ? 0 : 1)));
    }
    for (unsigned i = 0; i < 2 * kLooks; ++i) {
        then([&](GuestHart&) {
            platform.now = std::max(platform.now, platform.deadline);
            return interrupt(Irq::STI);
        });
    }
    then([&](GuestHart& hart) {
        two.quit();
        return shut_down(hart);
    });
    ASSERT_TRUE(two.start());
    two.settle_guests(1);  // as the other hart does before it gets stuck
    first.run();
    EXPECT_EQ(times("[uc] warning: waits: vCPU 0 could run, but is given no hart, for 1 s now"), 1u) << host.output();
    EXPECT_EQ(times("warning: runs"), 0u);
}

}  // namespace
}  // namespace uc
