// SPDX-License-Identifier: MIT
// Floating-point registers are a process's own, across preemption and fork.

#include "guest-images/minikernel/user/user.hpp"

using namespace uc;
using namespace uc::mini;

extern "C" {
/// fill and compare all of f0..f31 (fp_user.S)
void fp_fill(u64 seed);
u64 fp_matches(u64 seed);
}

namespace {

u64 keep(u64 seed) {
    fp_fill(seed);
    const i64 self = getpid();
    const i64 enough = slices(self) + 3;
    while (slices(self) < enough)
        if (fp_matches(seed) == 0) return 1;
    return fp_matches(seed) != 0 ? 0 : 2;
}

}  // namespace

u64 program(u64) {
    constexpr u64 kProcesses = 3;
    for (u64 i = 1; i <= kProcesses; ++i) {
        const i64 pid = fork();
        expect(pid >= 0, 3);
        if (pid == 0) exit(keep(i << 52));
    }
    for (u64 i = 0; i < kProcesses; ++i) expect(wait() == 0, 4);
    fp_fill(0x4000'0000'0000'0000);
    expect(in_child([] { return fp_matches(0x4000'0000'0000'0000) != 0 ? 0 : 5; }) == 0, 6);
    expect(fp_matches(0x4000'0000'0000'0000) != 0, 7);
    return 0;
}
