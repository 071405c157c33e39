// SPDX-License-Identifier: MIT
#include "hv/vcpu_switch.hpp"

#include "hv/exit.hpp"
#include "tests/hv/many_scene.hpp"

namespace uc {
namespace {

using test::exception;
using test::sbi_ecall;
using test::shut_down;

constexpr u64 kCycles = sbi::pmu::event_idx(sbi::pmu::Hardware, sbi::pmu::CpuCycles);

struct SwitchTest : test::ManyScene {
    SwitchTest() { platform.csrs = {{CsrNo::cycle, 0}, {CsrNo::instret, 0}}; }
    void then_count_cycles(const std::string& vcpu) {
        then_as(vcpu, [](GuestHart& hart) {
            hart.set_x(14, 0);
            return sbi_ecall(hart, sbi::Ext::Pmu, sbi::pmu::CounterConfigMatching, 0, 1,
                             sbi::pmu::kClearValue | sbi::pmu::kAutoStart, kCycles);
        });
    }
    /// It computes for a slice, which has so many cycles.
    void then_spend(const std::string& vcpu, u64 cycles) {
        then_as(vcpu, [this, cycles](GuestHart&) {
            platform.csrs[CsrNo::cycle] += cycles;
            platform.now = std::max(platform.now, platform.deadline);
            return test::interrupt(Irq::STI);
        });
    }
    /// It reads cycle, which must be `value`.
    void then_read(const std::string& vcpu, u64 value) {
        then_as(vcpu, [](GuestHart&) {
            return exception(Cause::IllegalInstruction, test::csr_insn(test::kCsrrs, CsrNo::cycle, test::kData, 0));
        });
        then_as(vcpu, [value](GuestHart& hart) {
            EXPECT_EQ(hart.get_x(test::kData), value);
            return test::interrupt(Irq::SSI);
        });
    }
};

TEST_F(SwitchTest, CyclesOfOthersAreNotCounted) {
    add("a");
    add("b");
    then_count_cycles("a0");
    then_spend("a0", 100);
    then_spend("b0", 5000);
    then_read("a0", 100);
    then_spend("a0", 11);
    then_read("b0", 5111);  // the hart's own: b has not taken it over
    then_spend("b0", 5000);
    then_read("a0", 111);
    then_shut_down("a0");
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(SwitchTest, NorIsSleep) {
    add("a");
    then_count_cycles("a0");
    then_as("a0", [this](GuestHart& hart) {
        platform.csrs[CsrNo::cycle] += 7;
        return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, platform.now + slice());
    });
    then_wait("a0", Irq::STI);
    platform.events = {[this] {
        platform.csrs[CsrNo::cycle] += 1000;
        platform.now += slice();
    }};
    then_read("a0", 7);
    then_shut_down("a0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(SwitchTest, AnIpiThatComesBeforeTheSleepIsCountedOver) {
    add("a", 2);
    then_count_cycles("a0");
    then_as("a0", [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, 0); });
    then_wait("a0", Irq::SSI);
    then_spend("a0", 5);
    then_read("a0", 5);
    then_shut_down("a0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

// What the hypervisor itself counts for firmware counters.

struct EventsTest : testing::Test {
    test::TestMachine machine;
    Guest& guest = machine.start(2);
    Vcpu& first = guest.vcpus()[0];
    Vcpu& second = guest.vcpus()[1];

    test::FakePlatform& platform() { return machine.platform; }
    template <class... Args>
    void call(Vcpu& vcpu, sbi::Ext ext, u64 fid, Args... args) {
        EXPECT_EQ(handle_exit(vcpu, sbi_ecall(vcpu.hart(), ext, fid, args...)), ExitReason::Sbi);
        EXPECT_EQ(vcpu.hart().get_x(10), 0u);
    }
};

TEST_F(EventsTest, WhatOthersSendIsReceived) {
    call(first, sbi::Ext::Ipi, sbi::ipi::SendIpi, 3, 0);
    EXPECT_EQ(firmware_events(second, sbi::pmu::IpiReceived), 0u) << "it is stopped";
    call(first, sbi::Ext::Hsm, sbi::hsm::Start, 1, test::kEntry, 0);
    call(first, sbi::Ext::Ipi, sbi::ipi::SendIpi, 3, 0);
    call(first, sbi::Ext::Rfence, sbi::rfence::FenceI, 3, 0);
    for (int i = 0; i < 2; ++i) call(first, sbi::Ext::Rfence, sbi::rfence::SfenceVma, 3, 0, 0, 0);
    for (int i = 0; i < 3; ++i) call(first, sbi::Ext::Rfence, sbi::rfence::SfenceVmaAsid, 3, 0, 0, 0, 1);
    EXPECT_EQ(firmware_events(second, sbi::pmu::IpiReceived), 1u);
    EXPECT_EQ(firmware_events(second, sbi::pmu::FenceIReceived), 1u);
    EXPECT_EQ(firmware_events(second, sbi::pmu::SfenceVmaReceived), 2u);
    EXPECT_EQ(firmware_events(second, sbi::pmu::SfenceVmaAsidReceived), 3u);
    for (u64 event = 0; event < sbi::pmu::FirmwareEvents; ++event)
        EXPECT_EQ(firmware_events(first, static_cast<sbi::pmu::FirmwareEvent>(event)), 0u) << "from oneself: " << event;
}

TEST_F(EventsTest, TrapsThatEndAtTheGuestCount) {
    first.hart().stvec.raw = test::kVector;
    const struct {
        Cause cause;
        sbi::pmu::FirmwareEvent event;
    } kCases[] = {{Cause::LoadMisaligned, sbi::pmu::MisalignedLoad},
                  {Cause::StoreMisaligned, sbi::pmu::MisalignedStore},
                  {Cause::LoadAccess, sbi::pmu::AccessLoad},
                  {Cause::StoreAccess, sbi::pmu::AccessStore}};
    for (const auto& c : kCases) {
        EXPECT_EQ(handle_exit(first, exception(c.cause, 0x1001)), ExitReason::GuestException);
        EXPECT_EQ(firmware_events(first, c.event), 1u);
    }
    // A load from where nothing is.
    constexpr u32 kLw = 0x0000'2403;  // lw x8, 0(x0)
    first.hart().pc = test::kEntry;
    test::place(guest, test::TestMachine::kEntry, kLw);
    EXPECT_EQ(handle_exit(first, exception(Cause::LoadPageFault, 0x2000'0000)), ExitReason::Mmio);
    EXPECT_EQ(firmware_events(first, sbi::pmu::AccessLoad), 2u);
    for (int i = 0; i < 9; ++i) first.stats.add(ExitReason::Illegal, 0);
    EXPECT_EQ(firmware_events(first, sbi::pmu::IllegalInsn), 9u);
}

// What the SBI keeps about a vCPU ends with its life.

TEST_F(EventsTest, AStartedHartAndANewLifeKnowNothingOfBefore) {
    platform().csrs = {{CsrNo::cycle, 5}, {CsrNo::instret, 0}};
    const auto use = [this](Vcpu& vcpu) {
        call(vcpu, sbi::Ext::Sta, sbi::sta::SetShmem, (kGuestRamBase + 0x4'0000).raw, 0, 0);
        call(vcpu, sbi::Ext::Pmu, sbi::pmu::CounterConfigMatching, 0, 1, 0, kCycles, 0);
        call(vcpu, sbi::Ext::Fwft, sbi::fwft::Set, sbi::fwft::MisalignedExcDeleg, 0, sbi::fwft::kLock);
        EXPECT_TRUE(vcpu.steal_time.enabled());
        EXPECT_NE(vcpu.hart().counters, VirtualCounters{});
        EXPECT_TRUE(vcpu.sbi.misaligned_locked);
    };
    const auto is_fresh = [](const Vcpu& vcpu) {
        return !vcpu.steal_time.enabled() && vcpu.sbi == SbiState{} && vcpu.hart().counters == VirtualCounters{};
    };
    const auto start_second = [this] {
        call(first, sbi::Ext::Hsm, sbi::hsm::Start, 1, test::kEntry, 0);
        test::serve(second);
    };
    start_second();
    use(second);
    EXPECT_EQ(handle_exit(second, sbi_ecall(second.hart(), sbi::Ext::Hsm, sbi::hsm::Stop)), ExitReason::Sbi);
    start_second();
    EXPECT_TRUE(is_fresh(second));
    use(first);
    use(second);
    ASSERT_TRUE(test::TestMachine::start(guest));
    EXPECT_TRUE(is_fresh(first));
    EXPECT_TRUE(is_fresh(second));
}

}  // namespace
}  // namespace uc
