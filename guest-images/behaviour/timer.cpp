// SPDX-License-Identifier: MIT
// The supervisor timer: SBI TIME (or its legacy form), stimecmp where the hart has Sstc, and wfi as a way to wait for
// it.

#include "guest-images/behaviour/rt/rt.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_spin, "1: j 1b");
SNIPPET(do_count, "li a0, 0\n1: addi a0, a0, 1\nbltu a0, a1, 1b");
SNIPPET(do_wfi, "wfi");

namespace {

bool pending() { return (csr_read<CsrNo::sip>() & irq_bit(Irq::STI)) != 0; }

using SetTimer = void (*)(u64);

/// Everything that must hold however the timer is set.
void exercise(const char* how, SetTimer set) {
    set(kNever);
    say(how, ": never: pending ", pending());
    expect(!pending(), "never fires");
    set(0);
    say(how, ": past: pending ", wait_pending(Irq::STI, true));
    csr_clear<CsrNo::sip>(irq_bit(Irq::STI));
    say(how, ": sip write clears STIP: ", !pending());
    expect(pending(), "STIP is read-only");
    set(rdtime() + (1ull << 40));
    say(how, ": far future: pending ", pending());
    expect(!pending(), "a new deadline clears STIP");
    csr_set<CsrNo::sip>(irq_bit(Irq::STI));
    say(how, ": sip write sets STIP: ", pending());
    expect(!pending(), "STIP is read-only");

    // Not enabled: pending, never taken.
    set(0);
    csr_write<CsrNo::sie>(0);
    const Frame masked = call(do_count, Priv::U, {0, 1000}, Sstatus::SPIE.mask);
    say(how, ": masked by sie: ", Ended{masked, address(do_count)});
    expect(masked.completed(), "STIE clear");

    for (Priv priv : {Priv::S, Priv::U}) {
        csr_write<CsrNo::sie>(irq_bit(Irq::STI));
        u64 early = 0;
        u64 taken = 0;
        for (unsigned tick = 0; tick < 20; ++tick) {
            const u64 deadline = rdtime() + 2000;
            set(deadline);
            const Frame frame = call(do_spin, priv, {}, Sstatus::SPIE.mask);
            early += rdtime() < deadline;
            taken += frame.interrupted(Irq::STI);
        }
        csr_write<CsrNo::sie>(0);
        set(kNever);
        say(how, priv == Priv::U ? " U" : " S", ": 20 ticks: taken ", taken, " early ", early);
        expect(taken == 20 && early == 0, "ticks");
    }

    // wfi waits for an enabled interrupt even where SIE keeps it from being taken (3.3.3).
    csr_write<CsrNo::sie>(irq_bit(Irq::STI));
    u64 woken = 0;
    for (unsigned i = 0; i < 20; ++i) {
        const u64 deadline = rdtime() + 5000;
        set(deadline);
        while (rdtime() < deadline) {
            const Frame frame = call(do_wfi, Priv::S);  // may return early: it is a hint
            if (!expect(frame.completed(), "wfi trapped")) break;
        }
        woken += wait_pending(Irq::STI, true);
    }
    say(how, ": wfi with SIE clear: woken ", woken);
    expect(woken == 20, "wfi");

    // With SIE set the interrupt is taken, and sepc is behind the wfi.
    set(rdtime() + 5000);
    Frame frame = call(do_wfi, Priv::S, {}, Sstatus::SPIE.mask);
    while (frame.completed()) frame = call(do_wfi, Priv::S, {}, Sstatus::SPIE.mask);
    say(how, ": wfi with SIE set: ", Ended{frame, address(do_wfi)});
    expect(frame.interrupted(Irq::STI), "wfi");
    set(0);
    expect(wait_pending(Irq::STI, true), "pending");
    frame = call(do_wfi, Priv::S);
    say(how, ": wfi with one pending: ", Ended{frame, address(do_wfi)});
    csr_write<CsrNo::sie>(0);
    set(kNever);
    say(how, ": at the end: pending ", pending());
}

}  // namespace

GUEST(timer) {
    exercise("sbi", set_timer);
    exercise("legacy", [](u64 deadline) { sbi_call(sbi::Ext::LegacySetTimer, 0, deadline); });
    if (!csr_exists(CsrNo::stimecmp)) return say("stimecmp: absent");
    exercise("stimecmp", csr_write<CsrNo::stimecmp>);
    for (u64 value : {0ull, ~0ull, 0x123456789abcdefull}) {
        csr_write<CsrNo::stimecmp>(value);
        say("stimecmp ", value, " reads ", csr_read<CsrNo::stimecmp>());
    }
    // Taken right behind the write that makes it due.
    csr_write<CsrNo::stimecmp>(kNever);
    csr_write<CsrNo::sie>(irq_bit(Irq::STI));
    const Frame frame = exec(Priv::S, {csr_insn(Csrrw, CsrNo::stimecmp, 0, 0), 0x13, 0x13}, {}, Sstatus::SPIE.mask);
    csr_write<CsrNo::sie>(0);
    say("stimecmp 0 with SIE set: ", Ended{frame, address(exec_slot)});
    // "in a bounded amount of time": where exactly is the machine's.
    say("machine: taken at +", frame.pc - address(exec_slot));
    csr_write<CsrNo::stimecmp>(kNever);
    // U-mode has no timer of its own.
    const Frame user = exec(Priv::U, {csr_insn(Csrrs, CsrNo::stimecmp, a0, 0)});
    say("stimecmp from U: ", Ended{user, address(exec_slot)});
    expect(user.trapped(Cause::IllegalInstruction), "from U");
}
