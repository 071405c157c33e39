// SPDX-License-Identifier: MIT
#include "hv/steal_time.hpp"

#include "tests/hv/many_scene.hpp"

namespace uc {
namespace {

using sbi::sta::Record;
using test::interrupt;
using test::sbi_ecall;
using test::shut_down;
using test::TestMachine;

constexpr Gpa kRecord = kGuestRamBase + 0x4'0040;
constexpr u64 kNsPerTick = 100;

Record record(Guest& guest) { return guest.ram().load<Record>(kRecord).value_or(Record{}); }

struct StealTimeTest : testing::Test {
    TestMachine machine;
    Guest& guest = machine.start();
    Vcpu& vcpu = guest.vcpus()[0];
    StealTime steal;
};

TEST_F(StealTimeTest, NothingIsWrittenUntilItIsEnabled) {
    EXPECT_FALSE(steal.enabled());
    ASSERT_TRUE(guest.ram().store(kRecord, u64{0x5a5a}));
    steal.preempted(vcpu);
    steal.running(vcpu, 100);
    EXPECT_EQ(record(guest).sequence, 0x5a5au);
}

TEST_F(StealTimeTest, WhatWasWaitedSinceIsTold) {
    steal.enable(kRecord, 1000);
    EXPECT_TRUE(steal.enabled());
    steal.running(vcpu, 1000);
    EXPECT_EQ(record(guest).sequence, 0u) << "nothing new";
    steal.running(vcpu, 1007);
    EXPECT_EQ(record(guest).steal, 7 * kNsPerTick);
    EXPECT_EQ(record(guest).sequence, 2u);
    steal.running(vcpu, 1000 + 3 * machine.platform.timebase_hz());
    EXPECT_EQ(record(guest).steal, 3'000'000'000u);
    EXPECT_EQ(record(guest).sequence, 4u);
    EXPECT_EQ(record(guest).flags, 0u);
}

TEST_F(StealTimeTest, ItIsPreemptedUntilItRuns) {
    steal.enable(kRecord, 0);
    steal.preempted(vcpu);
    EXPECT_EQ(record(guest).preempted, 1);
    EXPECT_EQ(record(guest).sequence, 0u) << "which is about `steal`";
    steal.running(vcpu, 0);
    EXPECT_EQ(record(guest).preempted, 0);
    steal.preempted(vcpu);
    steal.running(vcpu, 5);
    EXPECT_EQ(record(guest).preempted, 0);
    EXPECT_EQ(record(guest).steal, 5 * kNsPerTick);
}

TEST_F(StealTimeTest, WhatTheGuestWritesThereDoesNotMatter) {
    steal.enable(kRecord, 0);
    Record nonsense;
    nonsense.sequence = 77;
    nonsense.steal = ~0ull;
    ASSERT_TRUE(guest.ram().store(kRecord, nonsense));
    steal.running(vcpu, 5);
    EXPECT_EQ(record(guest).sequence, 2u);
    EXPECT_EQ(record(guest).steal, 5 * kNsPerTick);
}

TEST_F(StealTimeTest, ItIsSwitchedOff) {
    steal.enable(kRecord, 0);
    steal.enable(std::nullopt, 0);
    EXPECT_FALSE(steal.enabled());
    steal.preempted(vcpu);
    steal.running(vcpu, 5);
    EXPECT_EQ(record(guest).sequence + record(guest).preempted, 0u);
}

// A record may lie in what the guest also uses as a page table.
TEST_F(StealTimeTest, TheShadowTablesHearOfIt) {
    constexpr Gpa kTable{align_down(kRecord.raw, kPageSize)};
    constexpr Gva kVa{8ull << 30};  // its root entry is the record's second word
    const u64 leaf = kGuestRamBase.frame() << Pte::PPN.lsb | Pte::V.mask | Pte::R.mask | Pte::A.mask;
    ASSERT_TRUE(guest.ram().store(kTable + 0x48, leaf));
    vcpu.hart().satp.set(Satp::MODE, static_cast<u64>(SatpMode::Sv39)).set(Satp::PPN, kTable.frame());
    static_cast<void>(guest.shadow().activate(0, vcpu.view()));
    const Gva va = kVa + (u64{1} << 30);
    ASSERT_EQ(guest.shadow().handle_fault(0, vcpu.view(), va, Access::Load).kind, Shadow::FaultResult::Kind::Retry);
    ASSERT_TRUE(guest.shadow().lookup(vcpu.view(), va));
    steal.enable(kRecord, 0);
    steal.running(vcpu, 4);  // 400: no leaf that is valid
    machine.platform.flush(guest.shadow().fence(std::nullopt, std::nullopt));
    EXPECT_FALSE(guest.shadow().lookup(vcpu.view(), va));
}

// In the run loop.

struct StealTimeLoop : test::ManyScene {
    void then_enable(const std::string& vcpu) {
        then_as(vcpu,
                [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Sta, sbi::sta::SetShmem, kRecord.raw, 0, 0); });
    }
};

TEST_F(StealTimeLoop, WhoSharesAHartWaitsWhileTheOtherRuns) {
    Guest& a = add("a");
    add("b");
    then_enable("a0");
    then_compute("a0");
    then_as("b0", [&](GuestHart&) {
        EXPECT_EQ(record(a).preempted, 1);
        platform.now = platform.deadline;
        return interrupt(Irq::STI);
    });
    then_as("a0", [&](GuestHart& hart) {
        EXPECT_EQ(record(a).preempted, 0);
        EXPECT_EQ(record(a).steal, slice() * kNsPerTick);
        return shut_down(hart);
    });
    then_shut_down("b0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(StealTimeLoop, SleepIsNotStolen) {
    Guest& a = add("a");
    then_enable("a0");
    then_as("a0", [this](GuestHart& hart) {
        return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, platform.now + 5 * slice());
    });
    then_wait("a0", Irq::STI);
    then_as("a0", [&](GuestHart& hart) {
        EXPECT_EQ(record(a).steal, 0u);
        EXPECT_EQ(record(a).preempted, 0);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

}  // namespace
}  // namespace uc
