// SPDX-License-Identifier: MIT
// Steal-time accounting (SBI 2.0, chapter 16): two harts that compute all the time share one of the machine, and each
// is told that it waited for about half of it.

#include "guest-images/behaviour/rt/second.hpp"

using namespace uc;
using namespace uc::rt;
using sbi::Error;

extern "C" const char second_computes[];
asm(R"(
    .pushsection .text
    .globl second_computes
    .balign 4
second_computes:
    ld      t0, 0(a1)
    addi    t0, t0, 1
    sd      t0, 0(a1)
    j       second_computes
    .popsection
)");

namespace {

constexpr u64 kNsPerTick = 100;  // of virt and sifive_u: 10 MHz and, near enough here, 1 MHz
alignas(64) volatile sbi::sta::Record record;
volatile u64 second_work;

sbi::Ret set_record(u64 low, u64 high = 0, u64 flags = 0) {
    return sbi_call(sbi::Ext::Sta, sbi::sta::SetShmem, low, high, flags);
}

void refused(const char* what, Error want, u64 low, u64 high = 0, u64 flags = 0) {
    const auto ret = set_record(low, high, flags);
    say(what, ": ", Dec{static_cast<i64>(ret.error)});
    expect(ret.error == want, what);
}

/// As the specification has supervisors read it.
u64 steal() {
    for (;;) {
        const u32 before = record.sequence;
        asm volatile("fence r, r" ::: "memory");
        const u64 value = record.steal;
        asm volatile("fence r, r" ::: "memory");
        if (before % 2 == 0 && before == record.sequence) return value;
    }
}

}  // namespace

GUEST(steal_time) {
    const u64 at = reinterpret_cast<u64>(&record);
    if (!expect(sbi_has(sbi::Ext::Sta), "no steal time")) return;
    refused("flags", Error::InvalidParam, at, 0, 1);
    refused("misaligned", Error::InvalidParam, at + 8);
    refused("nowhere", Error::InvalidAddress, 0x1000);
    refused("high half", Error::InvalidAddress, at, 1);

    record.sequence = 77;
    record.pad[46] = 1;
    expect(set_record(at).error == Error::Success, "enable");
    expect(record.pad[46] == 0 && record.flags == 0, "not zeroed");
    expect(start_hart(other_hart(), address(second_computes), reinterpret_cast<u64>(&second_work)) == Error::Success,
           "start");
    expect(wait_until([] { return second_work != 0; }), "the second does not run");

    const u64 begin = rdtime(), stolen_before = steal();
    u64 last = stolen_before;
    bool backwards = false, preempted = false;
    while (rdtime() - begin < 5'000'000) {
        const u64 now = steal();
        backwards = backwards || now < last;
        preempted = preempted || record.preempted != 0;
        last = now;
    }
    const u64 stolen = last - stolen_before, passed = (rdtime() - begin) * kNsPerTick;
    say("machine: stolen ", Dec{static_cast<i64>(stolen)}, " of ", Dec{static_cast<i64>(passed)}, " ns");
    expect(stolen > passed / 4 && stolen < passed / 4 * 3, "not half of the time");
    expect(!backwards, "steal goes back");
    expect(!preempted && record.flags == 0, "who reads this is running");
    say("half of the time");

    expect(set_record(~0ull, ~0ull).error == Error::Success, "disable");
    const u64 sequence = record.sequence;
    const u64 then = rdtime();
    while (rdtime() - then < 1'000'000) {}
    expect(record.sequence == sequence, "told although it is disabled");
    say("disabled");
}
