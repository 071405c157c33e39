// SPDX-License-Identifier: MIT
// Harts that keep interrupts off while one waits that they have enabled: nothing the architecture forbids, and nothing
// that changes what becomes of them. Whoever watches is to see it and to leave it alone. Each case lasts until a key
// comes.

#include "guest-images/behaviour/rt/second.hpp"

using namespace uc;
using namespace uc::rt;

/// What the two harts tell each other. Known to the code below.
struct DeafTalk {
    u64 sie;                // by the first: what the second is to enable
    volatile u64 deaf;      // by the second: it spins now
    volatile u64 released;  // by the first: it may stop
    volatile u64 cause;     // by the second: scause of what it took then
};
DeafTalk talk;

extern "C" const char second_is_deaf[];
// Its timer is due from the beginning. s0: the talk.
asm(R"(
    .pushsection .text
    .globl second_is_deaf
    .balign 4
second_is_deaf:
    mv      s0, a1
    ld      t0, 0(s0)
    csrw    sie, t0
    li      a0, 0
    li      a7, 0
    ecall
    li      t0, 1
    sd      t0, 8(s0)
1:  ld      t0, 16(s0)
    beqz    t0, 1b
    lla     t0, 3f
    csrw    stvec, t0
    csrsi   sstatus, 2
2:  j       2b
    .balign 4
3:  csrr    t0, scause
    csrw    sie, zero
    sd      t0, 24(s0)
    li      a7, 0x48534d
    li      a6, 1
    ecall
4:  j       4b
    .popsection
)");

namespace {

// The legacy call answers in a0 alone, where other calls have their error.
bool key_came() { return static_cast<i64>(sbi_call(sbi::Ext::LegacyGetchar, 0).error) >= 0; }

void wait_for_key() {
    while (!key_came()) {}
}

// Asleep in between: where one hart has both vCPUs, the other's exits are to remain among the last.
void doze_until_key() {
    constexpr u64 kNap = 100'000;  // ticks
    csr_write<CsrNo::sie>(irq_bit(Irq::STI));
    while (!key_came()) {
        set_timer(rdtime() + kNap);
        asm volatile("wfi" ::: "memory");
    }
    set_timer(kNever);
    csr_write<CsrNo::sie>(0);
}

void second_spins(const char* what, Irq irq) {
    talk.sie = irq_bit(irq);
    talk.deaf = 0;
    talk.released = 0;
    talk.cause = 0;
    expect(start_hart(other_hart(), address(second_is_deaf), reinterpret_cast<u64>(&talk)) == sbi::Error::Success,
           "start");
    if (!expect(wait_until([] { return talk.deaf != 0; }), "the second does not run")) return;
    if (irq == Irq::SSI) sbi_call(sbi::Ext::Ipi, sbi::ipi::SendIpi, 1ull << other_hart(), 0);
    say(what, ": the second spins");
    doze_until_key();
    talk.released = 1;
    expect(wait_until([] { return talk.cause != 0; }), "it takes no interrupt");
    say(what, ": taken ", talk.cause);
    expect(talk.cause == (kCauseInterrupt | static_cast<u64>(irq)), "cause");
    expect(wait_state(other_hart(), sbi::hsm::Stopped), "it does not stop");
}

}  // namespace

GUEST(deaf) {
    second_spins("timer", Irq::STI);
    second_spins("ipi", Irq::SSI);

    set_timer(0);
    csr_write<CsrNo::sie>(irq_bit(Irq::STI));
    say("busy: the first does this and that");
    wait_for_key();
    csr_write<CsrNo::sie>(0);
    set_timer(kNever);

    // What nobody has enabled nobody misses.
    sbi_call(sbi::Ext::Ipi, sbi::ipi::SendIpi, 1ull << hart_id, 0);
    say("idle: an interrupt pends that is not enabled");
    wait_for_key();
    csr_write<CsrNo::sip>(0);
}
