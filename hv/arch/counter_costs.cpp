// SPDX-License-Identifier: MIT
#include "hv/arch/counter_costs.hpp"

#include <algorithm>
#include <array>

#include "hv/arch/csr_access.hpp"

namespace uc::arch {

namespace {

constexpr unsigned kReads = 64;
constexpr unsigned kRounds = 3;
constexpr u64 kRatesPerSecond = 1000;

// The least of some rounds: whatever comes between makes a read dearer than it is.
template <CsrNo N>
u64 read_cost(u64 timebase_hz) {
    u64 least = ~0ull;
    for (unsigned round = 0; round < kRounds; ++round) {
        const u64 begin = csr_read<CsrNo::time>();
        for (unsigned i = 0; i < kReads; ++i) static_cast<void>(csr_read<N>());
        least = std::min(least, csr_read<CsrNo::time>() - begin);
    }
    return ticks_to_ns(least, timebase_hz) / kReads;
}

// Cycles in a millisecond of `time`. The middle of some rounds: what comes between the two reads falsifies either way.
u64 cycle_rate(u64 timebase_hz) {
    std::array<u64, kRounds> rates{};
    for (u64& rate : rates) {
        const u64 begin = csr_read<CsrNo::time>(), cycles = csr_read<CsrNo::cycle>();
        u64 end = begin;
        while (end - begin < timebase_hz / kRatesPerSecond) end = csr_read<CsrNo::time>();
        rate = (csr_read<CsrNo::cycle>() - cycles) * timebase_hz / (end - begin);
    }
    std::ranges::sort(rates);
    return rates[kRounds / 2];
}

}  // namespace

CounterCosts measure_counters(u32 counters, u64 timebase_hz) {
    CounterCosts costs;
    costs.time_ns = read_cost<CsrNo::time>(timebase_hz);
    if ((counters & 1) == 0) return costs;
    costs.cycle_ns = read_cost<CsrNo::cycle>(timebase_hz);
    costs.cycle_hz = cycle_rate(timebase_hz);
    return costs;
}

}  // namespace uc::arch
