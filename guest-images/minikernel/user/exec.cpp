// SPDX-License-Identifier: MIT
// exec passes its argument, keeps the process, replaces its memory, and leaves all as it was when it fails.

#include "guest-images/minikernel/user/user.hpp"

using namespace uc;
using namespace uc::mini;

namespace {
volatile u64 touched = 0;
}

u64 program(u64 argument) {
    expect(touched == 0, 1);  // memory is new even if the program is the same
    touched = 1;
    if (argument != 0) return argument == static_cast<u64>(getpid()) ? 42 : 2;

    expect(exec("no such program") == kNoEntry, 3);
    expect(exec({reinterpret_cast<const char*>(8), 4}) == kBadAddress, 4);
    const u64 code = in_child([] {
        exec("exec", static_cast<u64>(getpid()));
        return 5;
    });
    expect(code == 42, 6);
    return 0;
}
