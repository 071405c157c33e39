// SPDX-License-Identifier: MIT
// Interprocessor interrupts between all harts: none is lost, whether the receiver sleeps, computes or runs a user.

#include "guest-images/behaviour/rt/smp.hpp"
#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_spin, "1: j 1b");

namespace {

constexpr u64 kHops = 2000;
constexpr u64 kRounds = 300;
constexpr u64 kInterruptions = 10;

std::atomic<u64> hops;

/// One interrupt is on its way at any time, and nobody but its receiver is awake: if it is lost, all sleep.
void ring(u64 hart) {
    const u64 count = hart_count();
    const u64 next = (hart + 1) % count;
    for (;;) {
        u64 at = 0;
        if (!sleep_until([&] { return (at = hops.load()) >= kHops || at % count == hart; }))
            return fail("lost at hop ", at);
        if (at >= kHops) return send_ipi(1ull << next);
        hops = at + 1;
        send_ipi(1ull << next);
    }
}

std::atomic<u64> said[kMaxHarts];

/// Each hart tells all others of each round, and sleeps until it has heard of it from all.
void all_to_all(u64 hart) {
    for (u64 round = 1; round <= kRounds; ++round) {
        said[hart] = round;
        if (hart % 2 == 0) {
            send_ipi(others(hart));
        } else {
            for (u64 to = 0; to < hart_count(); ++to)
                if (to != hart) send_ipi(1ull << to);
        }
        const bool heard = sleep_until([round] {
            for (u64 from = 0; from < hart_count(); ++from)
                if (said[from] < round) return false;
            return true;
        });
        if (!heard) return fail("not all were heard in round ", round);
    }
}

std::atomic<u64> spinning[kMaxHarts];
std::atomic<u64> taken;

/// Hart `victim` computes, as a supervisor and as a user in turn; the next hart interrupts it.
void interrupted(u64 hart, u64 victim) {
    const u64 sender = (victim + 1) % hart_count();
    if (hart == victim) {
        csr_set<CsrNo::sie>(irq_bit(Irq::SSI));
        for (u64 round = 1; round <= kInterruptions; ++round) {
            csr_clear<CsrNo::sip>(irq_bit(Irq::SSI));
            spinning[hart] = round;
            const Frame frame = call(do_spin, round % 2 ? Priv::U : Priv::S, {}, Sstatus::SPIE.mask);
            taken += frame.interrupted(Irq::SSI);
        }
        csr_clear<CsrNo::sie>(irq_bit(Irq::SSI));
    } else if (hart == sender) {
        for (u64 round = 1; round <= kInterruptions; ++round) {
            // The interrupt of the last meeting may come late, for the first round; then the victim is one ahead.
            if (!wait_until([=] { return spinning[victim] >= round; })) return fail("not spinning in round ", round);
            send_ipi(1ull << victim);
        }
    }
}

void interruptions(u64 hart) {
    for (u64 victim = 0; victim < hart_count(); ++victim) {
        if (hart_count() > 1) interrupted(hart, victim);
        meet();
    }
}

/// A base of -1 means all, oneself among them; an empty mask means nobody.
void everyone(u64 hart) {
    csr_clear<CsrNo::sip>(irq_bit(Irq::SSI));
    meet();
    csr_clear<CsrNo::sip>(irq_bit(Irq::SSI));
    static std::atomic<u64> cleared;
    ++cleared;
    while (cleared < hart_count()) {}
    if (hart == hart_id && sbi_call(sbi::Ext::Ipi, sbi::ipi::SendIpi, 0, sbi::kAllHarts).error != sbi::Error::Success)
        fail("to everyone");
    if (!wait_pending(Irq::SSI, true)) fail("not pending at hart ", hart);
}

}  // namespace

GUEST(smp_ipi) {
    say("harts ", hart_count());
    if (together(ring)) say("ring: hops ", hops.load());
    if (together(all_to_all)) say("all to all: rounds ", said[0].load());
    if (together(interruptions)) say("interruptions: taken ", taken.load());
    expect(taken == (hart_count() > 1 ? hart_count() * kInterruptions : 0), "taken");
    if (together(everyone)) say("everyone: pending");
}
