// SPDX-License-Identifier: MIT
#include "emul/sbi_pmu.hpp"

#include <functional>

#include "emul/csr_file.hpp"
#include "tests/emul/fake_host.hpp"
#include "tests/emul/sbi_scene.hpp"

namespace uc {
namespace {

using namespace test;
using namespace sbi::pmu;

constexpr u64 kCycles = event_idx(Hardware, CpuCycles), kInstructions = event_idx(Hardware, Instructions);
constexpr u64 kAll = 0x7fffd;  // every counter that there is
constexpr u64 kFirstFirmware = 3, kCounters = 19;

struct PmuTest : SbiTest {
    FakeHost host;
    Features features;

    PmuTest() { backend.counters = {1000, 0, 2000}; }
    sbi::Ret config(u64 mask, u64 flags, u64 event, u64 data = 0) {
        return call(Ext::Pmu, CounterConfigMatching, {0, mask, flags, event, data});
    }
    sbi::Ret start(u64 base, u64 mask, u64 flags = 0, u64 initial = 0) {
        return call(Ext::Pmu, CounterStart, {base, mask, flags, initial});
    }
    sbi::Ret stop(u64 base, u64 mask, u64 flags = 0) { return call(Ext::Pmu, CounterStop, {base, mask, flags}); }
    sbi::Ret read(u64 n) { return call(Ext::Pmu, CounterFwRead, {n}); }
    /// A CSR as the guest's kernel reads it.
    u64 csr(CsrNo number) {
        const auto n = static_cast<usize>(number) - static_cast<usize>(CsrNo::cycle);
        host.csrs[static_cast<unsigned>(number)] = backend.counters[n];
        return csr_read({hart, features, host}, number).value_or(0xdead);
    }
};

TEST_F(PmuTest, CountersThatThereAre) {
    EXPECT_EQ(call(Ext::Pmu, NumCounters), gives(kCounters));
    EXPECT_EQ(call(Ext::Pmu, CounterGetInfo, {0}), gives(63ull << 12 | 0xc00));
    EXPECT_EQ(call(Ext::Pmu, CounterGetInfo, {2}), gives(63ull << 12 | 0xc02));
    for (u64 n = kFirstFirmware; n < kCounters; ++n)
        EXPECT_EQ(call(Ext::Pmu, CounterGetInfo, {n}), gives(1ull << 63 | 63ull << 12));
    for (const u64 n : {u64{1}, kCounters, u64{64}, u64{1} << 32, ~u64{0}})
        EXPECT_EQ(call(Ext::Pmu, CounterGetInfo, {n}), fails(Error::InvalidParam)) << n;
    backend.existing_counters = 4;
    EXPECT_EQ(call(Ext::Pmu, CounterGetInfo, {0}), fails(Error::InvalidParam));
    EXPECT_EQ(config(1, 0, kCycles), fails(Error::InvalidParam));
    EXPECT_EQ(call(Ext::Pmu, CounterGetInfo, {2}), gives(63ull << 12 | 0xc02));
    for (const u64 fid : {SnapshotSetShmem, EventGetInfo})
        EXPECT_EQ(call(Ext::Pmu, fid, {kRam, 0, 0}), fails(Error::NotSupported));
}

TEST_F(PmuTest, SetsNameOnlyCountersThatExist) {
    const struct {
        u64 base, mask;
    } kWrong[] = {{0, 2}, {1, 1}, {0, 1ull << 19}, {18, 2}, {19, 1}, {64, 1}, {0, ~0ull}, {~0ull, 1}, {~0ull, 2}};
    for (const auto& c : kWrong) {
        EXPECT_EQ(call(Ext::Pmu, CounterConfigMatching, {c.base, c.mask, 0, kCycles, 0}), fails(Error::InvalidParam));
        EXPECT_EQ(start(c.base, c.mask), fails(Error::InvalidParam)) << c.base << " " << c.mask;
        EXPECT_EQ(stop(c.base, c.mask), fails(Error::InvalidParam)) << c.base << " " << c.mask;
    }
    EXPECT_EQ(start(0, 0), gives(0)) << "none is a set, too";
    EXPECT_EQ(stop(99, 0), gives(0));
    EXPECT_EQ(hart.counters, VirtualCounters{});
}

TEST_F(PmuTest, FlagsThatDoNotExist) {
    ASSERT_EQ(config(kAll, 0, kCycles), gives(0));
    for (const u64 flag : {1ull << 8, 1ull << 63})
        EXPECT_EQ(config(kAll, flag, kInstructions), fails(Error::InvalidParam));
    for (const u64 flag : {4ull, 1ull << 63}) {
        EXPECT_EQ(start(0, 1, flag), fails(Error::InvalidParam));
        EXPECT_EQ(stop(0, 1, flag), fails(Error::InvalidParam));
    }
    EXPECT_EQ(start(0, 1, kInitSnapshot), fails(Error::NoShmem));
    EXPECT_EQ(stop(0, 1, kTakeSnapshot), fails(Error::NoShmem));
    EXPECT_EQ(start(0, 1), gives(0)) << "none of these has started it";
}

TEST_F(PmuTest, EventsFindTheirCounters) {
    EXPECT_EQ(config(kAll, 0xf8, kInstructions), gives(2)) << "hints are ignored";
    EXPECT_EQ(config(kAll, 0, kCycles), gives(0));
    EXPECT_EQ(config(kAll, 0, kCycles), fails(Error::NotSupported)) << "it is taken";
    for (u64 n = kFirstFirmware; n < kCounters; ++n)
        EXPECT_EQ(config(kAll, 0, event_idx(Firmware, (n - 3) % 14)), gives(n));
    EXPECT_EQ(config(kAll, 0, event_idx(Firmware, SetTimer)), fails(Error::NotSupported)) << "all are taken";
    EXPECT_EQ(stop(0, 0x8000, kReset), fails(Error::AlreadyStopped));
    EXPECT_EQ(config(kAll, 0, event_idx(Firmware, SetTimer)), gives(15)) << "one was given back";
}

TEST_F(PmuTest, EventsThatNothingCounts) {
    for (const u64 event :
         {u64{0}, event_idx(Hardware, 3), event_idx(Hardware, 10), event_idx(Cache, 0), event_idx(Raw, 0),
          event_idx(RawV2, 0), event_idx(Firmware, 14), event_idx(Firmware, 21), event_idx(Firmware, 22),
          event_idx(Firmware, 256), event_idx(Firmware, 0xffff), event_idx(Firmware, 0) + (u64{1} << 20), ~u64{0}})
        EXPECT_EQ(config(kAll, 0, event), fails(Error::NotSupported)) << std::hex << event;
    EXPECT_EQ(config(kAll, 0, kCycles, 1), fails(Error::NotSupported)) << "event_data is reserved";
    EXPECT_EQ(config(kAll & ~1ull, 0, kCycles), fails(Error::NotSupported));
    EXPECT_EQ(config(5, 0, event_idx(Firmware, SetTimer)), fails(Error::NotSupported));
    EXPECT_EQ(hart.counters, VirtualCounters{}) << "what fails takes nothing over";
}

TEST_F(PmuTest, SkippingTheMatchTakesTheFirst) {
    EXPECT_EQ(config(4, kSkipMatch, kInstructions), gives(2));
    EXPECT_EQ(config(4, kSkipMatch, kInstructions), gives(2)) << "taken or not";
    EXPECT_EQ(config(kAll, kSkipMatch, kInstructions), fails(Error::NotSupported)) << "the first is cycle";
    EXPECT_EQ(config(0, kSkipMatch, kInstructions), fails(Error::NotSupported));
}

TEST_F(PmuTest, CyclesAreTheKernelsOwn) {
    EXPECT_EQ(csr(CsrNo::cycle), 1000u) << "not taken over: the hart's";
    ASSERT_EQ(config(kAll, 0, kCycles), gives(0));
    EXPECT_EQ(hart.counters.hidden(), 1u);
    backend.counters[0] = 1500;
    EXPECT_EQ(csr(CsrNo::cycle), 1000u) << "stopped";
    EXPECT_EQ(start(0, 1, kSetInitialValue, 1ull << 63), gives(0));
    backend.counters[0] = 1700;
    EXPECT_EQ(csr(CsrNo::cycle), (1ull << 63) + 200);
    EXPECT_EQ(csr(CsrNo::instret), 2000u);
    EXPECT_EQ(start(0, 1, kSetInitialValue, 5), fails(Error::AlreadyStarted));
    EXPECT_EQ(csr(CsrNo::cycle), (1ull << 63) + 200) << "and is not set";
    EXPECT_EQ(stop(0, 1), gives(0));
    backend.counters[0] = 9000;
    EXPECT_EQ(csr(CsrNo::cycle), (1ull << 63) + 200);
    EXPECT_EQ(stop(0, 1), fails(Error::AlreadyStopped));
    EXPECT_EQ(start(0, 1), gives(0)) << "goes on";
    backend.counters[0] = 9001;
    EXPECT_EQ(csr(CsrNo::cycle), (1ull << 63) + 201);
}

TEST_F(PmuTest, ConfiguringMayClearAndStart) {
    ASSERT_EQ(config(kAll, kClearValue | kAutoStart, kInstructions), gives(2));
    backend.counters[2] += 30;
    EXPECT_EQ(csr(CsrNo::instret), 30u);
    const u64 timer = event_idx(Firmware, SetTimer);
    ASSERT_EQ(config(kAll, kAutoStart, timer), gives(3));
    static_cast<void>(call(Ext::Time, 0, {1}));
    EXPECT_EQ(read(3), gives(1));
    ASSERT_EQ(config(8, kSkipMatch | kClearValue, timer), gives(3));
    EXPECT_EQ(read(3), gives(0));
    static_cast<void>(call(Ext::Time, 0, {1}));
    EXPECT_EQ(read(3), gives(1)) << "and is started still";
}

TEST_F(PmuTest, WhatIsNotConfiguredDoesNotStart) {
    ASSERT_EQ(config(kAll, 0, kInstructions), gives(2));
    EXPECT_EQ(start(0, 5), fails(Error::InvalidParam));
    EXPECT_EQ(start(3, 1), fails(Error::InvalidParam));
    EXPECT_EQ(start(2, 1), gives(0)) << "nor did the other with it";
}

TEST_F(PmuTest, SomeOfASetMayBeInThatStateAlready) {
    ASSERT_EQ(config(kAll, kAutoStart, kCycles), gives(0));
    ASSERT_EQ(config(kAll, 0, kInstructions), gives(2));
    EXPECT_EQ(start(0, 5, kSetInitialValue, 7), fails(Error::AlreadyStarted));
    EXPECT_EQ(csr(CsrNo::instret), 7u) << "the other is started";
    EXPECT_EQ(stop(2, 1), gives(0));
    EXPECT_EQ(stop(0, kAll, kReset), fails(Error::AlreadyStopped));
    EXPECT_EQ(config(kAll, 0, kCycles), gives(0)) << "all are reset";
    EXPECT_EQ(config(kAll, 0, kInstructions), gives(2));
}

TEST_F(PmuTest, StoppingWhatWasNeverTakenOverLeavesTheHartsOwn) {
    EXPECT_EQ(stop(0, kAll, kReset), fails(Error::AlreadyStopped));
    EXPECT_EQ(hart.counters, VirtualCounters{});
}

TEST_F(PmuTest, OnlyFirmwareCountersAreReadByCalls) {
    for (const u64 n : {u64{0}, u64{1}, u64{2}, kCounters, ~u64{0}}) {
        EXPECT_EQ(read(n), fails(Error::InvalidParam));
        EXPECT_EQ(call(Ext::Pmu, CounterFwReadHi, {n}), fails(Error::InvalidParam));
    }
    ASSERT_EQ(config(kAll, 0, event_idx(Firmware, AccessLoad)), gives(3));
    EXPECT_EQ(start(3, 1, kSetInitialValue, ~0ull), gives(0));
    EXPECT_EQ(read(3), gives(~0ull));
    EXPECT_EQ(call(Ext::Pmu, CounterFwReadHi, {3}), gives(0));
}

TEST_F(PmuTest, FirmwareCountersFollowEventsWhileTheyRun) {
    for (u64 code = 0; code < FirmwareEvents; ++code) {
        ASSERT_EQ(config(kAll, 0, event_idx(Firmware, code)), gives(3));
        backend.firmware[code] += 100;
        EXPECT_EQ(start(3, 1, kSetInitialValue, 40), gives(0));
        backend.firmware[code] += 2;
        EXPECT_EQ(read(3), gives(42)) << code;
        EXPECT_EQ(stop(3, 1), gives(0));
        backend.firmware[code] += 1000;
        EXPECT_EQ(read(3), gives(42)) << code;
        EXPECT_EQ(start(3, 1), gives(0));
        backend.firmware[code] += 1;
        EXPECT_EQ(read(3), gives(43)) << code;
        EXPECT_EQ(stop(3, 1, kReset), gives(0));
        EXPECT_EQ(read(3), gives(43)) << code;
    }
}

TEST_F(PmuTest, WhatIsSentToOthersCounts) {
    self = 1;
    const struct {
        FirmwareEvent event;
        std::function<void()> make;
        u64 count;
    } kCases[] = {
        {SetTimer, [&] { static_cast<void>(call(Ext::Time, 0, {1})); }, 1},
        {SetTimer, [&] { static_cast<void>(legacy(Ext::LegacySetTimer, {1})); }, 1},
        {IpiSent, [&] { static_cast<void>(call(Ext::Ipi, 0, {0b111, 0})); }, 2},
        {IpiSent, [&] { static_cast<void>(call(Ext::Ipi, 0, {0b10, 0})); }, 0},
        {IpiSent, [&] { static_cast<void>(call(Ext::Ipi, 0, {1, 5})); }, 0},
        {IpiSent, [&] { static_cast<void>(legacy(Ext::LegacySendIpi, {0})); }, 4},
        {FenceISent, [&] { static_cast<void>(call(Ext::Rfence, 0, {0b101, 0})); }, 2},
        {FenceISent, [&] { static_cast<void>(legacy(Ext::LegacyRemoteFenceI, {0})); }, 4},
        {SfenceVmaSent, [&] { static_cast<void>(call(Ext::Rfence, 1, {0b11, 0, 0, 0})); }, 1},
        {SfenceVmaSent, [&] { static_cast<void>(legacy(Ext::LegacyRemoteSfenceVma, {0, 0, 0})); }, 4},
        {SfenceVmaAsidSent, [&] { static_cast<void>(call(Ext::Rfence, 2, {0b11, 0, 0, 0, 5})); }, 1},
        {SfenceVmaAsidSent, [&] { static_cast<void>(legacy(Ext::LegacyRemoteSfenceVmaAsid, {0, 0, 0, 5})); }, 4},
    };
    for (const auto& c : kCases) {
        ASSERT_EQ(config(kAll, kClearValue | kAutoStart, event_idx(Firmware, c.event)), gives(3));
        c.make();
        EXPECT_EQ(read(3), gives(c.count)) << c.event;
        EXPECT_EQ(stop(3, 1, kReset), gives(0));
    }
    EXPECT_EQ(backend.sbi_states[0], SbiState{}) << "they are the caller's";
}

}  // namespace
}  // namespace uc
