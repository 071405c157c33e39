// SPDX-License-Identifier: MIT
// A guest that looks after another: lists, starts, pauses and resets it through the SBI extension of the hypervisor's
// own. The other is "worker", stopped at first, and ends by itself.

#include "emul/sbi_undercroft.hpp"
#include "guest-images/behaviour/rt/rt.hpp"

using namespace uc;
using namespace uc::rt;
using namespace uc::sbi::undercroft;

namespace {

alignas(8) GuestRecord record;

sbi::Ret manage(Fid function, u64 guest = 0, u64 argument = 0) { return sbi_call(kExt, function, guest, argument); }

/// What the hypervisor tells of a guest now.
const GuestRecord& look(u64 guest) {
    expect(manage(GuestInfo, guest, address(&record)).error == sbi::Error::Success, "GuestInfo");
    asm volatile("" ::: "memory");
    return record;
}

void act(const char* what, u64 guest, u64 action, sbi::Error want) {
    const sbi::Ret got = manage(GuestAct, guest, action);
    say(what, ": ", Dec{static_cast<i64>(got.error)});
    expect(got.error == want, what);
}

void wait_for(State state) {
    while (look(1).state != state) {
        const u64 until = rdtime() + 10000;
        while (rdtime() < until) {}
    }
}

}  // namespace

GUEST(manage) {
    using enum sbi::Error;
    expect(manage(Version).value == kSbiImplVersion, "Version");
    const sbi::Ret count = manage(GuestCount);
    if (!expect(count.error != Denied, "not a manager")) return;
    say("guests: ", Dec{static_cast<i64>(count.value)});
    expect(count.value == 2, "two guests");
    say("this one: ", look(0).name.data(), " vcpus ", look(0).vcpus, " memory ", look(0).memory);
    expect(record.is_caller == 1 && record.state == Running && record.exits != 0, "this one");
    say("the other: ", look(1).name.data(), " vcpus ", record.vcpus, " memory ", record.memory);
    expect(record.is_caller == 0 && record.state == Created && record.exits == 0, "the other");

    act("pause what does not run", 1, Pause, Failed);
    act("start", 1, Start, Success);
    act("start again", 1, Start, Failed);
    wait_for(State::Ended);
    act("stop what has ended", 1, Stop, Failed);

    act("start anew", 1, Start, Success);
    wait_for(Running);
    act("pause", 1, Pause, Success);
    act("pause again", 1, Pause, Failed);
    const u64 exits = look(1).exits;
    const u64 until = rdtime() + 500'000;
    while (rdtime() < until) {}
    expect(look(1).state == Paused && look(1).exits == exits, "it does not run while paused");
    act("resume", 1, Resume, Success);
    wait_for(State::Ended);

    for (int round = 0; round < 20; ++round) {
        expect(manage(GuestAct, 1, Start).error == Success, "start ", round);
        expect(manage(GuestAct, 1, Reset).error == Success, "reset ", round);
        expect(manage(GuestAct, 1, Stop).error == Success, "stop ", round);
        expect(look(1).state == Stopped, "stopped ", round);
    }
    say("20 rounds");

    act("nobody", 2, Start, InvalidParam);
    act("nothing", 1, Actions, InvalidParam);
    expect(manage(GuestInfo, 7, address(&record)).error == InvalidParam, "info of nobody");
    expect(manage(GuestInfo, 0, address(&record) + 4).error == InvalidAddress, "misaligned");
    expect(manage(GuestInfo, 0, 0x1000).error == InvalidAddress, "outside memory");
    expect(manage(GuestInfo, 0, ~7ull).error == InvalidAddress, "at the end of all");
}
