// SPDX-License-Identifier: MIT
// Harts start, report what they find, and stop, over and over: one by one, all at once, and two that want to start the
// same third (SBI 2.0, chapter 9).

#include "guest-images/behaviour/rt/smp.hpp"
#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;
using sbi::Error;

/// What a started hart tells. Known to the code below.
struct Report {
    volatile u64 id;
    volatile u64 satp;
    volatile u64 sie;    ///< sstatus.SIE
    volatile u64 lives;  ///< written last
    u64 leave_satp;      ///< for the hart to stop with
};
Report reports[kMaxHarts];

extern "C" const char hsm_life[];
// A life: report, sleep until an interrupt, turn translation on, stop.
asm(R"(
    .pushsection .text
    .globl hsm_life
    .balign 4
hsm_life:
    sd      a0, 0(a1)
    csrr    t0, satp
    sd      t0, 8(a1)
    csrr    t0, sstatus
    andi    t0, t0, 2
    sd      t0, 16(a1)
    csrwi   sie, 2
    csrci   sip, 2
    fence   rw, rw
    ld      t0, 24(a1)
    addi    t0, t0, 1
    sd      t0, 24(a1)
1:  wfi
    csrr    t0, sip
    andi    t0, t0, 2
    beqz    t0, 1b
    csrci   sip, 2
    csrsi   sstatus, 2
    csrwi   sie, 0
    ld      t0, 32(a1)
    csrw    satp, t0
    sfence.vma
    li      a7, 0x48534d
    li      a6, 1
    ecall
2:  j       2b
    .popsection
)");

namespace {

constexpr u64 kRounds = 25;

Error start(u64 hart) { return start_hart(hart, address(hsm_life), address(&reports[hart])); }

bool is_stopped(u64 hart) { return expect(wait_state(hart, sbi::hsm::Stopped), "hart ", hart, " does not stop"); }

/// Waits for the hart's report, which must be that of its `life`-th life.
bool reported(u64 hart, u64 life) {
    const Report& report = reports[hart];
    if (!expect(wait_until([&] { return report.lives == life; }), "hart ", hart, " has lived ", report.lives))
        return false;
    return expect(report.id == hart && report.satp == 0 && report.sie == 0, "hart ", hart, " found id ", report.id,
                  " satp ", report.satp, " SIE ", report.sie);
}

void one_by_one(u64 hart) {
    u64 again = 0;
    for (u64 round = 1; round <= kRounds; ++round) {
        if (!expect(start(hart) == Error::Success, "start") || !reported(hart, round)) return;
        if (!expect(wait_state(hart, sbi::hsm::Started), "not started")) return;
        again += start(hart) == Error::AlreadyAvailable;
        send_ipi(1ull << hart);
        if (!is_stopped(hart)) return;
    }
    say("one of the others: lives ", reports[hart].lives, " already available ", again);
    expect(again == kRounds, "already available");
}

void all_at_once() {
    for (u64 round = 1; round <= kRounds; ++round) {
        for (u64 hart = 0; hart < hart_count(); ++hart)
            if (hart != hart_id) expect(start(hart) == Error::Success, "start");
        for (u64 hart = 0; hart < hart_count(); ++hart)
            if (hart != hart_id && !reported(hart, kRounds + round)) return;
        send_ipi(others(hart_id));
        for (u64 hart = 0; hart < hart_count(); ++hart)
            if (hart != hart_id && !is_stopped(hart)) return;
    }
    say("all at once: rounds ", kRounds);
}

std::atomic<u64> rivals_at;
std::atomic<u64> successes;
volatile u64 rival_rounds, rival_stop;

/// The second rival: starts the third hart whenever the first does.
void rival_starts(u64 third) {
    for (u64 round = 1; round <= kRounds; ++round) {
        if (!sleep_until([&] { return rivals_at.load() >= round; })) return;
        successes += start(third) == Error::Success;
        rival_rounds = round;
    }
}

u64 third_hart() { return (hart_id + 2) % hart_count(); }
u64 rival_hart() { return (hart_id + 1) % hart_count(); }

extern "C" const char rival_entry[];
asm(R"(
    .pushsection .text
    .globl rival_entry
    .balign 4
rival_entry:
    csrw    sscratch, zero
    lla     t0, trap_entry
    csrw    stvec, t0
    mv      sp, a1
    call    rival_main
    .popsection
)");
alignas(16) u8 rival_stack[8192];
extern "C" [[noreturn, gnu::used]] void rival_main() {
    rival_starts(third_hart());
    sbi_call(sbi::Ext::Hsm, sbi::hsm::Stop);
    for (;;) asm volatile("wfi");
}

/// Of two that start a hart at once, one has started it.
void rivals() {
    const u64 third = third_hart();
    const u64 before = reports[third].lives;
    const Error error = start_hart(rival_hart(), address(rival_entry), address(rival_stack + sizeof(rival_stack)));
    expect(error == Error::Success, "start of the rival");
    for (u64 round = 1; round <= kRounds; ++round) {
        rivals_at = round;
        send_ipi(1ull << rival_hart());
        successes += start(third) == Error::Success;
        if (!expect(wait_until([&] { return rival_rounds == round; }), "the rival sleeps")) return;
        if (!reported(third, before + round)) return;
        send_ipi(1ull << third);
        if (!is_stopped(third)) return;
    }
    is_stopped(rival_hart());
    say("two start a third: successes ", successes.load(), " lives ", reports[third].lives - before);
    expect(successes == kRounds, "successes");
}

void refused(const char* what, u64 hart) {
    const auto started = sbi_call(sbi::Ext::Hsm, sbi::hsm::Start, hart, address(hsm_life), 0).error;
    const auto status = sbi_call(sbi::Ext::Hsm, sbi::hsm::Status, hart).error;
    say(what, ": start ", Dec{static_cast<i64>(started)}, " status ", Dec{static_cast<i64>(status)});
    expect(started == Error::InvalidParam && status == Error::InvalidParam, what);
}

}  // namespace

GUEST(smp_hsm) {
    say("harts ", hart_count());
    const Space space(SatpMode::Sv39);
    for (Report& report : reports) report.leave_satp = space.satp();
    refused("the hart after the last", hart_count());
    refused("hart 0x1000", 0x1000);
    refused("hart ~0", ~0ull);
    for (u64 hart = 0; hart < hart_count(); ++hart)
        if (hart != hart_id && is_stopped(hart)) one_by_one(hart);
    all_at_once();
    if (hart_count() >= 3) rivals();
}
