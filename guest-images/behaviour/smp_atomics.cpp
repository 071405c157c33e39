// SPDX-License-Identifier: MIT
// AMOs and LR/SC on memory that all harts share, from S and from U, while one of them changes the page tables that lead
// there: every operation that completes happens once.

#include "guest-images/behaviour/rt/smp.hpp"
#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

// a0: the counter, a1: how often. Each round is visible in a1 at once, so that a fault in between loses none.
SNIPPET(count_amo, "1: amoadd.d zero, a2, (a0)\naddi a1, a1, -1\nbnez a1, 1b");
SNIPPET(count_amo_w, "1: amoadd.w zero, a2, (a0)\naddi a1, a1, -1\nbnez a1, 1b");
SNIPPET(count_lr_sc, "1: lr.d a3, (a0)\nadd a3, a3, a2\nsc.d a4, a3, (a0)\nbnez a4, 1b\naddi a1, a1, -1\nbnez a1, 1b");
SNIPPET(count_lr_sc_w,
        "1: lr.w a3, (a0)\nadd a3, a3, a2\nsc.w a4, a3, (a0)\nbnez a4, 1b\naddi a1, a1, -1\nbnez a1, 1b");
// a0: lock, then a doubleword that only its holder changes. Not interrupted, so never left locked.
SNIPPET(count_locked,
        "li a3, 1\n1: amoswap.w.aq a4, a3, (a0)\nbnez a4, 1b\nld a4, 8(a0)\naddi a4, a4, 1\nsd a4, 8(a0)\n"
        "amoswap.w.rl zero, zero, (a0)\naddi a1, a1, -1\nbnez a1, 1b");

namespace {

constexpr u64 kVa = 0x21'0000'0000;      // for S
constexpr u64 kUserVa = 0x22'0000'0000;  // for U
constexpr u64 kTimes = 1000;
constexpr u64 kChanges = 24;

Space* space;
u64 counters;  // a page
std::atomic<u64> counted, faults;
std::atomic<u64> rounds[kMaxHarts];
std::atomic<bool> done;
bool tables_change;

struct Way {
    const char* name;
    const char* snippet;
    u64 offset;  ///< of its counter in the page
};
constexpr Way kWays[] = {{"amoadd.d", count_amo, 0},
                         {"amoadd.w", count_amo_w, 64},
                         {"lr.d, sc.d", count_lr_sc, 128},
                         {"lr.w, sc.w", count_lr_sc_w, 192},
                         {"under a lock", count_locked, 248}};
const Way* way;

bool table_fault(const Frame& frame) {
    return frame.trapped(Cause::LoadPageFault) || frame.trapped(Cause::StorePageFault);
}

/// Counts kTimes, however often the page goes away meanwhile.
void count(u64 hart) {
    const Priv priv = hart % 2 ? Priv::U : Priv::S;
    const u64 va = (priv == Priv::U ? kUserVa : kVa) + way->offset;
    const u64 pc = priv == Priv::U ? user(way->snippet) : address(way->snippet);
    Frame frame = make_frame(pc, priv, {va, kTimes, 1});
    for (run(frame); !frame.completed(); run(frame)) {
        if (!tables_change || !table_fault(frame)) return fail("cause ", frame.cause);
        ++faults;
        // The same instruction again: nothing has happened yet. An SC finds its reservation gone, or still good.
        frame.sstatus = priv == Priv::S ? Sstatus::SPP.mask : 0;
    }
    counted += kTimes;
    ++rounds[hart];
}

bool all_have_counted(u64 changer) {
    for (u64 hart = 0; hart < hart_count(); ++hart)
        if (hart != changer && rounds[hart] == 0) return false;
    return true;
}

/// Takes the page away, makes it read-only and gives it back, with the fences that all harts need, while they count.
void change_tables(u64 hart) {
    for (u64 change = 1; (change < kChanges || !all_have_counted(hart)) && !failed(); ++change) {
        const u64 flags[] = {kRw, kV | kR | kA, kRw, 0};
        for (u64 va : {kVa, kUserVa})
            space->map(va, counters, flags[change % 4] == 0 ? 0 : flags[change % 4] | (va == kUserVa ? kU : 0));
        sbi_call(sbi::Ext::Rfence, sbi::rfence::SfenceVma, 0, sbi::kAllHarts, 0, 0);
    }
    space->map(kVa, counters, kRw);
    space->map(kUserVa, counters, kRw | kU);
    done = true;
}

void work(u64 hart) {
    space->enter(1);
    rounds[hart] = 0;
    meet();
    if (tables_change && hart == hart_id) {
        change_tables(hart);
    } else {
        do count(hart);
        while (tables_change && !done && !failed());
    }
    meet();
    leave_space();
}

void judge(const char* when) {
    for (const Way& each : kWays) {
        const bool locked = each.snippet == count_locked;
        // The lock's holder may not lose the page: its next access would find the lock taken.
        if (locked && tables_change) continue;
        way = &each;
        auto* counter = reinterpret_cast<volatile u64*>(counters + each.offset) + (locked ? 1 : 0);
        *counter = 0;
        counted = 0;
        done = false;
        if (!together(work)) return;
        say(when, " ", each.name, ": none lost ", *counter == counted);
        expect(*counter == counted, "counter ", *counter, ", counted ", counted.load());
    }
}

}  // namespace

GUEST(smp_atomics) {
    say("harts ", hart_count());
    static Space shared(SatpMode::Sv39);
    space = &shared;
    counters = new_page();
    space->map_snippets();
    space->map(kVa, counters, kRw);
    space->map(kUserVa, counters, kRw | kU);
    judge("at rest");
    tables_change = true;
    judge("tables change");
    say("machine: faults ", faults.load());
}
