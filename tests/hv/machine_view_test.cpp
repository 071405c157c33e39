// SPDX-License-Identifier: MIT
#include "hv/machine_view.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "tests/emul/insn.hpp"
#include "tests/hv/machine_scene.hpp"

namespace uc {
namespace {

using test::exception;
using test::interrupt;
using test::sbi_ecall;
using test::shut_down;

constexpr u64 kEntry = test::TestMachine::kEntry.raw;

struct ViewTest : test::MachineScene {
    MachineView view{machine, host.memory};

    Guest& add_stopped(std::string_view name) {
        GuestConfig& config = host.config(name, 2);
        config.stopped = true;
        Guest& guest = host.create(config);
        EXPECT_TRUE(machine.add(guest));
        return guest;
    }
    /// Runs the first guest, which looks at the machine, and is interrupted.
    void then_look(std::function<void()> look) {
        then([look = std::move(look)](GuestHart&) {
            look();
            return interrupt(Irq::SSI);
        });
    }
};

TEST_F(ViewTest, GuestsAreNumberedAsTheyWereMade) {
    add("a", 2);
    add_stopped("b");
    ASSERT_EQ(view.guest_count(), 2u);
    const MonitorGuest a = view.guest(0), b = view.guest(1);
    EXPECT_EQ(a.name, "a");
    EXPECT_EQ(a.vcpus, 2u);
    EXPECT_EQ(a.memory, test::TestMachine::kGuestMemory);
    EXPECT_EQ(b.name, "b");
    EXPECT_EQ(b.state, "created");
    EXPECT_FALSE(b.live);
    then_look([&] {
        EXPECT_EQ(view.guest(0).state, "running");
        EXPECT_TRUE(view.guest(0).live);
        EXPECT_EQ(view.guest(1).state, "created");
    });
    then(shut_down);
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(view.guest(0).state, "shut down");
    EXPECT_FALSE(view.guest(0).live);
}

TEST_F(ViewTest, VcpusTellWhatTheyDo) {
    Guest& guest = add("a", 2);
    const auto state = [&](unsigned vcpu) { return view.vcpu(0, vcpu).state; };
    EXPECT_EQ(state(0), "stopped");
    then_look([&] {
        EXPECT_EQ(state(0), "running");
        EXPECT_EQ(state(1), "stopped");
        const MonitorVcpu first = view.vcpu(0, 0);
        EXPECT_EQ(first.hart, test::kHartId);
        EXPECT_EQ(first.exits, 0u);
        EXPECT_EQ(first.pc, kEntry);
        EXPECT_EQ(first.priv, Priv::S);
    });
    then([&](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Start, 1, kEntry + 0x800, 0); });
    then([&](GuestHart&) {
        EXPECT_EQ(state(1), "ready");
        EXPECT_EQ(view.vcpu(0, 0).exits, 2u);
        return exception(Cause::IllegalInstruction, test::kWfi);
    });
    then_look([&] {
        EXPECT_EQ(state(0), "waiting");
        EXPECT_EQ(state(1), "running");
        EXPECT_TRUE(machine.act(guest, GuestAction::Pause));
        EXPECT_EQ(state(0), "paused");
        EXPECT_EQ(state(1), "paused");
        EXPECT_TRUE(machine.act(guest, GuestAction::Stop));
        EXPECT_EQ(state(0), "stopped");
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ViewTest, AnActionThatTheStateDoesNotAllowSaysTheState) {
    Guest& guest = add_stopped("a");
    const MonitorStatus status = view.act(0, GuestAction::Resume);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().view(), "it is created");
    EXPECT_TRUE(view.act(0, GuestAction::Start));
    EXPECT_EQ(guest.state(), GuestState::Starting);
}

TEST_F(ViewTest, TheTerminalIsGivenByNumber) {
    add_stopped("a");
    Guest& b = add_stopped("b");
    EXPECT_EQ(view.attached(), std::nullopt);
    view.attach(1);
    EXPECT_EQ(host.console.attached(), &b);
    EXPECT_EQ(view.attached(), 1u);
}

TEST_F(ViewTest, ExitsAreCountedTimedAndTracedOverAllVcpus) {
    add("a", 2);
    const auto spend = [&](u64 cycles) { platform.cycles += cycles; };
    then([&](GuestHart& hart) {
        spend(100);
        return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Start, 1, kEntry + 0x800, 0);
    });
    platform.spend = 30;
    then([&](GuestHart&) {
        spend(200);
        return exception(Cause::IllegalInstruction, test::csr_insn(test::kCsrrs, CsrNo::sscratch, 1, 0));
    });
    then([&](GuestHart& hart) {
        hart.sie.raw = irq_bit(Irq::SSI);
        return exception(Cause::IllegalInstruction, test::kWfi);
    });
    then(shut_down);
    EXPECT_EQ(run(), MachineEnd::Success);
    const MonitorStats stats = view.stats(0);
    EXPECT_EQ(stats[static_cast<usize>(ExitReason::Sbi)].count, 2u);
    EXPECT_EQ(stats[static_cast<usize>(ExitReason::Wfi)].count, 1u);
    EXPECT_EQ(stats[static_cast<usize>(ExitReason::Csr)].count, 1u);
    EXPECT_EQ(stats[static_cast<usize>(ExitReason::Csr)].ns, 30u);
    EXPECT_EQ(stats[static_cast<usize>(ExitReason::Timer)].count, 0u);

