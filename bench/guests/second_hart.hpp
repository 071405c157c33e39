// SPDX-License-Identifier: MIT
#pragma once
// A second hart that sleeps, computes or answers, as the first would have it.

#include "guest-images/behaviour/rt/second.hpp"
#include "guest-images/behaviour/rt/space.hpp"

namespace uc::bench {

using namespace rt;

/// What the second hart does until it is told otherwise.
enum class Part : u64 {
    Answer,   ///< sleeps in wfi, and answers each interrupt with one
    Compute,  ///< counts, with interrupts on, and counts these
    Stop,
};

struct SecondHart {
    volatile u64 taken;  ///< interrupts, while it computes; known to second_interrupted
    volatile Part part;
    volatile Part plays;  ///< by the second: that it has begun
    volatile u64 counted;
    u64 satp;
    u64 first;
    char stack[4096];
};
inline SecondHart second;

inline void ipi_to(u64 hart) { sbi_call(sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, hart); }

/// Sleeps until an interrupt from another hart is pending, and clears it.
inline void await_ipi() {
    while ((csr_read<CsrNo::sip>() & irq_bit(Irq::SSI)) == 0) asm volatile("wfi" ::: "memory");
    csr_clear<CsrNo::sip>(irq_bit(Irq::SSI));
}

inline void play(Part part) {
    second.part = part;
    ipi_to(other_hart());
    expect(wait_until([part] { return second.plays == part; }), "the second hart does not follow");
}

inline void answer() {
    while (true) {
        await_ipi();
        if (second.part != Part::Answer) return;
        ipi_to(second.first);
    }
}

inline void compute() {
    csr_set<CsrNo::sstatus>(Sstatus::SIE.mask);
    while (second.part == Part::Compute) second.counted = second.counted + 1;
    csr_clear<CsrNo::sstatus>(Sstatus::SIE.mask);
}

/// Starts the second hart, which answers at first, in the address space of the caller.
void start_second_hart();

/// Prints what `count` times `action` took, in ticks, for harts.py. A tenth of them come before, to warm up.
template <class Action>
void measure(const char* name, u64 count, Action action) {
    for (u64 i = 0; i < count / 10; ++i) action();
    const u64 start = rdtime();
    for (u64 i = 0; i < count; ++i) action();
    const u64 ticks = rdtime() - start;
    say("cost ", name, " ", Dec{static_cast<i64>(count)}, " ", Dec{static_cast<i64>(ticks)});
}

}  // namespace uc::bench
