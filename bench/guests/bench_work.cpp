// SPDX-License-Identifier: MIT
// A guest with a fixed amount of work of a kernel's kind: arithmetic, page tables, traps of its own. It tells when it
// began and ended, so that the work of several guests together can be compared with that of one.

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_trap, "nop");

namespace {

constexpr unsigned kRounds = 3000;
constexpr unsigned kPages = 64;
constexpr u64 kBase = 0x40'0000'0000 - 0x4000'0000;

u64 arithmetic(u64 seed) {
    Random random(seed);
    u64 sum = 0;
    for (unsigned i = 0; i < 2000; ++i) sum += random.next();
    return sum;
}

}  // namespace

GUEST(bench_work) {
    static Space space(SatpMode::Sv39);
    u64 pages[kPages];
    for (unsigned i = 0; i < kPages; ++i) space.map(kBase + i * kPageSize, pages[i] = new_page(), kRw);
    space.enter();
    const u64 start = rdtime();
    u64 sum = 0;
    for (unsigned round = 0; round < kRounds; ++round) {
        sum += arithmetic(round + 1);
        // What a page holds is seen through whatever address it is mapped at, once the mapping was fenced.
        const u64 va = kBase + round % kPages * kPageSize;
        const u64 page = pages[(round * 7 + 1) % kPages];
        space.map(va, page, kRw);
        asm volatile("sfence.vma %0, x0" ::"r"(va) : "memory");
        *reinterpret_cast<volatile u64*>(va) = round;
        expect(*reinterpret_cast<volatile u64*>(page) == round, "another page");
        call(do_trap, Priv::S);
    }
    const u64 end = rdtime();
    say("work ", Dec{static_cast<i64>(start)}, " ", Dec{static_cast<i64>(end)}, " sum ", sum);
}
