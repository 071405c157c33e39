// SPDX-License-Identifier: MIT
#include "hv/exit_trace.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "tests/hv/test_machine.hpp"

namespace uc {
namespace {

constexpr u64 kHz = 1'000'000'000;
constexpr usize kSlots = 8;
constexpr u64 kWho = 0x0003'0200;  // guest 3, vCPU 2

struct TraceTest : testing::Test {
    std::array<ExitTrace::Slot, kSlots> slots{};
    ExitTrace trace;

    void keep() { trace.use(slots, {ExitCounter::Cycle, kHz}); }
    void add(u64 pc) { trace.end(trace.begin(pc, 8, pc + 1, 10 * pc), ExitReason::Csr, kWho, 10 * pc + 3); }
    std::vector<u64> readable() {
        std::vector<u64> pcs;
        const u64 count = trace.count();
        for (u64 i = trace.first(count); i < count; ++i) {
            const auto record = trace.read(i);
            EXPECT_TRUE(record) << i;
            if (record) pcs.push_back(record->pc);
        }
        return pcs;
    }
};

TEST_F(TraceTest, RecordsComeBackWhole) {
    keep();
    add(7);
    const auto record = trace.read(0);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->pc, 7u);
    EXPECT_EQ(record->scause, 8u);
    EXPECT_EQ(record->stval, 8u);
    EXPECT_EQ(record->entered, 70u);
    EXPECT_EQ(record->left, 73u);
    EXPECT_EQ(record->guest, 3u);
    EXPECT_EQ(record->vcpu, 2u);
    EXPECT_EQ(record->reason, ExitReason::Csr);
    EXPECT_FALSE(record->is_mark());
    EXPECT_FALSE(trace.read(1)) << "there is none yet";
}

TEST_F(TraceTest, TheLastAreKept) {
    keep();
    EXPECT_EQ(readable(), std::vector<u64>{});
    std::vector<u64> all;
    for (u64 pc = 0; pc < 3 * kSlots; ++pc) {
        add(pc);
        all.push_back(pc);
        const usize kept = std::min<usize>(all.size(), kSlots - ExitTrace::kLost);
        EXPECT_EQ(readable(), std::vector<u64>(all.end() - static_cast<long>(kept), all.end()));
    }
}

TEST_F(TraceTest, WhatIsBeingWrittenIsNotShown) {
    keep();
    for (u64 pc = 0; pc < kSlots; ++pc) add(pc);
    const auto before = readable();
    static_cast<void>(trace.begin(99, 0, 0, 0));
    EXPECT_EQ(trace.count(), kSlots);
    EXPECT_EQ(readable(), before);
    EXPECT_FALSE(trace.read(0)) << "the new one is written over it";
}

TEST_F(TraceTest, AReaderThatWasTooSlowIsTold) {
    keep();
    for (u64 pc = 0; pc < kSlots; ++pc) add(pc);
    const u64 first = trace.first(trace.count());
    EXPECT_TRUE(trace.read(first));
    add(100);
    EXPECT_FALSE(trace.read(first));
    EXPECT_TRUE(trace.read(first + 1));
}

TEST_F(TraceTest, WithoutSlotsNothingIsKept) {
    for (u64 pc = 0; pc < 5; ++pc) add(pc);
    EXPECT_EQ(trace.count(), 5u);
    EXPECT_EQ(readable(), std::vector<u64>{});
    for (u64 i = 0; i < 6; ++i) EXPECT_FALSE(trace.read(i)) << i;
}

/// With a guest, as the run loop does it.
struct EnterTest : TraceTest {
    test::TestMachine host;
    Guest& guest = host.create(host.config("g", 2), 5);
    Vcpu &first = guest.vcpus()[0], &second = guest.vcpus()[1];

    EnterTest() { keep(); }
    void at(u64 cycles, u64 time) {
        host.platform.cycles = cycles;
        host.platform.now = time;
    }
};

TEST_F(EnterTest, AMarkTellsWhoRunsAndWhatTimeItIs) {
    at(100, 7);
    trace.enter(second, host.platform);
    EXPECT_EQ(second.trace, &trace);
    const auto mark = trace.read(0);
    ASSERT_TRUE(mark);
    EXPECT_TRUE(mark->is_mark());
    EXPECT_EQ(mark->guest, 5u);
    EXPECT_EQ(mark->vcpu, 1u);
    EXPECT_EQ(mark->entered, 100u);
    EXPECT_EQ(mark->left, 100u);
    EXPECT_EQ(mark->time, 7u);
    EXPECT_EQ(mark->pc, 0u);
    EXPECT_EQ(trace.last_mark().entered, 100u);
    EXPECT_EQ(trace.last_mark().time, 7u);
}

TEST_F(EnterTest, MarksComeForANewVcpuAndNowAndThen) {
    const auto marks = [&](u64 cycles, Vcpu& vcpu) {
        const u64 before = trace.count();
        at(cycles, cycles / 100);
        trace.enter(vcpu, host.platform);
        return trace.count() - before;
    };
    EXPECT_EQ(marks(1000, first), 1u);
    EXPECT_EQ(marks(1000, first), 0u);
    EXPECT_EQ(marks(1000 + kHz / 64 - 1, first), 0u);
    EXPECT_EQ(marks(1000 + kHz / 64, first), 1u);
    EXPECT_EQ(marks(1000 + kHz / 64, second), 1u);
    trace.leave(host.platform);
    EXPECT_EQ(marks(1000 + kHz / 64, second), 1u) << "it was away";
}

TEST_F(EnterTest, WithoutAClockMarksComeForANewVcpuOnly) {
    trace.use(slots, {});
    for (int i = 0; i < 5; ++i) trace.enter(first, host.platform);
    EXPECT_EQ(trace.count(), 1u);
}

TEST_F(EnterTest, AnExitThatLeadsToTheRunLoopEndsWhenThatIsDone) {
    const auto exit = [&] {
        static_cast<void>(trace.begin(1, 2, 3, 400));
        first.last_exit = ExitReason::Sbi;
        trace.keep_open();
    };
    trace.enter(first, host.platform);
    exit();
    EXPECT_EQ(trace.count(), 1u);
    at(450, 0);
    trace.enter(first, host.platform);
    ASSERT_EQ(trace.count(), 2u);
    EXPECT_EQ(trace.read(1)->reason, ExitReason::Sbi);
    EXPECT_EQ(trace.read(1)->guest, 5u);
    EXPECT_EQ(trace.read(1)->left, 450u);
    trace.enter(first, host.platform);
    EXPECT_EQ(trace.count(), 2u) << "it ends once";

    exit();
    at(460, 0);
    trace.leave(host.platform);
    ASSERT_EQ(trace.count(), 3u);
    EXPECT_EQ(trace.read(2)->left, 460u);
    trace.leave(host.platform);
    EXPECT_EQ(trace.count(), 3u);
    EXPECT_EQ(first.stats.exits(), 2u);
    EXPECT_EQ(first.stats.of(ExitReason::Sbi).count.get(), 2u);
    EXPECT_EQ(first.stats.of(ExitReason::Sbi).spent.get(), 110u);
}

}  // namespace
}  // namespace uc
