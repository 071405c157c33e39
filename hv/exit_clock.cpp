// SPDX-License-Identifier: MIT
#include "hv/exit_clock.hpp"

namespace uc {

u64 ExitClock::ns(u64 units) const { return counter == ExitCounter::None ? 0 : ticks_to_ns(units, hz); }

ExitClock choose_exit_clock(TraceMode mode, const CounterCosts& costs, u64 timebase_hz) {
    if (mode == TraceMode::Off || mode == TraceMode::Untimed) return {};
    const bool any_cost = mode == TraceMode::Timed;
    const ExitClock cycle{ExitCounter::Cycle, costs.cycle_hz}, time{ExitCounter::Time, timebase_hz};
    if (costs.cycle_hz != 0 && costs.cycle_ns <= kCheapReadNs) return cycle;
    if (costs.time_ns <= kCheapReadNs) return time;
    if (!any_cost) return {};
    return costs.cycle_hz != 0 && costs.cycle_ns <= costs.time_ns ? cycle : time;
}

Text<96> describe(const ExitClock& clock, TraceMode mode, const CounterCosts& costs) {
    constexpr u64 kMega = 1'000'000;
    switch (clock.counter) {
        case ExitCounter::Cycle: return Text<96>("timed by cycle, ", clock.hz / kMega, " MHz");
        case ExitCounter::Time: return Text<96>("timed by time, ", clock.hz / kMega, " MHz");
        case ExitCounter::None: break;
    }
    if (mode != TraceMode::On) return Text<96>("not timed");
    Text<96> text("not timed: to read time costs ", costs.time_ns, " ns");
    if (costs.cycle_hz != 0) text.add(", cycle ").add(costs.cycle_ns).add(" ns");
    return text;
}

}  // namespace uc
