// SPDX-License-Identifier: MIT
// Performance counters through SBI PMU (SBI 2.0, chapter 11). Which counters there are, and whether they can be
// stopped, is the machine's; inside Undercroft all is as the guest asks.

#include "guest-images/behaviour/rt/rt.hpp"

using namespace uc;
using namespace uc::rt;
using namespace uc::sbi::pmu;
using sbi::Error;
using sbi::Ext;

namespace {

constexpr u64 kInitial = 1ull << 40;
bool ours;  // Undercroft
u64 all;    // counters that exist

u64 read_csr(u64 info) {
    const Frame frame = exec(Priv::S, {csr_insn(Csrrs, static_cast<u32>(info & 0xfff), a0, 0)});
    expect(frame.completed(), "csr ", info & 0xfff);
    return frame.x[a0];
}

void work() {
    for (unsigned i = 0; i < 2000; ++i) asm volatile("");
}

void must(const char* what, Error want, sbi::Ret ret) {
    say(what, ": ", Dec{static_cast<i64>(ret.error)});
    expect(ret.error == want, what);
}

void find_counters() {
    const auto count = sbi_call(Ext::Pmu, NumCounters);
    say("machine: counters ", count.value);
    expect(count.error == Error::Success && count.value >= 3, "counters");
    for (u64 n = 0; n < count.value && n < 64; ++n)
        if (sbi_call(Ext::Pmu, CounterGetInfo, n).error == Error::Success) all |= 1ull << n;
    say("machine: which ", all);
    must("info of no counter", Error::InvalidParam, sbi_call(Ext::Pmu, CounterGetInfo, count.value));
    sbi_call(Ext::Pmu, CounterStop, 0, all, kReset);
}

void hardware(const char* what, u64 event) {
    const auto found = sbi_call(Ext::Pmu, CounterConfigMatching, 0, all, 0, event);
    must(what, Error::Success, found);
    const u64 n = found.value, info = sbi_call(Ext::Pmu, CounterGetInfo, n).value;
    say("machine: counter ", n, " info ", info);
    expect((info & kInfoFirmware) == 0, "hardware");
    must("  start", Error::Success, sbi_call(Ext::Pmu, CounterStart, n, 1, kSetInitialValue, kInitial));
    const u64 first = read_csr(info);
    work();
    const u64 second = read_csr(info);
    say("machine: counted ", second - first);
    expect(first >= kInitial && first < kInitial + kInitial / 2, "initial value ", first);
    expect(second > first && second - first < kInitial / 2, "progress ", second - first);
    const auto again = sbi_call(Ext::Pmu, CounterStart, n, 1, kSetInitialValue, 0);
    expect(!ours || again.error == Error::AlreadyStarted, "started twice");
    const auto stopped = sbi_call(Ext::Pmu, CounterStop, n, 1, 0);
    if (ours) {
        expect(stopped.error == Error::Success, "stop");
        const u64 last = read_csr(info);
        work();
        expect(read_csr(info) == last && last > second, "stops");
        expect(sbi_call(Ext::Pmu, CounterStop, n, 1, 0).error == Error::AlreadyStopped, "stopped twice");
        // The guest's user reads the same, if it may.
        csr_write<CsrNo::scounteren>(7);
        const u32 insn = csr_insn(Csrrs, static_cast<u32>(info & 0xfff), a0, 0);
        expect(exec(Priv::U, {insn}).x[a0] == last, "as the user sees it");
        csr_write<CsrNo::scounteren>(0);
        expect(exec(Priv::U, {insn}).trapped(Cause::IllegalInstruction), "closed to the user");
    }
    sbi_call(Ext::Pmu, CounterStop, n, 1, kReset);
}

void firmware() {
    const auto found =
        sbi_call(Ext::Pmu, CounterConfigMatching, 0, all, kClearValue, event_idx(Firmware, FirmwareEvent::SetTimer));
    must("set-timer events", Error::Success, found);
    const u64 n = found.value;
    const auto value = [n] { return sbi_call(Ext::Pmu, CounterFwRead, n).value; };
    set_timer(kNever);
    must("  start", Error::Success, sbi_call(Ext::Pmu, CounterStart, n, 1, kSetInitialValue, 100));
    for (unsigned i = 0; i < 5; ++i) set_timer(kNever);
    say("  value ", Dec{static_cast<i64>(value())});
    expect(value() == 105, "five");
    must("  stop", Error::Success, sbi_call(Ext::Pmu, CounterStop, n, 1, 0));
    set_timer(kNever);
    if (ours) expect(value() == 105, "stopped");
    sbi_call(Ext::Pmu, CounterStop, n, 1, kReset);

    const auto illegal = sbi_call(Ext::Pmu, CounterConfigMatching, 0, all, kClearValue | kAutoStart,
                                  event_idx(Firmware, FirmwareEvent::IllegalInsn));
    must("illegal instructions", Error::Success, illegal);
    for (unsigned i = 0; i < 3; ++i) exec(Priv::U, {0});
    const u64 seen = sbi_call(Ext::Pmu, CounterFwRead, illegal.value).value;
    say("machine: seen ", seen);
    if (ours) expect(seen == 3, "illegal instructions");
    sbi_call(Ext::Pmu, CounterStop, illegal.value, 1, kReset);
    must("firmware read of no counter", Error::InvalidParam, sbi_call(Ext::Pmu, CounterFwRead, 1000));
}

}  // namespace

GUEST(pmu) {
    ours = sbi_call(Ext::Base, sbi::base::ImplId).value == 0x5543;
    if (!expect(sbi_has(Ext::Pmu), "no PMU")) return;
    find_counters();
    hardware("cycles", event_idx(Hardware, CpuCycles));
    hardware("instructions", event_idx(Hardware, Instructions));
    {
        // OpenSBI 1.1 takes it, later ones say that a parameter is wrong.
        const MachineLines mark;
        const auto none = sbi_call(Ext::Pmu, CounterConfigMatching, 0, all, 0, event_idx(Firmware, 100));
        say("no event: ", Dec{static_cast<i64>(none.error)});
        if (ours) expect(none.error == Error::NotSupported, "no event");
        if (none.error == Error::Success) sbi_call(Ext::Pmu, CounterStop, none.value, 1, kReset);
    }
    firmware();
}
