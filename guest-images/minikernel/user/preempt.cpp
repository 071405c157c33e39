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

}  // namespace

u64 program(u64) {
    const i64 a = spinner();
    const i64 b = spinner();
    expect(a > 0 && b > 0, 1);
    // That we get to run again at all is the timer's doing.
    while (slices(a) + slices(b) < 10) sleep(1);
    const i64 difference = slices(a) - slices(b);
    expect(-3 <= difference && difference <= 3, 2);
    expect(kill(a) == 0 && kill(b) == 0, 3);
    expect(wait() == kKilled && wait() == kKilled, 4);
    expect(kill(a) == kNoEntry, 5);
    return 0;
}
