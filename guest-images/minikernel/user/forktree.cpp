// SPDX-License-Identifier: MIT
// A binary tree of processes: each adds up what its two children exit with.

#include "guest-images/minikernel/user/user.hpp"

using namespace uc;
using namespace uc::mini;

namespace {

/// Number of leaves below, or something else if a fork failed.
u64 leaves(unsigned depth) {
    if (depth == 0) return 1;
    for (int child = 0; child < 2; ++child) {
        const i64 pid = fork();
        if (pid < 0) return 200;
        if (pid == 0) exit(leaves(depth - 1));
    }
    const u64 first = wait();
    return first + wait();
}

}  // namespace

u64 program(u64) {
    expect(leaves(4) == 16, 1);
    expect(wait() == ~0ull, 2);  // no child is left
    return 0;
}
