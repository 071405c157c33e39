// SPDX-License-Identifier: MIT
// Which interrupt is taken, when, and what masks it (Privileged 1.12, 4.1.3): software before timer; sie and sip; SIE
// gates S-mode and never U-mode. The external interrupt is plic_uart_irq's.

#include "guest-images/behaviour/rt/rt.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_nothing, "nop\nnop");
SNIPPET(raise_software, "csrsi sip, 2\nnop\nnop");
SNIPPET(enable_software, "csrsi sie, 2\nnop\nnop");
SNIPPET(enable_all, "csrsi sstatus, 2\nnop\nnop");
SNIPPET(enable_by_write, "csrw sstatus, a0\nnop\nnop");
SNIPPET(enable_by_sret, "la t0, 1f\ncsrw sepc, t0\ncsrw sstatus, a0\nsret\n1: nop\nnop");
SNIPPET(enable_disable, "csrsi sstatus, 2\ncsrci sstatus, 2\nnop");

namespace {

constexpr u64 kSoft = irq_bit(Irq::SSI);
constexpr u64 kTimer = irq_bit(Irq::STI);

void set_pending(u64 bits) {
    csr_write<CsrNo::sip>(bits & kSoft);
    set_timer(bits & kTimer ? 0 : kNever);
    expect(wait_pending(Irq::STI, (bits & kTimer) != 0), "timer level");
}

const char* describe(const Frame& frame) {
    return frame.completed()             ? "none"
           : frame.interrupted(Irq::SSI) ? "SSI"
           : frame.interrupted(Irq::STI) ? "STI"
                                         : "other";
}

void combinations() {
    for (u64 pending : {u64{0}, kSoft, kTimer, kSoft | kTimer}) {
        for (u64 enabled : {u64{0}, kSoft, kTimer, kSoft | kTimer}) {
            for (Priv priv : {Priv::S, Priv::U}) {
                for (u64 status : {u64{0}, Sstatus::SPIE.mask}) {
                    set_pending(pending);
                    csr_write<CsrNo::sie>(enabled);
                    const Frame frame = call(do_nothing, priv, {}, status);
                    csr_write<CsrNo::sie>(0);
                    say("pending ", pending, " enabled ", enabled, priv == Priv::U ? " U" : " S", " SIE ", status >> 5,
                        ": ", describe(frame), " at +", frame.pc - address(do_nothing), " SPP ", frame.sstatus >> 8 & 1,
                        " SPIE ", frame.sstatus >> 5 & 1, " SIE ", frame.sstatus >> 1 & 1);
                    const u64 ready = priv == Priv::U || status != 0 ? pending & enabled : 0;
                    expect(ready & kSoft    ? frame.interrupted(Irq::SSI)
                           : ready & kTimer ? frame.interrupted(Irq::STI)
                                            : frame.completed(),
                           "wrong interrupt");
                    expect(frame.completed() || (frame.tval == 0 && frame.pc == address(do_nothing)), "stval, sepc");
                }
            }
        }
    }
    set_pending(0);
}

/// The conditions are evaluated immediately after a write to sip, sie or sstatus and after sret (4.1.3).
void at_once(const char* what, const char* code, u64 pending, u64 enabled, u64 status, u64 arg, u64 offset) {
    set_pending(pending);
    csr_write<CsrNo::sie>(enabled);
    const Frame frame = call(code, Priv::S, {arg}, status);
    csr_write<CsrNo::sie>(0);
    set_pending(0);
    say(what, ": ", describe(frame), " at +", frame.pc - address(code));
    expect(frame.interrupted(Irq::SSI) && frame.pc == address(code) + offset, "not taken at once");
}

}  // namespace

GUEST(interrupts_priority) {
    combinations();
    const u64 on = Sstatus::SPIE.mask;
    at_once("sip written", raise_software, 0, kSoft, on, 0, 4);
    at_once("sie written", enable_software, kSoft, 0, on, 0, 4);
    at_once("SIE set", enable_all, kSoft, kSoft, 0, 0, 4);
    at_once("SIE set and cleared", enable_disable, kSoft, kSoft, 0, 0, 4);
    at_once("sstatus written", enable_by_write, kSoft | kTimer, kSoft | kTimer, 0, Sstatus::SIE.mask, 4);
    const Frame landing = call(enable_by_sret, Priv::S, {Sstatus::SPP.mask | Sstatus::SPIE.mask});
    expect(landing.completed(), "sret without an interrupt");
    const u64 offset = landing.pc - address(enable_by_sret) - 4;  // two c.nop before the ebreak
    at_once("sret with SPIE", enable_by_sret, kSoft, kSoft, 0, Sstatus::SPP.mask | Sstatus::SPIE.mask, offset);

    // A U-mode program is interrupted whatever SIE was, and SPIE tells what it was.
    set_pending(kSoft);
    csr_write<CsrNo::sie>(kSoft);
    const Frame frame = call(enable_by_sret, Priv::S, {0});
    csr_write<CsrNo::sie>(0);
    set_pending(0);
    say("sret to U without SPIE: ", describe(frame), " at +", frame.pc - address(enable_by_sret), " SPIE ",
        frame.sstatus >> 5 & 1, " SPP ", frame.sstatus >> 8 & 1);
    expect(frame.interrupted(Irq::SSI) && (frame.sstatus & (Sstatus::SPP.mask | Sstatus::SPIE.mask)) == 0, "to U");
}
