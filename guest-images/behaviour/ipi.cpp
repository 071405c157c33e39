// SPDX-License-Identifier: MIT
// Interprocessor interrupts to oneself: SBI IPI and legacy, pending and taken, cleared by sip (SBI 2.0, chapter 7).

#include "guest-images/behaviour/rt/rt.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_spin, "1: j 1b");
SNIPPET(do_nothing, "nop");
SNIPPET(send_ipi, "mv a0, a2\nmv a1, a3\necall\nnop\nnop");

namespace {

bool pending() { return (csr_read<CsrNo::sip>() & irq_bit(Irq::SSI)) != 0; }

void send(const char* what, u64 mask, u64 base) {
    const auto ret = sbi_call(sbi::Ext::Ipi, sbi::ipi::SendIpi, mask, base);
    say(what, ": error ", Dec{static_cast<i64>(ret.error)}, " pending ", wait_pending(Irq::SSI, true));
    expect(ret.error == sbi::Error::Success, "error");
    csr_clear<CsrNo::sip>(irq_bit(Irq::SSI));
    say(what, ": cleared, pending ", pending());
    expect(!pending(), "cleared");
}

}  // namespace

GUEST(ipi) {
    csr_write<CsrNo::sip>(0);
    send("by mask from 0", 1ull << hart_id, 0);
    send("by base", 1, hart_id);
    send("everyone", 0, sbi::kAllHarts);
    const auto none = sbi_call(sbi::Ext::Ipi, sbi::ipi::SendIpi, 0, 0);
    say("empty mask: error ", Dec{static_cast<i64>(none.error)}, " pending ", pending());
    expect(none.error == sbi::Error::Success && !pending(), "empty mask");

    // sip.SSIP is writable from S-mode, both ways (4.1.3).
    csr_set<CsrNo::sip>(irq_bit(Irq::SSI));
    say("set by csrs: pending ", pending());
    csr_write<CsrNo::sip>(0);
    say("cleared by csrw: pending ", pending());

    csr_write<CsrNo::sie>(irq_bit(Irq::SSI));
    for (Priv priv : {Priv::S, Priv::U}) {
        u64 taken = 0;
        for (unsigned i = 0; i < 100; ++i) {
            sbi_call(sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, hart_id);
            const Frame frame = call(do_spin, priv, {}, Sstatus::SPIE.mask);
            taken += frame.interrupted(Irq::SSI) && pending();
            csr_clear<CsrNo::sip>(irq_bit(Irq::SSI));
            taken += call(do_nothing, priv, {}, Sstatus::SPIE.mask).completed();
        }
        say(priv == Priv::U ? "U" : "S", ": taken and not taken again ", taken);
        expect(taken == 200, "taken");
    }

    // Sent with SIE set: the call returns with its result first, the interrupt comes no earlier than behind the ecall.
    Frame frame = make_frame(address(send_ipi), Priv::S, {}, Sstatus::SPIE.mask);
    frame.x[a2] = 1;
    frame.x[a3] = hart_id;
    frame.x[a7] = static_cast<u64>(sbi::Ext::Ipi);
    run(frame);
    if (frame.completed()) frame = call(do_spin, Priv::S, {}, Sstatus::SPIE.mask);
    say("sent with SIE set: ", Ended{frame, 0}, " a0 ", frame.x[a0]);
    expect(frame.interrupted(Irq::SSI) && frame.x[a0] == 0, "sent with SIE set");
    csr_write<CsrNo::sie>(0);
    csr_write<CsrNo::sip>(0);
}
