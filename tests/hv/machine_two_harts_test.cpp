// SPDX-License-Identifier: MIT
// Two harts, one of which plays its part while the other is in a guest.

#include <utility>

#include "hv/machine.hpp"
#include "tests/hv/test_machine.hpp"

namespace uc {
namespace {

using test::interrupt;
using test::sbi_ecall;

struct TwoHartsTest : testing::Test {
    test::TestMachine host;
    test::FakePlatform &first = host.platform, second;
    Options options;
    Machine machine{first, host.console, options, 2};
    Runner first_runner{machine, first, 0, 0}, second_runner{machine, second, 1, 1};

    TwoHartsTest() {
        host.environment.keeper = &machine;
        machine.add(first_runner);
        machine.add(second_runner);
    }
    Guest& add(u32 vcpus) {
        Guest& guest = host.create(host.config("guest0", vcpus));
        EXPECT_TRUE(machine.add(guest));
        return guest;
    }
};

TEST_F(TwoHartsTest, TheMachineIsNotOverBeforeAllHaveLeftTheGuestThatEnded) {
    add(2);
    first.script.emplace_back(
        [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Start, 1, 0x8020'0800, 0); });
    first.script.emplace_back([this](GuestHart&) {
        second_runner.run();  // all of it, while the first hart is in the guest
        return interrupt(Irq::SSI);
    });
    second.script.emplace_back([](GuestHart& hart) {
        return sbi_ecall(hart, sbi::Ext::Srst, sbi::srst::Reset, sbi::srst::Shutdown, sbi::srst::SystemFailure);
    });
    second.events.emplace_back([this] {
        EXPECT_FALSE(machine.is_over());
        EXPECT_NE(first.interrupts, 0u);
        machine.quit();  // or the second hart would wait for the first, which here waits for it
    });
    EXPECT_TRUE(machine.start());
    first_runner.run();
    EXPECT_TRUE(second.events.empty()) << "it did not wait for the first hart";
    EXPECT_EQ(host.output(), "[uc] guest0: failed: the guest reported a system failure\r\n");
    EXPECT_EQ(machine.claim_end(), MachineEnd::Failure);
}

// The other hart follows up the end, while this one is not out of the guest yet.
TEST_F(TwoHartsTest, TheMachineIsNotOverBeforeTheLastEndIsTold) {
    Guest& guest = add(1);
    first.script.emplace_back([&](GuestHart&) {
        EXPECT_TRUE(machine.act(guest, GuestAction::Stop));
        machine.settle_guests(1);
        EXPECT_FALSE(machine.is_over());
        EXPECT_EQ(host.output(), "");
        return interrupt(Irq::SSI);
    });
    EXPECT_TRUE(machine.start());
    first_runner.run();
    EXPECT_TRUE(machine.is_over());
    EXPECT_EQ(host.output(), "[uc] guest0: stopped\r\n");
}

// Beginnings and ends take time, which is not to be that of guests that have nothing to do with them.
TEST_F(TwoHartsTest, AHartFollowsUpOnlyGuestsThatMayRunThere) {
    GuestConfig& config = host.config("pinned");
    ASSERT_TRUE(config.harts.push(0));
    Guest& pinned = host.create(config, 0);
    Guest& floating = host.create(host.config("floating"), 1);
    ASSERT_TRUE(machine.add(pinned) && machine.add(floating));
    ASSERT_TRUE(machine.start());
    machine.settle_guests(1);
    EXPECT_EQ(pinned.state(), GuestState::Starting);
    EXPECT_EQ(floating.state(), GuestState::Running);
    second.interrupts = 0;
    first.script.emplace_back([&](GuestHart&) {
        EXPECT_TRUE(machine.act(floating, GuestAction::Reset));
        return interrupt(Irq::SSI);
    });
    first.script.emplace_back([&](GuestHart& hart) {
        EXPECT_EQ(floating.state(), GuestState::Reboot);
        EXPECT_GT(second.interrupts, 0u);
        machine.settle_guests(1);
        EXPECT_EQ(floating.state(), GuestState::Running);
        machine.quit();
        return test::shut_down(hart);
    });
    first_runner.run();
    EXPECT_EQ(host.output(), "[uc] floating: reboot\r\n[uc] pinned: shutdown\r\n");
}

TEST_F(TwoHartsTest, WhoFindsTheOtherAtItKeepsWhatItRuns) {
    Guest& running = add(1);
    Guest& resetting = host.create(host.config("guest1"), 1);
    ASSERT_TRUE(machine.add(resetting));
    ASSERT_TRUE(machine.start());
    bool looked = false;
    first.script.emplace_back([&](GuestHart& hart) {
        EXPECT_EQ(first_runner.current(), running.vcpus().data());
        EXPECT_TRUE(machine.act(resetting, GuestAction::Reset));
        host.terminal.while_it_prints = [&] {
            if (std::exchange(looked, true)) return;
            EXPECT_TRUE(machine.act(resetting, GuestAction::Stop));
            machine.settle_guests(0);
            EXPECT_EQ(machine.scheduler().neglect(running.vcpus()[0].entity, first.now), Neglect::None);
        };
        machine.settle_guests(1);
        machine.quit();
        return test::shut_down(hart);
    });
    first_runner.run();
    EXPECT_TRUE(looked);
    EXPECT_EQ(host.output(), "[uc] guest1: reboot\r\n[uc] guest1: stopped\r\n[uc] guest0: shutdown\r\n");
}

}  // namespace
}  // namespace uc
