// SPDX-License-Identifier: MIT
// A second hart suspends over and over, in place and to resume elsewhere: while it sleeps its state is SUSPENDED, and
// each interrupt wakes it once (SBI 2.0, chapter 9).

#include "guest-images/behaviour/rt/second.hpp"

using namespace uc;
using namespace uc::rt;

/// What the two harts tell each other. Known to the code below.
struct SuspendTalk {
    volatile u64 woken;     // by the second: how often it has
    volatile u64 in_place;  // by the first: how many retentive suspends there are to be
    volatile u64 errors;    // by the second: what calls returned, together
    volatile u64 satp;      // by the second: after its non-retentive suspend, as the next
    volatile u64 sie;
    volatile u64 came_back;  // a non-retentive suspend that returned
};
SuspendTalk talk;

extern "C" const char second_suspends[];
// s0: the talk.
asm(R"(
    .pushsection .text
    .globl second_suspends
    .balign 4
second_suspends:
    mv      s0, a1
    csrwi   sie, 2
1:  ld      t0, 8(s0)
    ld      t1, 0(s0)
    bgeu    t1, t0, 2f
    li      a7, 0x48534d
    li      a6, 3
    li      a0, 0
    ecall
    ld      t0, 16(s0)
    or      t0, t0, a0
    sd      t0, 16(s0)
    csrci   sip, 2
    ld      t1, 0(s0)
    addi    t1, t1, 1
    sd      t1, 0(s0)
    j       1b
2:  li      a7, 0x48534d
    li      a6, 3
    li      a0, 0x80000000
    lla     a1, 3f
    mv      a2, s0
    ecall
    li      t0, 1
    sd      t0, 40(s0)
    j       4f
    .balign 4
3:  mv      s0, a1
    csrr    t0, satp
    sd      t0, 24(s0)
    csrr    t0, sstatus
    andi    t0, t0, 2
    sd      t0, 32(s0)
    csrci   sip, 2
    ld      t1, 0(s0)
    addi    t1, t1, 1
    sd      t1, 0(s0)
4:  li      a7, 0x48534d
    li      a6, 1
    ecall
5:  j       5b
    .popsection
)");

namespace {

constexpr u64 kRounds = 100;

bool wake(u64 other, u64 round) {
    if (!expect(wait_state(other, sbi::hsm::Suspended), "round ", round, ": not suspended")) return false;
    if (!expect(talk.woken == round, "round ", round, ": it has woken ", talk.woken, " times")) return false;
    expect(sbi_call(sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, other).error == sbi::Error::Success, "ipi");
    return expect(wait_until([round] { return talk.woken == round + 1; }), "round ", round, ": it sleeps on");
}

}  // namespace

GUEST(hsm_suspend) {
    const u64 other = other_hart();
    talk.in_place = kRounds;
    expect(wait_state(other, sbi::hsm::Stopped), "the second hart is not stopped");
    expect(start_hart(other, address(second_suspends), address(&talk)) == sbi::Error::Success, "start");
    for (u64 round = 0; round < kRounds; ++round)
        if (!wake(other, round)) return;
    say("in place: woken ", talk.woken, " errors ", talk.errors);
    expect(talk.errors == 0, "errors");
    const auto again = sbi_call(sbi::Ext::Hsm, sbi::hsm::Start, other, address(second_suspends), 0);
    say("machine: start of a suspended hart: ", Dec{static_cast<i64>(again.error)});  // OpenSBI 1.1: invalid parameter
    expect(again.error != sbi::Error::Success, "start of a suspended hart");
    if (!wake(other, kRounds)) return;
    expect(wait_state(other, sbi::hsm::Stopped), "stop");
    say("elsewhere: woken ", talk.woken, " satp ", talk.satp, " SIE ", talk.sie, " came back ", talk.came_back);
    expect(talk.satp == 0 && talk.sie == 0 && talk.came_back == 0, "elsewhere");
}
