// SPDX-License-Identifier: MIT
#pragma once
// What exits are timed with: it is read twice at each, so it has to be cheap (docs/trap-path.md).

#include "hv/text.hpp"
#include "isa/types.hpp"

namespace uc {

/// How much is kept of exits.
enum class TraceMode : u8 {
    Off,      ///< counts only
    Untimed,  ///< what happened
    On,       ///< and when, where a counter is cheap to read
    Timed,    ///< and when, whatever it costs
};

/// A counter of the hart.
enum class ExitCounter : u8 { Cycle, Time, None };

struct ExitClock {
    ExitCounter counter = ExitCounter::None;
    u64 hz = 0;  ///< 0 for None only

    /// The length of `units` in ns; 0 where nothing is measured.
    [[nodiscard]] u64 ns(u64 units) const;
};

/// What a hart's counters are worth, measured at boot.
struct CounterCosts {
    u64 time_ns = 0;   ///< of one read of `time`
    u64 cycle_ns = 0;  ///< of one read of `cycle`
    u64 cycle_hz = 0;  ///< 0: it cannot be read, or stands still
};

/// A read that costs more than this went to firmware, or as well might have.
inline constexpr u64 kCheapReadNs = 200;

/// The clock to use: `cycle` before `time`, which mostly is coarse and on some harts read by firmware.
[[nodiscard]] ExitClock choose_exit_clock(TraceMode mode, const CounterCosts& costs, u64 timebase_hz);

/// The choice as people read it: "timed by cycle, 2000 MHz".
[[nodiscard]] Text<96> describe(const ExitClock& clock, TraceMode mode, const CounterCosts& costs);

/// `ticks` of a counter of `hz` in ns, without overflow for what fits.
[[nodiscard]] constexpr u64 ticks_to_ns(u64 ticks, u64 hz) {
    constexpr u64 kNsPerSecond = 1'000'000'000;
    return hz == 0 ? 0 : ticks / hz * kNsPerSecond + ticks % hz * kNsPerSecond / hz;
}

}  // namespace uc
