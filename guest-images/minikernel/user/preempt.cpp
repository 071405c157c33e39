// SPDX-License-Identifier: MIT
// Two processes that never make a system call share the hart with each other and with us.

#include "guest-images/minikernel/user/user.hpp"

using namespace uc;
using namespace uc::mini;

namespace {

i64 spinner() {
    const i64 pid = fork();
    if (pid == 0)
        for (volatile u64 count = 0;;) count = count + 1;
    return pid;
}

/// How many slices both have used up. They are read one after the other while the two go on running, so the first is
/// read on either side of the second.
struct Slices {
    i64 a_before, b, a_after;
};

Slices count(i64 a, i64 b) {
    const i64 before = slices(a);
    const i64 other = slices(b);
    return {before, other, slices(a)};
}

}  // namespace

u64 program(u64) {
    const i64 a = spinner();
    const i64 b = spinner();
    expect(a > 0 && b > 0, 1);
    const Slices start = count(a, b);
    Slices end = start;
    // That we get to run again at all is the timer's doing.
    while (end.b - start.b < 5) {
        sleep(1);
        end = count(a, b);
    }
    // Taking turns, one is never more than one slice ahead of the other, on however slow a machine.
    const i64 used = end.b - start.b;
    expect(end.a_before - start.a_after - 1 <= used && used <= end.a_after - start.a_before + 1, 2);
    expect(kill(a) == 0 && kill(b) == 0, 3);
    expect(wait() == kKilled && wait() == kKilled, 4);
    expect(kill(a) == kNoEntry, 5);
    return 0;
}
