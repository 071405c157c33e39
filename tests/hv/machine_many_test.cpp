// SPDX-License-Identifier: MIT
// Several guests and several vCPUs share the hart.

#include "tests/hv/many_scene.hpp"

namespace uc {
namespace {

using test::enable;
using test::exception;
using test::interrupt;
using test::kEntry;
using test::kSecondEntry;
using test::sbi_ecall;
using test::shut_down;
using ManyTest = test::ManyScene;

// Sharing the hart.

TEST_F(ManyTest, GuestsTakeTurnsBySlices) {
    add("a");
    add("b");
    for (int i = 0; i < 3; ++i) {
        for (const char* guest : {"a0", "b0"}) {
            then_as(guest, [&](GuestHart&) {
                EXPECT_EQ(platform.deadline, platform.now + slice());
                platform.now = platform.deadline;
                return interrupt(Irq::STI);
            });
        }
    }
    then_shut_down("a0");
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(platform.waits, 0u);
}

TEST_F(ManyTest, AnInterruptWithinTheSliceDoesNotEndIt) {
    add("a");
    add("b");
    then_as("a0", [&](GuestHart& hart) {
        return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, platform.now + slice() / 2);
    });
    then_compute("a0");
    then_as("a0", [&](GuestHart&) {
        EXPECT_EQ(platform.deadline, platform.now + slice() / 2);  // what is left
        platform.now = platform.deadline;
        return interrupt(Irq::STI);
    });
    then_shut_down("b0");
    then_shut_down("a0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ManyTest, AGuestAloneHasNoSlices) {
    options.watch = 0;  // the looks of which would be its only timer
    add();
    then_as("guest00", [&](GuestHart&) {
        EXPECT_EQ(platform.deadline, ~0ull);
        platform.now += 100 * slice();
        return interrupt(Irq::SSI);
    });
    then_as("guest00", [&](GuestHart& hart) {
        EXPECT_EQ(platform.deadline, ~0ull);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ManyTest, WhoEndsLeavesTheHartToTheOthers) {
    add("a");
    add("b");
    then_shut_down("a0");
    then_compute("b0");
    then_compute("b0");
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(), "[uc] a: shutdown\r\n[uc] b: shutdown\r\n");
}

// vCPUs of one guest.

TEST_F(ManyTest, StoppedVcpusDoNotRun) {
    add("guest0", 3);
    then_start_second("guest00");
    then_compute("guest00");
    then_compute("guest01");
    then_stop_hart("guest01");
    then_compute("guest00");
    then_compute("guest00");
    then_compute("guest00");
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ManyTest, AnIpiEndsWfi) {
    add("guest0", 2);
    then_start_second("guest00");
    then_wait("guest00", Irq::SSI);
    then_as("guest01", [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, 0); });
    then_wait("guest01", Irq::SSI);
    then_as("guest00", [](GuestHart& hart) {
        EXPECT_EQ(hart.pc, kEntry + 8);
        EXPECT_EQ(hart.sip.get(Sip::SSIP), 1u);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(platform.waits, 0u);
}

TEST_F(ManyTest, AnIpiToOneselfIsNotSleptOver) {
    add("guest0", 2);
    then_as("guest00", [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, 0); });
    then_wait("guest00", Irq::SSI);
    then_shut_down("guest00");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(platform.waits, 0u);
}

TEST_F(ManyTest, AHartThatWasStoppedBeginsWithoutInterrupts) {
    Guest& guest = add("guest0", 2);
    GuestHart& second = guest.vcpus()[1].hart();
    then_start_second("guest00");
    then_compute("guest00");
    then_as("guest01", [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Ipi, sbi::ipi::SendIpi, 0b10, 0); });
    then_as("guest01", [&](GuestHart& hart) {
        EXPECT_EQ(hart.sip.get(Sip::SSIP), 1u);
        return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, 1);
    });
    then_stop_hart("guest01");
    then_start_second("guest00");
    then_as("guest01", [&](GuestHart& hart) {
        EXPECT_EQ(second.sip.get(Sip::SSIP), 0u);
        EXPECT_EQ(second.stimecmp, ~u64{0});
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ManyTest, AGuestWhoseLastHartStopsHasFailed) {
    add("guest0", 2);
    then_start_second("guest00");
    then_stop_hart("guest00");
    then_stop_hart("guest01");
    EXPECT_EQ(run(), MachineEnd::Failure);
    EXPECT_TRUE(host.output().starts_with("[uc] guest0: failed: its last hart has stopped\r\n")) << host.output();
}

TEST_F(ManyTest, ATimerWakesASleeperWhileAnotherVcpuComputes) {
    add("guest0", 2);
    const u64 alarm = platform.now + slice() / 2;
    then_start_second("guest00");
    then_as("guest00",
            [alarm](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, alarm); });
    then_wait("guest00", Irq::STI);
    then_as("guest01", [&](GuestHart&) {
        EXPECT_EQ(platform.deadline, alarm);
        platform.now = alarm;
        return interrupt(Irq::STI);
    });
    then_as("guest00", [&](GuestHart& hart) {
        EXPECT_EQ(hart.pc, kEntry + 12);
        EXPECT_EQ(platform.now, alarm);
        return exception(Cause::IllegalInstruction, test::csr_insn(test::kCsrrs, CsrNo::sip, test::kData, 0));
    });
    then_as("guest00", [](GuestHart& hart) {
        EXPECT_EQ(hart.get_x(test::kData), irq_bit(Irq::STI));
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ManyTest, TheEarliestTimerOfSleepersEndsTheHartsSleep) {
    add("a");
    add("b");
    const u64 early = platform.now + 3 * slice(), late = platform.now + 7 * slice();
    const auto set = [](u64 at) {
        return [at](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, at); };
    };
    then_as("a0", set(late));
    then_wait("a0", Irq::STI);
    then_as("b0", set(early));
    then_wait("b0", Irq::STI);
    then_as("b0", [&](GuestHart& hart) {
        EXPECT_EQ(platform.now, early);
        return shut_down(hart);
    });
    then_as("a0", [&](GuestHart& hart) {
        EXPECT_EQ(platform.now, late);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ManyTest, ADevicesInterruptWakesTheVcpuThatEnabledIt) {
    Guest& guest = add("guest0", 2);
    host.console.attach(&guest);
    test::place(guest, Gpa{test::kVector}, kEcall);
    const Gpa second_enable = test::kPlicEnable + 2 * 0x80;
    then_store(guest, test::kPlicPriority + 4 * kGuestUartIrq, 1);
    then_store(guest, second_enable, 1u << kGuestUartIrq);
    then([&guest](GuestHart& hart) {
        constexpr u32 kSb = 0x0080'0023;  // sb x8, 0(x0)
        test::place(guest, Gpa{hart.pc}, kSb);
        hart.set_x(test::kData, 1);
        return exception(Cause::StorePageFault, kGuestUart.raw + 1);
    });
    then_start_second("guest00");
    then_wait("guest00", Irq::SEI);
    then_as("guest01", [&](GuestHart& hart) {
        enable(hart, Irq::SEI);
        platform.events = {[&] { type("k"); }};
        return exception(Cause::IllegalInstruction, test::kWfi);
    });
    then_as("guest01", [&](GuestHart& hart) {
        EXPECT_EQ(platform.waits, 1u);
        EXPECT_EQ(hart.pc, test::kVector);
        EXPECT_EQ(hart.scause, Scause::of(Irq::SEI));
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

// Translation.

TEST_F(ManyTest, GuestsHaveAsidsOfTheirOwn) {
    share(2);
    add("a");
    add("b");
    then_compute("a0");
    then_compute("b0");
    then_shut_down("a0");
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
    const u64 half = 0xffff / 2;
    const u64 a = Satp{{root_at_entry(0)}}.get(Satp::ASID), b = Satp{{root_at_entry(1)}}.get(Satp::ASID);
    EXPECT_TRUE(a >= 1 && a <= half) << a;
    EXPECT_TRUE(b > half && b <= 2 * half) << b;
    EXPECT_EQ(root_at_entry(2), root_at_entry(0));
    EXPECT_EQ(root_at_entry(3), root_at_entry(1));
}

TEST_F(ManyTest, SwitchesWithAsidsFlushNothing) {
    share(2);
    add("a");
    add("b");
    usize flushes = 0;
    then_compute("a0");
    then_compute("b0");
    then_as("a0", [&](GuestHart&) {
        flushes = platform.flushes.size();
        platform.now = platform.deadline;
        return interrupt(Irq::STI);
    });
    then_as("b0", [&](GuestHart& hart) {
        EXPECT_EQ(platform.flushes.size(), flushes);
        return shut_down(hart);
    });
    then_shut_down("a0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

// Before it is in use, the hart may still walk the tables of whoever was here, and remember what it finds.
TEST_F(ManyTest, SwitchesWithoutAsidsFlushOnceTheNewTranslationIsInUse) {
    host.environment.host_asid_bits = 0;
    add("guest0", 2);
    then_start_second("guest00");
    const Vcpu* last = nullptr;
    unsigned switches = 0;
    for (int i = 0; i < 6; ++i) {
        then([&](GuestHart&) {
            if (std::exchange(last, runner.current()) != runner.current()) {
                ++switches;
                EXPECT_FALSE(platform.flushes.empty());
                EXPECT_TRUE(platform.flushes.empty() || platform.flushes.back() == TlbFlush::all());
                EXPECT_TRUE(platform.flushes.empty() || platform.flushed_under.back() == platform.host_satp);
            }
            platform.flushes.clear();
            platform.now = platform.deadline;
            return interrupt(Irq::STI);
        });
    }
    then(shut_down);
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_GE(switches, 3u);
    for (const auto& entry : platform.entries) EXPECT_EQ(Satp{{entry.host_satp}}.get(Satp::ASID), 0u);
}

TEST_F(ManyTest, StartingAGuestLeavesTheOthersOnTheirOwnTables) {
    add("a");
    GuestConfig& config = host.config("b");
    config.stopped = true;
    Guest& b = host.create(config);
    EXPECT_TRUE(machine.add(b));
    then_meanwhile("a0", [&] { act(b, GuestAction::Start); });
    then_as("a0", [&](GuestHart&) {
        EXPECT_EQ(platform.host_satp, root_at_entry(0));
        platform.now = platform.deadline;
        return interrupt(Irq::STI);
    });
    then_shut_down("b0");
    then_shut_down("a0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

}  // namespace
}  // namespace uc
