// SPDX-License-Identifier: MIT
// Each hart has a timer of its own: thousands of deadlines on all at once, none early, none forgotten, whether the hart
// sleeps, computes, or runs a user.

#include "guest-images/behaviour/rt/smp.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_spin, "1: j 1b");

namespace {

constexpr u64 kSleeps = 400;
constexpr u64 kTicks = 40;
std::atomic<u64> slept, ticked;

/// Deadlines apart by up to 1000 ticks of the clock, some of them past.
void sleeper(u64 hart) {
    Random random(hart + 1);
    csr_set<CsrNo::sie>(irq_bit(Irq::STI));
    for (u64 round = 0; round < kSleeps; ++round) {
        const u64 deadline = rdtime() + random.next() % 1000;
        set_timer(deadline);
        const u64 limit = deadline + kPatience;
        while ((csr_read<CsrNo::sip>() & irq_bit(Irq::STI)) == 0) {
            if (rdtime() > limit) return fail("no timer in round ", round);
            // A timer that is forgotten would leave the hart asleep, and the meeting would find out.
            asm volatile("wfi" ::: "memory");
        }
        if (rdtime() < deadline) return fail("early in round ", round);
        ++slept;
    }
    set_timer(kNever);
    csr_clear<CsrNo::sie>(irq_bit(Irq::STI));
}

/// Interrupts that end what the hart computes.
void ticker(u64 hart) {
    Random random(hart + 101);
    csr_set<CsrNo::sie>(irq_bit(Irq::STI));
    for (u64 round = 0; round < kTicks; ++round) {
        const u64 deadline = rdtime() + random.next() % 2000;
        set_timer(deadline);
        const Frame frame = call(do_spin, round % 2 ? Priv::U : Priv::S, {}, Sstatus::SPIE.mask);
        if (!frame.interrupted(Irq::STI)) return fail("not the timer: cause ", frame.cause);
        if (rdtime() < deadline) return fail("early in round ", round);
        ++ticked;
    }
    set_timer(kNever);
    csr_clear<CsrNo::sie>(irq_bit(Irq::STI));
    if (csr_read<CsrNo::sip>() & irq_bit(Irq::STI)) fail("still pending");
}

/// Half of the harts arm a timer that the others' must not disturb.
void apart(u64 hart) {
    const bool armed = hart % 2 == 0;
    set_timer(armed ? rdtime() : kNever);
    if (armed && !wait_pending(Irq::STI, true)) fail("not pending at hart ", hart);
    if (!armed && (csr_read<CsrNo::sip>() & irq_bit(Irq::STI))) fail("pending at hart ", hart);
    set_timer(kNever);
    if (csr_read<CsrNo::sip>() & irq_bit(Irq::STI)) fail("not taken back at hart ", hart);
}

}  // namespace

GUEST(smp_timer) {
    say("harts ", hart_count());
    if (together(sleeper)) say("asleep: ", slept.load());
    expect(slept == hart_count() * kSleeps, "asleep");
    if (together(ticker)) say("at work: ", ticked.load());
    expect(ticked == hart_count() * kTicks, "at work");
    if (together(apart)) say("apart");
}
