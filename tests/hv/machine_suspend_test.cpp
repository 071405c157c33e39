// SPDX-License-Identifier: MIT
// vCPUs that HSM or the whole guest's suspend has put to sleep.

#include "tests/hv/many_scene.hpp"

namespace uc {
namespace {

using test::exception;
using test::interrupt;
using test::kEntry;
using test::sbi_ecall;
using test::shut_down;

struct SuspendTest : test::ManyScene {
    /// It asks for the state of hart `hart`; its next stay finds it in a1.
    void then_ask(const std::string& vcpu, u64 hart) {
        then_as(vcpu, [hart](GuestHart& h) { return sbi_ecall(h, sbi::Ext::Hsm, sbi::hsm::Status, hart); });
    }
    /// It suspends until `irq`, to go on at `resume` or, where that is 0, where it is.
    void then_suspend(const std::string& vcpu, Irq irq, u64 resume = 0) {
        then_as(vcpu, [=](GuestHart& hart) {
            hart.sie.raw = irq_bit(irq);
            const u64 type = resume == 0 ? sbi::hsm::kSuspendRetentive : sbi::hsm::kSuspendNonRetentive;
            return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Suspend, type, resume, 7);
        });
    }
};

TEST_F(SuspendTest, OthersSeeASuspendedVcpuAndWakeIt) {
    add("guest0", 2);
    then_start_second("guest00");
    then_suspend("guest00", Irq::SSI);
    then_ask("guest01", 0);
    then_as("guest01", [](GuestHart& hart) {
        EXPECT_EQ(hart.get_x(11), sbi::hsm::Suspended);
        return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Start, 0, kEntry, 0);
    });
    then_as("guest01", [](GuestHart& hart) {
        EXPECT_EQ(static_cast<sbi::Error>(hart.get_x(10)), sbi::Error::AlreadyAvailable);
        return sbi_ecall(hart, sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, 0);
    });
    then_suspend("guest01", Irq::SSI);
    then_as("guest00", [](GuestHart& hart) {
        EXPECT_EQ(hart.pc, kEntry + 8);
        EXPECT_EQ(hart.sip.get(Sip::SSIP), 1u);
        return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Status, 0);
    });
    then_as("guest00", [](GuestHart& hart) {
        EXPECT_EQ(hart.get_x(11), sbi::hsm::Started);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(platform.waits, 0u);
}

TEST_F(SuspendTest, AnInterruptThatPendsEndsTheSuspendAtOnce) {
    add("guest0", 2);
    then_as("guest00", [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, 0); });
    then_suspend("guest00", Irq::SSI, kEntry + 0x100);
    then_ask("guest00", 0);
    then_as("guest00", [](GuestHart& hart) {
        EXPECT_EQ(hart.pc, kEntry + 0x104);
        EXPECT_EQ(hart.get_x(11), sbi::hsm::Started);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(platform.waits, 0u);
}

TEST_F(SuspendTest, WhatIsNotEnabledDoesNotWake) {
    add("guest0", 2);
    then_start_second("guest00");
    then_suspend("guest00", Irq::STI);
    then_as("guest01", [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, 0); });
    then_as("guest01", [](GuestHart&) { return interrupt(Irq::SSI); });
    then_ask("guest01", 0);
    then_as("guest01", [](GuestHart& hart) {
        EXPECT_EQ(hart.get_x(11), sbi::hsm::Suspended);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(SuspendTest, TheMonitorTellsThatItWaits) {
    Guest& guest = add("guest0", 2);
    ASSERT_TRUE(test::TestMachine::start(guest));
    guest.vcpus()[1].state = sbi::hsm::Suspended;
    guest.vcpus()[1].waiting = true;
    EXPECT_EQ(view.vcpu(0, 1).state, "waiting");
}

}  // namespace
}  // namespace uc
