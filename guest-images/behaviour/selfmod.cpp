// SPDX-License-Identifier: MIT
// Code that changes: through its own mapping, through another one, and by changing the mapping (Unprivileged,
// Zifencei).

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

namespace {

constexpr u64 kCode = 0x21'0000'0000;   // executable, not writable
constexpr u64 kAlias = 0x22'0000'0000;  // writable, not executable

constexpr u32 li_a0(u32 value) { return value << 20 | a0 << 7 | 0x13; }

void write_code(u64 at, u32 value) {
    auto* words = reinterpret_cast<volatile u32*>(at);
    words[0] = li_a0(value);
    words[1] = kEbreak;
}

void check(const char* what, u64 pc, Priv priv, u64 want) {
    const Frame frame = call(pc, priv);
    say(what, ": ", Ended{frame, pc}, " value ", frame.x[a0]);
    expect(frame.completed() && frame.x[a0] == want, what);
}

void rounds(const char* what, u64 write_at, u64 run_at, Priv priv) {
    u64 sum = 0;
    for (u32 round = 1; round <= 200; ++round) {
        write_code(write_at, round);
        fence_i();
        const Frame frame = call(run_at, priv);
        expect(frame.completed() && frame.x[a0] == round, what, " round ", round, " value ", frame.x[a0]);
        sum += frame.x[a0];
    }
    say(what, ": 200 rounds sum ", sum);
}

}  // namespace

GUEST(selfmod) {
    const u64 page = new_page();
    const u64 second = new_page();
    write_code(page, 1);
    fence_i();
    check("Bare, S", page, Priv::S, 1);
    check("Bare, U", page, Priv::U, 1);
    rounds("Bare rewritten, S", page, page, Priv::S);
    rounds("Bare rewritten, U", page, page, Priv::U);

    each_mode([&](SatpMode mode) {
        Space space(mode);
        for (Priv priv : {Priv::S, Priv::U}) {
            const u64 user_bit = priv == Priv::U ? kU : 0;
            space.map(kCode, page, kV | kR | kX | kA | user_bit);
            space.map(kAlias, page, kRw);
            space.enter();
            rounds(priv == Priv::U ? "through an alias, U" : "through an alias, S", kAlias, kCode, priv);
            rounds(priv == Priv::U ? "through identity, U" : "through identity, S", page, kCode, priv);

            write_code(page, 7);
            write_code(second, 8);
            fence_i();
            check("first page", kCode, priv, 7);
            space.map(kCode, second, kV | kR | kX | kA | user_bit);
            sfence();
            check("remapped to the second", kCode, priv, 8);
            write_code(second, 9);
            fence_i();
            check("second rewritten", kCode, priv, 9);
            space.map(kCode, page, kV | kR | kX | kA | user_bit);
            sfence();
            check("remapped to the first", kCode, priv, 7);
            // Execute-only and then not executable: the fetch faults, the data stays.
            space.map(kCode, page, kV | kX | kA | user_bit);
            sfence();
            check("execute-only", kCode, priv, 7);
            space.map(kCode, page, kV | kR | kA | user_bit);
            sfence();
            const Frame frame = call(kCode, priv);
            say("not executable: ", Ended{frame, kCode});
            expect(frame.trapped(Cause::FetchPageFault) && frame.tval == kCode, "fetch page fault");
            leave_space();
        }
    });
}
