// SPDX-License-Identifier: MIT
// What two harts that both run cost each other: interrupts and remote fences.

#include "bench/guests/second_hart.hpp"

using namespace uc;
using namespace uc::bench;

namespace {

constexpr u64 kRounds = 2000;
constexpr u64 kPage = 0x40'0000'0000 - 0x4000'0000;

// A page moves, is used where it went, and is fenced on the other hart: what unmapping costs a kernel.
void measure_sfence(Space& space) {
    const u64 places[2] = {new_page(), new_page()};
    u64 round = 0;
    measure("sfence", kRounds, [&] {
        space.map(kPage, places[round++ % 2], kRw);
        asm volatile("sfence.vma %0, x0" ::"r"(kPage) : "memory");
        *reinterpret_cast<volatile u64*>(kPage) = round;
        sbi_call(sbi::Ext::Rfence, sbi::rfence::SfenceVma, 1, other_hart(), kPage, kPageSize);
    });
}

}  // namespace

GUEST(bench_pair) {
    static Space space(SatpMode::Sv39);
    space.enter();
    start_second_hart();
    measure("ipi_asleep", kRounds, [] {
        ipi_to(other_hart());
        await_ipi();
    });
    play(Part::Compute);
    measure("ipi", kRounds, [] {
        const u64 before = second.taken;
        ipi_to(other_hart());
        while (second.taken == before) {}
    });
    measure_sfence(space);
    measure("fence_i", kRounds, [] { sbi_call(sbi::Ext::Rfence, sbi::rfence::FenceI, 1, other_hart()); });
    play(Part::Stop);
    expect(wait_state(other_hart(), sbi::hsm::Stopped), "the second hart does not stop");
}
