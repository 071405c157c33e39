// SPDX-License-Identifier: MIT
// Sleep lasts, others run meanwhile, and all sleepers wake.

#include "guest-images/minikernel/user/user.hpp"

using namespace uc;
using namespace uc::mini;

namespace {
constexpr unsigned kSleepers = 4;
}

u64 program(u64) {
    const u64 ms = static_cast<u64>(call(Call::Timebase)) / 1000;
    for (u64 i = 0; i < kSleepers; ++i) {
        const i64 pid = fork();
        expect(pid >= 0, 1);
        if (pid != 0) continue;
        const u64 start = now();
        sleep(4 + 2 * i);
        exit(now() - start >= (4 + 2 * i) * ms ? 0 : 2);
    }
    for (unsigned i = 0; i < kSleepers; ++i) expect(wait() == 0, 3);
    return 0;
}
