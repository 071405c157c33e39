// SPDX-License-Identifier: MIT
#pragma once
// All harts of the machine at work: started together, met with, told apart by their ids, which are 0 to hart_count()
// - 1.
//
// Only the hart that booted prints and calls expect(); the others fail(). Whoever waits sleeps in wfi, so that harts
// which outnumber the machine's do not take each other's time, and so that an interrupt that is lost is noticed.

#include <atomic>

#include "guest-images/behaviour/rt/second.hpp"

namespace uc::rt {

/// How many harts HSM knows.
u64 hart_count();
/// Bit per hart.
inline u64 all_harts() { return ~0ull >> (64 - hart_count()); }
inline u64 others(u64 hart) { return all_harts() & ~(1ull << hart); }

/// Runs body(id) on each hart at once, the caller's among them, whose others are stopped before and after. False, and
/// the guest fails, if any hart failed or did not come to the end.
bool together(void (*body)(u64 hart));
/// In together(): returns when all harts are here.
void meet();

/// From any hart: what went wrong; of all such, the first is said. Everybody who waits gives up.
void fail(const char* what, u64 value = 0);
bool failed();

/// Sends an interprocessor interrupt to each hart of `mask`; what was stored before is seen by then.
void send_ipi(u64 mask);

/// Sleeps until `condition`, which is looked at again after each interprocessor interrupt. False if it gives up, after
/// kPatience.
template <class Condition>
bool sleep_until(Condition&& condition) {
    constexpr u64 kWakers = irq_bit(Irq::SSI) | irq_bit(Irq::STI);
    const u64 limit = rdtime() + kPatience;
    csr_set<CsrNo::sie>(kWakers);
    set_timer(limit);
    bool come = false;
    for (;;) {
        // First forget the interrupt, then look: one that comes in between ends the wfi.
        csr_clear<CsrNo::sip>(irq_bit(Irq::SSI));
        std::atomic_thread_fence(std::memory_order_seq_cst);
        come = condition();
        if (come || failed() || rdtime() > limit) break;
        asm volatile("wfi" ::: "memory");
    }
    set_timer(kNever);
    csr_clear<CsrNo::sie>(kWakers);
    return come;
}

}  // namespace uc::rt
