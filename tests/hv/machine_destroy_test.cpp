// SPDX-License-Identifier: MIT
// Guests are destroyed and created again, at any moment, and nothing of them stays behind.

#include <algorithm>
#include <vector>

#include "tests/hv/many_scene.hpp"

namespace uc {
namespace {

using test::exception;
using test::interrupt;
using test::sbi_ecall;
using test::shut_down;

struct DestroyTest : test::ManyScene {
    /// Guest `a`, and `b`, which does things to it.
    Guest* a = nullptr;
    Guest* b = nullptr;
    u64 free_with_both = 0;

    void add_both(u32 vcpus = 1) {
        share(2);
        a = &add("a", vcpus);
        b = &add("b");
        free_with_both = host.memory.available();
    }
    /// `b` looks at what became of the last thing it did, once that was followed up, and does the next.
    void then_b(std::function<void()> what) { then_meanwhile("b0", std::move(what)); }
    void expect_nothing_left(Guest& guest) {
        EXPECT_EQ(guest.state(), GuestState::Destroyed);
        EXPECT_FALSE(guest.has_run());
        const GuestAccount account = guest.account();
        EXPECT_EQ(account.ram + account.rest + account.frames_used + account.frames + account.copies + account.timers,
                  0u);
        EXPECT_TRUE(guest.vcpus().empty());
        EXPECT_EQ(guest.ram().size(), 0u);
    }
    void expect_all_back() {
        EXPECT_EQ(a->state(), GuestState::Created);
        EXPECT_EQ(host.memory.available(), free_with_both);
        EXPECT_EQ(a->ram().size(), test::TestMachine::kGuestMemory);
    }
};

TEST_F(DestroyTest, ADestroyedGuestIsCreatedAndBeginsAnew) {
    add_both(2);
    std::ranges::fill(std::span{a->ram().pointer(kGuestRamBase, 64), 64}, std::byte{0x77});
    then_start_second("a0");
    then_compute("a0");
    then_compute("a1");
    then_b([&] { act(*a, GuestAction::Destroy); });
    then_b([&] {
        expect_nothing_left(*a);
        EXPECT_GE(host.memory.available(), free_with_both + test::TestMachine::kGuestMemory);
        act(*a, GuestAction::Create);
    });
    then_b([&] {
        expect_all_back();
        const std::span ram{a->ram().pointer(kGuestRamBase, a->ram().size()), a->ram().size()};
        EXPECT_TRUE(std::ranges::all_of(ram, [](std::byte byte) { return byte == std::byte{}; }));
        EXPECT_EQ(a->vcpus()[0].stats.exits(), 0u);
        EXPECT_FALSE(machine.act(*a, GuestAction::Create));
        act(*a, GuestAction::Start);
    });
    then_as("a0", [&](GuestHart& hart) {
        EXPECT_EQ(hart, at_entry(0));
        return shut_down(hart);
    });
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(), "[uc] a: destroyed\r\n[uc] a: created\r\n[uc] a: shutdown\r\n[uc] b: shutdown\r\n");
}

struct MomentTest : DestroyTest, testing::WithParamInterface<GuestState> {
    /// Brings `a`, which runs, into the state; in the exit that destroys it, or before.
    void bring() {
        switch (GetParam()) {
            case GuestState::Created:
            case GuestState::Creating: act(*a, GuestAction::Destroy); break;
            case GuestState::Paused: act(*a, GuestAction::Pause); break;
            case GuestState::Stopped: act(*a, GuestAction::Stop); break;
            case GuestState::Failed: a->fail("so it was"); break;
            default: break;
        }
    }
    void bring_at_once() {
        switch (GetParam()) {
            case GuestState::Starting:
                act(*a, GuestAction::Stop);
                act(*a, GuestAction::Start);
                break;
            case GuestState::Reboot: act(*a, GuestAction::Reset); break;
            case GuestState::Creating: act(*a, GuestAction::Create); break;
            default: break;
        }
        EXPECT_EQ(a->state(), GetParam());
    }
};

TEST_P(MomentTest, NothingIsLeft) {
    add_both();
    then_compute("a0");
    then_b([&] { bring(); });
    if (GetParam() == GuestState::Created) then_b([&] { act(*a, GuestAction::Create); });
    then_b([&] {
        bring_at_once();
        act(*a, GuestAction::Destroy);
        EXPECT_FALSE(machine.act(*a, GuestAction::Destroy));
        EXPECT_FALSE(machine.act(*a, GuestAction::Start));
        EXPECT_FALSE(machine.act(*a, GuestAction::Stop));
        EXPECT_FALSE(machine.act(*a, GuestAction::Create));
    });
    then_b([&] {
        expect_nothing_left(*a);
        act(*a, GuestAction::Create);
    });
    then_b([&] {
        expect_all_back();
        act(*a, GuestAction::Start);
    });
    then_shut_down("a0");
    then_shut_down("b0");
    EXPECT_EQ(run(), GetParam() == GuestState::Failed ? MachineEnd::Failure : MachineEnd::Success);
}

INSTANTIATE_TEST_SUITE_P(Every, MomentTest,
                         testing::Values(GuestState::Created, GuestState::Starting, GuestState::Running,
                                         GuestState::Paused, GuestState::Stopped, GuestState::Reboot,
                                         GuestState::Failed, GuestState::Creating));

TEST_F(DestroyTest, AGuestMayDestroyItself) {
    add_both();
    then_as("a0", [&](GuestHart&) {
        act(*a, GuestAction::Destroy);
        a->fail("it did something else besides");
        EXPECT_EQ(a->state(), GuestState::Destroying);
        return interrupt(Irq::SSI);
    });
    then_b([&] { expect_nothing_left(*a); });
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(), "[uc] a: destroyed\r\n[uc] b: shutdown\r\n");
}

