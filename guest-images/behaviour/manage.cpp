// SPDX-License-Identifier: MIT
// A guest that looks after another: lists, starts, pauses, resets, destroys and creates it through the SBI extension of
// the hypervisor's own. The other is "worker", stopped at first, and ends by itself.

#include "emul/sbi_undercroft.hpp"
#include "guest-images/behaviour/rt/rt.hpp"

using namespace uc;
using namespace uc::rt;
using namespace uc::sbi::undercroft;

namespace {

alignas(8) GuestRecord record;
alignas(8) GuestMemoryRecord memory;
alignas(8) MachineMemoryRecord machine;

sbi::Ret manage(Fid function, u64 guest = 0, u64 argument = 0) { return sbi_call(kExt, function, guest, argument); }

/// What the hypervisor tells of a guest now.
const GuestRecord& look(u64 guest) {
    expect(manage(GuestInfo, guest, address(&record)).error == sbi::Error::Success, "GuestInfo");
    asm volatile("" ::: "memory");
    return record;
}

const GuestMemoryRecord& look_at_memory(u64 guest) {
    expect(manage(GuestMemory, guest, address(&memory)).error == sbi::Error::Success, "GuestMemory");
    asm volatile("" ::: "memory");
    return memory;
}

const MachineMemoryRecord& look_at_machine() {
    expect(manage(MachineMemory, address(&machine)).error == sbi::Error::Success, "MachineMemory");
    asm volatile("" ::: "memory");
    return machine;
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

/// The other, which has ended, comes and goes; all the memory comes back each time.
void destroy_and_create() {
    using enum sbi::Error;
    const MachineMemoryRecord before = look_at_machine();
    const GuestMemoryRecord had = look_at_memory(1);
    expect(had.ram == look(1).memory && had.frames != 0, "what the other has");
    act("create what there is", 1, Create, Failed);
    for (int round = 0; round < 20; ++round) {
        expect(manage(GuestAct, 1, Destroy).error == Success, "destroy ", round);
        wait_for(Destroyed);
        expect(look(1).memory == 0 && record.vcpus == 0 && record.exits == 0, "nothing is left ", round);
        expect(look_at_memory(1).ram == 0 && memory.rest == 0 && memory.frames == 0, "it has nothing ", round);
        expect(look_at_machine().free == before.free + had.ram + had.rest, "its memory is free ", round);
        expect(machine.hypervisor == before.hypervisor, "nothing was lost ", round);
        expect(manage(GuestAct, 1, Start).error == Failed, "start what is gone ", round);
        expect(manage(GuestAct, 1, Create).error == Success, "create ", round);
        wait_for(Created);
        expect(look_at_machine().free == before.free && look_at_memory(1).ram == had.ram, "as before ", round);
    }
    say("20 lives");
    act("start what was created anew", 1, Start, Success);
    wait_for(State::Ended);
    expect(manage(GuestMemory, 2, address(&memory)).error == InvalidParam, "memory of nobody");
    expect(manage(MachineMemory, 0x1000).error == InvalidAddress, "figures outside memory");
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
    destroy_and_create();

    act("nobody", 2, Start, InvalidParam);
    act("nothing", 1, Actions, InvalidParam);
    expect(manage(GuestInfo, 7, address(&record)).error == InvalidParam, "info of nobody");
    expect(manage(GuestInfo, 0, address(&record) + 4).error == InvalidAddress, "misaligned");
    expect(manage(GuestInfo, 0, 0x1000).error == InvalidAddress, "outside memory");
    expect(manage(GuestInfo, 0, ~7ull).error == InvalidAddress, "at the end of all");
}
