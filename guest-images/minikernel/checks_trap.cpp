// SPDX-License-Identifier: MIT
// Traps from S-mode, sret, interrupts and time.

#include "guest-images/minikernel/checks.hpp"
#include "guest-images/minikernel/csr.hpp"
#include "guest-images/minikernel/machine.hpp"
#include "guest-images/minikernel/sbi.hpp"
#include "guest-images/minikernel/timer.hpp"
#include "guest-images/minikernel/trap.hpp"

namespace uc::mini {

namespace {

void illegal_instruction(Check& c) {
    u64 pc = 0;
    const auto trap = catch_trap([&] { asm volatile("lla %0, 1f\n1: .word 0xffffffff" : "=&r"(pc)::"memory"); });
    c.that(trap.trapped, "traps");
    c.equal("scause", trap.cause.raw, Scause::of(Cause::IllegalInstruction).raw);
    c.equal("sepc", trap.pc, pc);
    c.that(trap.tval == 0 || trap.tval == 0xffff'ffff, "stval");
    c.equal("SPP", trap.status.get(Sstatus::SPP), 1);
    c.equal("SIE", trap.status.get(Sstatus::SIE), 0);
}

void compressed_illegal_instruction(Check& c) {
    u64 pc = 0;
    const auto trap = catch_trap([&] { asm volatile("lla %0, 1f\n1: .half 0\n" : "=&r"(pc)::"memory"); });
    c.equal("scause", trap.cause.raw, Scause::of(Cause::IllegalInstruction).raw);
    c.equal("sepc", trap.pc, pc);
    c.equal("stval", trap.tval, 0);
}

void breakpoints(Check& c) {
    u64 pc = 0;
    const auto trap = catch_trap([&] {
        asm volatile(".option push\n.option norvc\nlla %0, 1f\n1: ebreak\n.option pop" : "=&r"(pc)::"memory");
    });
    c.equal("scause", trap.cause.raw, Scause::of(Cause::Breakpoint).raw);
    c.equal("sepc", trap.pc, pc);
    c.that(trap.tval == 0 || trap.tval == pc, "stval");
    const auto compressed = catch_trap([&] { asm volatile("lla %0, 1f\n1: c.ebreak" : "=&r"(pc)::"memory"); });
    c.equal("c.ebreak: scause", compressed.cause.raw, Scause::of(Cause::Breakpoint).raw);
    c.equal("c.ebreak: sepc", compressed.pc, pc);
}

/// sret to S-mode with SPIE as given. Returns sstatus as it is right afterwards.
Sstatus sret_to_s(bool spie) {
    csr_clear<CsrNo::sstatus>(Sstatus::SPIE.mask);
    csr_set<CsrNo::sstatus>(Sstatus::SPP.mask | (spie ? Sstatus::SPIE.mask : 0));
    Sstatus after;
    asm volatile(
        "lla %0, 1f\n"
        "csrw sepc, %0\n"
        "sret\n"
        "1: csrr %0, sstatus"
        : "=&r"(after.raw)::"memory");
    csr_clear<CsrNo::sstatus>(Sstatus::SIE.mask);
    return after;
}

void sret_restores_the_stack(Check& c) {
    // SIE = SPIE, SPIE = 1, SPP = U (Privileged 1.12, 3.1.6.1).
    for (const bool spie : {false, true}) {
        const Sstatus after = sret_to_s(spie);
        c.equal("SIE", after.get(Sstatus::SIE), spie ? 1 : 0);
        c.equal("SPIE", after.get(Sstatus::SPIE), 1);
        c.equal("SPP", after.get(Sstatus::SPP), 0);
    }
}

/// Enables interrupts for long enough that a pending one is taken.
void interrupt_window() {
    csr_set<CsrNo::sstatus>(Sstatus::SIE.mask);
    asm volatile("nop" ::: "memory");
    csr_clear<CsrNo::sstatus>(Sstatus::SIE.mask);
}

void ipi_to_self(Check& c) {
    const auto taken = [] { return kernel_interrupts[static_cast<unsigned>(Irq::SSI)]; };
    const u64 before = taken();
    csr_set<CsrNo::sie>(irq_bit(Irq::SSI));
    c.that(sbi_call(sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, machine.hart).error == sbi::Error::Success, "send");
    // It may take a while to arrive: wfi waits for it, with SIE clear.
    while ((csr_read<CsrNo::sip>() & irq_bit(Irq::SSI)) == 0) wait_for_interrupt();
    c.equal("not taken while SIE is clear", taken(), before);
    interrupt_window();
    c.equal("taken", taken(), before + 1);
    c.equal("cleared", csr_read<CsrNo::sip>() & irq_bit(Irq::SSI), 0);
    // A hart that does not exist.
    const auto ret = sbi_call(sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, 0x7fff'ffff);
    c.that(ret.error == sbi::Error::InvalidParam, "no such hart");
    csr_clear<CsrNo::sie>(irq_bit(Irq::SSI));
}

void software_interrupt_by_sip(Check& c) {
    const auto taken = [] { return kernel_interrupts[static_cast<unsigned>(Irq::SSI)]; };
    const u64 before = taken();
    csr_set<CsrNo::sip>(irq_bit(Irq::SSI));
    interrupt_window();
    c.equal("masked by sie", taken(), before);
    csr_set<CsrNo::sstatus>(Sstatus::SIE.mask);
    csr_set<CsrNo::sie>(irq_bit(Irq::SSI));  // taken at once
    csr_clear<CsrNo::sstatus>(Sstatus::SIE.mask);
    c.equal("taken", taken(), before + 1);
    csr_clear<CsrNo::sie>(irq_bit(Irq::SSI));
}

void timer_interrupt(Check& c) {
    const auto taken = [] { return kernel_interrupts[static_cast<unsigned>(Irq::STI)]; };
    const u64 before = taken();
    const u64 deadline = timer::now() + timer::ticks_of_ms(2);
    timer::arm(deadline);
    while ((csr_read<CsrNo::sip>() & irq_bit(Irq::STI)) == 0) wait_for_interrupt();
    c.that(timer::now() >= deadline, "not early");
    c.equal("not taken while SIE is clear", taken(), before);
    interrupt_window();
    c.equal("taken", taken(), before + 1);
    c.equal("gone once disarmed", csr_read<CsrNo::sip>() & irq_bit(Irq::STI), 0);
    timer::arm(0);
    interrupt_window();
    c.equal("a deadline in the past", taken(), before + 2);
}

void time_is_monotonic(Check& c) {
    u64 last = timer::now();
    const u64 start = last;
    for (int i = 0; i < 1000; ++i) {
        const u64 now = timer::now();
        c.that(now >= last, "time goes back");
        last = now;
    }
    while (timer::now() == start) {}
}

constexpr NamedCheck kChecks[] = {
    {"trap-illegal", illegal_instruction}, {"trap-illegal-compressed", compressed_illegal_instruction},
    {"trap-breakpoint", breakpoints},      {"sret-to-s", sret_restores_the_stack},
    {"interrupt-ipi", ipi_to_self},        {"interrupt-sip", software_interrupt_by_sip},
    {"interrupt-timer", timer_interrupt},  {"time-monotonic", time_is_monotonic},
};

}  // namespace

std::span<const NamedCheck> trap_checks() { return kChecks; }

}  // namespace uc::mini
