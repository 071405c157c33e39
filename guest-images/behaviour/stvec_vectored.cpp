// SPDX-License-Identifier: MIT
// stvec's two modes (Privileged 1.12, 4.1.2): vectored interrupts enter at base + 4 * cause, everything else at base.

#include "guest-images/behaviour/rt/rt.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_spin, "1: j 1b");
SNIPPET(do_nothing, "nop");

// Sixteen entries; each leaves its number in Frame::vector and goes on to the runtime's handler.
extern "C" const char vectors[];
asm(R"(
    .pushsection .text
    .balign 256
    .globl vectors
    .option push
    .option norvc
vectors:
    .irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    j   vector_\i
    .endr
    .irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
vector_\i:
    csrrw a0, sscratch, a0
    sd  a1, 88(a0)
    li  a1, \i
    sd  a1, 288(a0)
    ld  a1, 88(a0)
    csrrw a0, sscratch, a0
    j   trap_entry
    .endr
    .option pop
    .popsection
)");

namespace {

Frame interrupted(const char* code, Priv priv) {
    Frame frame = make_frame(address(code), priv, {}, Sstatus::SPIE.mask);
    frame.vector = ~0ull;
    run(frame);
    return frame;
}

void all_ways(const char* mode, u64 ssi_entry, u64 sti_entry) {
    for (Priv priv : {Priv::S, Priv::U}) {
        const char* from = priv == Priv::U ? " U " : " S ";
        Frame frame = interrupted(do_nothing, priv);
        say(mode, from, "exception: cause ", frame.cause, " entry ", frame.vector);
        expect(frame.completed() && frame.vector == 0, "exceptions enter at base");

        csr_write<CsrNo::sie>(irq_bit(Irq::SSI));
        csr_write<CsrNo::sip>(irq_bit(Irq::SSI));
        frame = interrupted(do_spin, priv);
        csr_write<CsrNo::sip>(0);
        say(mode, from, "software interrupt: cause ", frame.cause, " entry ", frame.vector);
        expect(frame.interrupted(Irq::SSI) && frame.vector == ssi_entry, "software interrupt");

        csr_write<CsrNo::sie>(irq_bit(Irq::STI));
        set_timer(rdtime() + 1000);
        frame = interrupted(do_spin, priv);
        set_timer(kNever);
        say(mode, from, "timer interrupt: cause ", frame.cause, " entry ", frame.vector);
        expect(frame.interrupted(Irq::STI) && frame.vector == sti_entry, "timer interrupt");
        csr_write<CsrNo::sie>(0);
    }
}

}  // namespace

GUEST(stvec_vectored) {
    csr_write<CsrNo::stvec>(address(vectors));
    all_ways("direct", 0, 0);
    csr_write<CsrNo::stvec>(address(vectors) | Stvec::kVectored);
    all_ways("vectored", 1, 5);
    csr_write<CsrNo::stvec>(address(trap_entry));
}