TEST_F(DestroyTest, DestroyingTheOnlyGuestEndsTheMachine) {
    Guest& guest = add("guest0", 2);
    then_start_second("guest00");
    then_meanwhile("guest00", [&] { act(guest, GuestAction::Destroy); });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(), "[uc] guest0: destroyed\r\n");
}

TEST_F(DestroyTest, WhatAGuestHasPrintedIsShownBeforeItIsGone) {
    add_both();
    then_as("a0", [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::LegacyPutchar, 0, 'x'); });
    then_as("a0", [&](GuestHart&) {
        act(*a, GuestAction::Destroy);
        return interrupt(Irq::SSI);
    });
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(), "a| x\r\n[uc] a: destroyed\r\n[uc] b: shutdown\r\n");
}

TEST_F(DestroyTest, MemoryThatOthersHaveTakenIsNotThereForCreation) {
    add_both();
    std::vector<Hpa> taken;
    const u64 wanted = test::TestMachine::kGuestMemory;
    then_as("a0", shut_down);
    then_b([&] { act(*a, GuestAction::Destroy); });
    then_b([&] {
        while (const auto more = host.memory.allocate(wanted, kGuestMemoryUnit)) taken.push_back(*more);
        const MonitorStatus status = view.act(0, GuestAction::Create);
        ASSERT_FALSE(status);
        EXPECT_TRUE(status.error().view().starts_with("there is no memory for its 4 MiB")) << status.error().view();
        EXPECT_EQ(a->state(), GuestState::Destroyed);
        for (const Hpa block : taken) host.memory.free({block, wanted});
        act(*a, GuestAction::Create);
    });
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(a->state(), GuestState::Created);
}

TEST_F(DestroyTest, TheMonitorCopesWithAGuestThatIsGone) {
    add_both(2);
    then_compute("a0");
    then_b([&] { act(*a, GuestAction::Destroy); });
    then_b([&] {
        const std::string before = host.output();
        for (const char* line : {"guests", "vcpus a", "regs a", "regs a 1", "mem a 0x80000000", "pt a 0", "stats a",
                                 "memory", "trace 4 a", "pause a", "start a"}) {
            EXPECT_TRUE(monitor.execute(line)) << line;
        }
        const std::string said = host.output().substr(before.size());
        EXPECT_NE(said.find("0 a                 destroyed       0 MiB      0"), std::string::npos) << said;
        EXPECT_NE(said.find("a has no vCPUs: it is destroyed"), std::string::npos) << said;
        EXPECT_NE(said.find("0x80000000 is not memory of a"), std::string::npos) << said;
        EXPECT_NE(said.find("a: it is destroyed"), std::string::npos) << said;
    });
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(DestroyTest, AThousandLivesLeaveNothing) {
    Guest& guest = host.create(host.config("a", 2));
    const auto ranges = [&] { return host.memory.free_ranges().size(); };
    const u64 with = host.memory.available();
    ASSERT_TRUE(guest.act(GuestAction::Destroy));
    guest.finish_destroying();
    const u64 without = host.memory.available();
    const usize pieces = ranges();
    for (int life = 0; life < 1000; ++life) {
        ASSERT_TRUE(guest.act(GuestAction::Create));
        ASSERT_TRUE(guest.finish_creating());
        ASSERT_EQ(host.memory.available(), with) << life;
        ASSERT_TRUE(guest.act(GuestAction::Start));
        ASSERT_TRUE(guest.start());
        ASSERT_TRUE(guest.running());
        ASSERT_EQ(guest.account().frames_used, 0u);
        ASSERT_TRUE(guest.act(GuestAction::Destroy));
        guest.finish_destroying();
        ASSERT_EQ(host.memory.available(), without) << life;
        ASSERT_EQ(ranges(), pieces) << life;
    }
}

TEST_F(DestroyTest, FiguresAddUp) {
    add_both();
    then_compute("a0");
    then_b([&] {
        const MemoryAccount all = account_of(host.memory, machine.guests());
        const GuestAccount one = a->account(), other = b->account();
        EXPECT_EQ(all.total, all.free + all.hypervisor + one.ram + one.rest + other.ram + other.rest);
        EXPECT_EQ(all.free, host.memory.available());
        EXPECT_EQ(one.ram, test::TestMachine::kGuestMemory);
        EXPECT_NE(one.frames_used, 0u);
        EXPECT_EQ(one.timers, 0u);
        EXPECT_EQ(one.starts, 1u);
    });
    then_as("b0", [&](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, ~0ull - 1); });
    then_b([&] { EXPECT_EQ(b->account().timers, 1u); });
    then_b([&] { act(*a, GuestAction::Stop); });
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

}  // namespace
}  // namespace uc
