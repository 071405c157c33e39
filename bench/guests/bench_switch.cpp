// SPDX-License-Identifier: MIT
// Two vCPUs that wake each other on one hart: each of them sleeps for the other to run.

#include "bench/guests/second_hart.hpp"

using namespace uc;
using namespace uc::bench;

GUEST(bench_switch) {
    static Space space(SatpMode::Sv39);
    space.enter();
    start_second_hart();
    measure("switch", 2000, [] {
        ipi_to(other_hart());
        await_ipi();
    });
    play(Part::Stop);
    expect(wait_state(other_hart(), sbi::hsm::Stopped), "the second hart does not stop");
}
