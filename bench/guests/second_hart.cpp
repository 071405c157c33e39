// SPDX-License-Identifier: MIT
#include "bench/guests/second_hart.hpp"

extern "C" const char second_entered[];

// a1: the SecondHart. The compiler leaves tp and gp alone: they serve the interrupt's handler.
asm(R"(
    .pushsection .text
    .globl second_entered
    .balign 4
second_entered:
    mv      tp, a1
    li      t0, 4096 + 48
    add     sp, tp, t0
    lla     t0, second_interrupted
    csrw    stvec, t0
    call    second_main
    .balign 4
second_interrupted:
    csrci   sip, 2
    ld      gp, 0(tp)
    addi    gp, gp, 1
    sd      gp, 0(tp)
    sret
    .popsection
)");

namespace uc::bench {

static_assert(offsetof(SecondHart, taken) == 0 && offsetof(SecondHart, stack) == 48);

extern "C" [[noreturn]] void second_main() {
    csr_write<CsrNo::satp>(second.satp);
    sfence();
    csr_write<CsrNo::sie>(irq_bit(Irq::SSI));
    while (second.part != Part::Stop) {
        const Part part = second.part;
        second.plays = part;
        part == Part::Answer ? answer() : compute();
    }
    second.plays = Part::Stop;
    sbi_call(sbi::Ext::Hsm, sbi::hsm::Stop);
    for (;;) asm volatile("wfi");
}

void start_second_hart() {
    second.satp = csr_read<CsrNo::satp>();
    second.first = hart_id;
    second.plays = Part::Stop;
    csr_write<CsrNo::sie>(irq_bit(Irq::SSI));
    const sbi::Error error = start_hart(other_hart(), address(second_entered), address(&second));
    expect(error == sbi::Error::Success, "the second hart does not start");
    expect(wait_until([] { return second.plays == Part::Answer; }), "the second hart does not arrive");
}

}  // namespace uc::bench
