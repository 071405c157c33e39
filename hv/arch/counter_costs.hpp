// SPDX-License-Identifier: MIT
#pragma once
// What the counters of the hart are worth.

#include "hv/exit_clock.hpp"

namespace uc::arch {

/// Reads the counters again and again, for some milliseconds. `counters`: HartAbilities::counters. For boot only.
[[nodiscard]] CounterCosts measure_counters(u32 counters, u64 timebase_hz);

}  // namespace uc::arch