    const std::span<const TracedExit> all = view.trace();
    std::vector<TracedExit> exits, marks;
    std::ranges::partition_copy(all, std::back_inserter(marks), std::back_inserter(exits),
                                [](const TracedExit& e) { return e.record.is_mark(); });
    ASSERT_EQ(exits.size(), 4u);
    EXPECT_EQ(exits[0].record.pc, kEntry);
    EXPECT_EQ(exits[0].record.reason, ExitReason::Sbi);
    EXPECT_EQ(exits[0].at_ns, all[0].at_ns + 100);
    EXPECT_EQ(exits[0].hart, test::kHartId);
    EXPECT_EQ(exits[1].record.pc, kEntry + 4);
    EXPECT_EQ(exits[1].record.reason, ExitReason::Csr);
    EXPECT_EQ(exits[1].ns, 30u);
    EXPECT_EQ(exits[1].at_ns, exits[0].at_ns + 200);
    EXPECT_EQ(exits[2].record.reason, ExitReason::Wfi);
    EXPECT_EQ(exits[2].record.stval, test::kWfi);
    EXPECT_EQ(exits[3].record.pc, kEntry + 0x800);
    EXPECT_EQ(exits[3].record.vcpu, 1u);
    ASSERT_EQ(marks.size(), 2u);
    EXPECT_EQ(marks[0].record.vcpu, 0u);
    EXPECT_EQ(marks[1].record.vcpu, 1u);
}

TEST_F(ViewTest, RegistersAreAsTheGuestWouldReadThem) {
    Guest& guest = add("a", 2);
    Vcpu& second = guest.vcpus()[1];
    second.hart().set_x(5, 55);
    second.hart().sip.set(Sip::SSIP, 1);
    second.lines = irq_bit(Irq::STI);
    const auto hart = view.registers(0, 1);
    ASSERT_TRUE(hart);
    EXPECT_EQ(hart->get_x(5), 55u);
    EXPECT_EQ(hart->sip.raw, irq_bit(Irq::SSI) | irq_bit(Irq::STI));
    EXPECT_EQ(view.registers(0, 0)->get_x(5), 0u);
}

TEST_F(ViewTest, WalksShowBothTablesOnceTheGuestHasRun) {
    Guest& guest = add();
    const auto before = view.walk(0, 0, Gva{kEntry});
    ASSERT_FALSE(before);
    EXPECT_EQ(before.error().view(), "it was never started");
    // It is to be started, and is not yet.
    EXPECT_TRUE(guest.act(GuestAction::Start));
    EXPECT_FALSE(view.walk(0, 0, Gva{kEntry}));

    then_look([&] {
        const auto walk = view.walk(0, 0, Gva{kEntry});
        ASSERT_TRUE(walk);
        EXPECT_EQ(walk->guest.mode, SatpMode::Bare);
        EXPECT_EQ(walk->guest.result, kEntry);
        EXPECT_EQ(walk->shadow.result, std::nullopt);
    });
    then([](GuestHart&) { return exception(Cause::FetchPageFault, kEntry); });
    then_look([&] {
        const auto walk = view.walk(0, 0, Gva{kEntry});
        ASSERT_TRUE(walk);
        EXPECT_EQ(walk->shadow.mode, SatpMode::Sv48);
        EXPECT_EQ(walk->shadow.result, guest.ram().hpa(Gpa{kEntry}).raw);
    });
    then(shut_down);
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ViewTest, MemoryIsReadAndDevicesAreNot) {
    Guest& guest = add();
    EXPECT_TRUE(guest.ram().store<u16>(kGuestRamBase, 0x1234));
    std::array<u8, 2> bytes{};
    EXPECT_TRUE(view.read(0, kGuestRamBase, bytes));
    EXPECT_EQ(bytes, (std::array<u8, 2>{0x34, 0x12}));
    EXPECT_FALSE(view.read(0, kGuestUart, bytes));
    EXPECT_FALSE(view.read(0, kGuestRamBase + (test::TestMachine::kGuestMemory - 1), bytes));
}

TEST_F(ViewTest, TheRestGoesWhereItBelongs) {
    add();
    view.set_log_level(LogLevel::Error);
    log_warn("not shown");
    EXPECT_EQ(host.output(), "");
    then_look([&] { view.quit(); });
    EXPECT_EQ(run(), MachineEnd::Success);
}

}  // namespace
}  // namespace uc
