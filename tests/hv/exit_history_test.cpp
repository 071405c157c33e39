// SPDX-License-Identifier: MIT
#include "hv/exit_history.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "hv/vcpu.hpp"
#include "tests/hv/test_machine.hpp"

namespace uc {
namespace {

constexpr u64 kTimebase = 10'000'000;  // 100 ns
constexpr u64 kHz = 1'000'000'000;

struct HistoryTest : testing::Test {
    test::TestMachine host;
    Guest& guest = host.create(host.config("g", 2), 5);
    ExitTrace here, there;
    ExitHistory history;

    void start(const ExitClock& clock = {ExitCounter::Cycle, kHz}) {
        ASSERT_TRUE(history.start(host.memory, 2, clock, kTimebase));
        history.add(7, here);
        history.add(4, there);
    }
    void mark(ExitTrace& trace, u64 cycles, u64 time, unsigned vcpu = 0) {
        host.platform.cycles = cycles;
        host.platform.now = time;
        trace.leave(host.platform);
        trace.enter(guest.vcpus()[vcpu], host.platform);
    }
    static void exit(ExitTrace& trace, u64 pc, u64 entered, u64 left) {
        trace.end(trace.begin(pc, 8, 0, entered), ExitReason::Csr, 0, left);
    }
    /// pc of each exit, 0 of marks.
    std::vector<u64> order() {
        std::vector<u64> pcs;
        for (const TracedExit& e : history.collect(ExitHistory::Reader::Monitor))
            pcs.push_back(e.record.is_mark() ? 0 : e.record.pc);
        return pcs;
    }
};

TEST_F(HistoryTest, NothingWithoutTraces) {
    EXPECT_TRUE(history.collect(ExitHistory::Reader::Monitor).empty());
    start();
    EXPECT_TRUE(history.collect(ExitHistory::Reader::Monitor).empty());
}

TEST_F(HistoryTest, NeedsMemory) {
    HostMemory none(0);
    EXPECT_FALSE(history.start(none, 1, {}, kTimebase));
    history.add(0, here);
    exit(here, 1, 2, 3);
    EXPECT_TRUE(history.collect(ExitHistory::Reader::Monitor).empty());
}

TEST_F(HistoryTest, HartsAreMergedByTime) {
    start();
    mark(here, 1'000, 50);       // at 5000 ns
    mark(there, 9'000'000, 51);  // at 5100 ns; its cycles have nothing to do with those of the other
    exit(here, 1, 1'050, 1'060);
    exit(there, 2, 9'000'010, 9'000'030);
    exit(here, 3, 1'120, 1'130);
    EXPECT_EQ(order(), (std::vector<u64>{0, 1, 0, 2, 3}));
    const auto all = history.collect(ExitHistory::Reader::Monitor);
    EXPECT_EQ(all[1].at_ns, 5'050u);
    EXPECT_EQ(all[1].ns, 10u);
    EXPECT_EQ(all[1].hart, 7u);
    EXPECT_EQ(all[1].number, 1u);
    EXPECT_EQ(all[3].at_ns, 5'110u);
    EXPECT_EQ(all[3].ns, 20u);
    EXPECT_EQ(all[3].hart, 4u);
    EXPECT_EQ(all[4].at_ns, 5'120u);
}

TEST_F(HistoryTest, EqualTimesKeepTheOrderOfEachHart) {
    start();
    mark(here, 0, 1);
    mark(there, 0, 1);
    for (u64 pc = 1; pc < 50; ++pc) exit(pc % 2 != 0 ? here : there, pc, 0, 0);
    std::vector<u64> odd, even;
    for (const u64 pc : order()) {
        if (pc != 0) (pc % 2 != 0 ? odd : even).push_back(pc);
    }
    EXPECT_TRUE(std::ranges::is_sorted(odd));
    EXPECT_TRUE(std::ranges::is_sorted(even));
    EXPECT_EQ(odd.size() + even.size(), 49u);
}

TEST_F(HistoryTest, NoExitBeginsBeforeTheLastIsOver) {
    start();
    mark(here, 0, 100);
    exit(here, 1, 500, 900);
    mark(here, 1'000,
         105);  // `time` is coarse, and the clock's rate not exact: this would be at 10500, within the exit
    exit(here, 2, 1'010, 1'020);
    mark(here, 5'000, 150);  // but that does not add up
    const auto all = history.collect(ExitHistory::Reader::Monitor);
    ASSERT_EQ(all.size(), 5u);
    EXPECT_EQ(all[1].at_ns, 10'500u);
    EXPECT_EQ(all[1].ns, 400u);
    EXPECT_EQ(all[2].at_ns, 10'900u);
    EXPECT_EQ(all[3].at_ns, 10'900u);
    EXPECT_EQ(all[4].at_ns, 15'000u);
}

TEST_F(HistoryTest, TheTimeOfExitsWithoutAMarkIsKnown) {
    start();
    mark(here, 1'000, 100);
    for (u64 i = 0; i < 2 * ExitTrace::kRecords; ++i) exit(here, i, 2'000 + 10 * i, 2'005 + 10 * i);
    auto all = history.collect(ExitHistory::Reader::Monitor);
    ASSERT_EQ(all.size(), ExitTrace::kRecords - ExitTrace::kLost);
    EXPECT_EQ(all.back().at_ns, 10'000 + 1'000 + 10 * (2 * ExitTrace::kRecords - 1));
    EXPECT_EQ(all.back().record.pc, 2 * ExitTrace::kRecords - 1);
    // Those before the first mark that is kept, counted back from it.
    mark(here, 100'000, 10'000);
    all = history.collect(ExitHistory::Reader::Monitor);
    EXPECT_EQ(all.back().at_ns, 1'000'000u);
    EXPECT_EQ(all[all.size() - 2].at_ns, 1'000'000 - (100'000 - (2'000 + 10 * (2 * ExitTrace::kRecords - 1))));
}

TEST_F(HistoryTest, WithoutAClockMarksAloneHaveATime) {
    start({});
    mark(here, 0, 1);
    exit(here, 1, 0, 0);
    exit(here, 2, 0, 0);
    mark(here, 0, 2);
    exit(here, 3, 0, 0);
    EXPECT_EQ(order(), (std::vector<u64>{0, 1, 2, 0, 3}));
    const auto all = history.collect(ExitHistory::Reader::Monitor);
    EXPECT_EQ(all[2].at_ns, 100u);
    EXPECT_EQ(all[2].ns, 0u);
    EXPECT_EQ(all[4].at_ns, 200u);
}

}  // namespace
}  // namespace uc
