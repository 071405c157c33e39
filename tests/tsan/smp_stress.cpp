// SPDX-License-Identifier: MIT
// Mailboxes, traces and scheduler under many threads, each a hart. Argument: per cent of the usual number of steps.

#include <cstdlib>

#include "tests/tsan/stress.hpp"

int main(int argc, char** argv) {
    using namespace uc::stress;
    const uc::u64 percent = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100;
    duel(3000 * percent);
    read_trace(50'000 * percent);
    // One token: whoever loses it brings all to a halt.
    run_machine("one token", 1, false, 1500 * percent);
    run_machine("three tokens", 3, false, 1500 * percent);
    run_machine("tokens, fences, alarms, a pinned vCPU", 5, true, 1000 * percent);
}
