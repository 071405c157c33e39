// SPDX-License-Identifier: MIT
// System suspend (SBI 2.0, chapter 13): what it refuses, and that a timer ends it where the caller said.

#include "guest-images/behaviour/rt/second.hpp"

using namespace uc;
using namespace uc::rt;
using sbi::Error;

/// Where suspend_and_resume() keeps its caller, and what the resumed hart has found. Known to the code below.
struct Resume {
    u64 saved[15];
    u64 hart;  // a0
    u64 satp;
    u64 sie;
};
Resume resume_place;

/// Asks for a suspend to RAM; returns the error, or 1 when the hart has resumed.
extern "C" i64 suspend_and_resume(Resume* resume);
extern "C" const char second_spins[];
asm(R"(
    .pushsection .text
    .globl suspend_and_resume
    .balign 4
    .macro each_kept op
    \op     ra, 0(t1)
    \op     sp, 8(t1)
    \op     gp, 16(t1)
    \op     tp, 24(t1)
    \op     s0, 32(t1)
    \op     s1, 40(t1)
    \op     s2, 48(t1)
    \op     s3, 56(t1)
    \op     s4, 64(t1)
    \op     s5, 72(t1)
    \op     s6, 80(t1)
    \op     s7, 88(t1)
    \op     s8, 96(t1)
    \op     s9, 104(t1)
    \op     s10, 112(t1)
    .endm
suspend_and_resume:
    mv      t1, a0
    each_kept sd
    mv      a2, a0
    lla     a1, 1f
    li      a0, 0
    li      a6, 0
    li      a7, 0x53555350
    ecall
    ret
    .balign 4
1:  mv      t1, a1
    each_kept ld
    sd      a0, 120(t1)
    csrr    t0, satp
    sd      t0, 128(t1)
    csrr    t0, sstatus
    andi    t0, t0, 2
    sd      t0, 136(t1)
    li      a0, 1
    ret
    .globl second_spins
    .balign 4
second_spins:
    lw      t0, 0(a1)
    beqz    t0, second_spins
    li      a7, 0x48534d
    li      a6, 1
    ecall
    .popsection
)");

namespace {

volatile u32 second_may_stop;

void refused(const char* what, Error want, u64 type, u64 resume, u64 fid = 0) {
    const auto ret = sbi_call(sbi::Ext::Susp, fid, type, resume, 0);
    say(what, ": ", Dec{static_cast<i64>(ret.error)});
    expect(ret.error == want, what);
}

}  // namespace

GUEST(system_suspend) {
    if (!expect(sbi_has(sbi::Ext::Susp), "no system suspend")) return;
    const u64 here = address(second_spins);
    refused("reserved type", Error::InvalidParam, 1, here);
    refused("platform's type", Error::InvalidParam, 0x8000'0000, here);
    refused("nowhere", Error::InvalidAddress, 0, 0x1000);
    refused("misaligned", Error::InvalidAddress, 0, here + 1);
    refused("no such function", Error::NotSupported, 0, here, 1);

    const Error started = start_hart(other_hart(), here, reinterpret_cast<u64>(&second_may_stop));
    expect(started == Error::Success && wait_state(other_hart(), sbi::hsm::Started), "start");
    refused("with a hart that runs", Error::Denied, 0, here);
    second_may_stop = 1;
    expect(wait_state(other_hart(), sbi::hsm::Stopped), "stop");

    csr_write<CsrNo::sie>(irq_bit(Irq::STI));
    for (u64 ticks : {0ull, 1'000ull, 500'000ull}) {
        const u64 before = rdtime();
        set_timer(before + ticks);
        const i64 how = suspend_and_resume(&resume_place);
        say("until a timer: ", Dec{how}, " satp ", resume_place.satp, " SIE ", resume_place.sie);
        expect(how == 1 && resume_place.hart == hart_id && resume_place.satp == 0 && resume_place.sie == 0, "resume");
        expect(rdtime() - before >= ticks && wait_pending(Irq::STI, true), "too early");
    }
    set_timer(kNever);
    csr_write<CsrNo::sie>(0);
}
