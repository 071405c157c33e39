// SPDX-License-Identifier: MIT
// The UART's interrupt goes to each hart's own PLIC context in turn, then to all at once, of whom one claims it.

#include "guest-images/behaviour/rt/smp.hpp"

using namespace uc;
using namespace uc::rt;

namespace {

constexpr unsigned kUartIrq = 10;
constexpr u64 kUart = 0x10000000;
constexpr u64 kPlic = 0x0c000000;
constexpr u64 kRounds = 20;

volatile u8& uart(unsigned reg) { return *reinterpret_cast<volatile u8*>(kUart + reg); }
enum UartReg : unsigned { Rbr = 0, Thr = 0, Ier = 1, Fcr = 2, Mcr = 4 };

volatile u32& plic(u64 offset) { return *reinterpret_cast<volatile u32*>(kPlic + offset); }
u64 context(u64 hart) { return 2 * hart + 1; }
volatile u32& threshold(u64 hart) { return plic(0x200000 + 0x1000 * context(hart)); }
volatile u32& claim(u64 hart) { return plic(0x200004 + 0x1000 * context(hart)); }

/// QEMU 7.2's PLIC looks at its enable bits only when something else changes.
void set_enable(u64 hart, bool on) {
    plic(0x2000 + 0x80 * context(hart)) = on ? 1u << kUartIrq : 0;
    threshold(hart) = 0;
}

bool seip() { return (csr_read<CsrNo::sip>() & irq_bit(Irq::SEI)) != 0; }

/// Bytes that come back in loopback, without the FIFOs and their timeout; firmware may not print meanwhile.
void begin() {
    uart(Fcr) = 0;
    uart(Mcr) = 0x10 | 0x08;
    uart(Ier) = 1;
}
void end() {
    uart(Ier) = 0;
    uart(Mcr) = 0x08;
    uart(Fcr) = 1;
}

u64 wanted;  // the hart that the interrupt goes to
std::atomic<u64> received, strays;

/// Sleeps until the interrupt comes, takes its byte, and completes it.
bool take(u64 hart, u8 byte) {
    csr_set<CsrNo::sie>(irq_bit(Irq::SEI));
    const u64 limit = rdtime() + kPatience;
    set_timer(limit);
    csr_set<CsrNo::sie>(irq_bit(Irq::STI));
    while (!seip() && rdtime() < limit) asm volatile("wfi" ::: "memory");
    csr_clear<CsrNo::sie>(irq_bit(Irq::SEI) | irq_bit(Irq::STI));
    set_timer(kNever);
    const u32 source = claim(hart);
    const bool right = source == kUartIrq && uart(Rbr) == byte;
    claim(hart) = source;
    return right && wait_until([] { return !seip(); });
}

/// Runs `round` kRounds times between meetings of all harts, with the UART in loopback for as long.
void in_loopback(u64 hart, bool enabled, void (*round)(u64 hart, u8 number)) {
    // Firmware may reset a context when its hart starts, so each hart enables its own.
    set_enable(hart, enabled);
    if (hart == hart_id) begin();
    for (u8 number = 1; number <= kRounds && !failed(); ++number) {
        meet();
        if (hart == hart_id) uart(Thr) = number;
        round(hart, number);
        meet();
        strays += seip();
    }
    meet();
    if (hart == hart_id) end();
    set_enable(hart, false);
}

/// The first hart sends; the wanted one is woken, and nobody else.
void in_turn(u64 hart) {
    in_loopback(hart, hart == wanted, [](u64 self, u8 number) {
        if (self != wanted) return;
        if (!take(self, number)) fail("wrong in round ", number);
        ++received;
    });
}

std::atomic<u64> claims, nothing;

/// All see it pending, one gets it.
void race(u64 hart) {
    in_loopback(hart, true, [](u64 self, u8 number) {
        if (!wait_pending(Irq::SEI, true)) fail("not pending in round ", number);
        meet();
        const u32 source = claim(self);
        (source == kUartIrq ? claims : nothing) += 1;
        if (source != kUartIrq) return;
        if (uart(Rbr) != number) fail("wrong byte in round ", number);
        claim(self) = source;
    });
}

}  // namespace

GUEST(smp_plic) {
    say("harts ", hart_count());
    uart(Ier) = 0;
    for (u32 source; (source = claim(hart_id)) != 0;) claim(hart_id) = source;
    for (u64 hart = 0; hart < hart_count(); ++hart) set_enable(hart, false);
    plic(4 * kUartIrq) = 1;
    for (wanted = 0; wanted < hart_count() && !failed(); ++wanted) together(in_turn);
    say("in turn: received ", received.load(), " strays ", strays.load());
    expect(received == hart_count() * kRounds && strays == 0, "in turn");
    together(race);
    say("claimed by one: ", claims.load(), " by none: ", nothing.load(), " strays ", strays.load());
    expect(claims == kRounds && nothing == (hart_count() - 1) * kRounds && strays == 0, "claimed by one");
}
