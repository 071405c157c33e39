// SPDX-License-Identifier: MIT
#pragma once
// Time and the one timer interrupt source, through stimecmp where the hart has Sstc and the SBI where not.

#include "isa/types.hpp"

namespace uc::mini::timer {

/// Chooses the way and leaves the timer disarmed, its interrupt enabled in sie.
void init();

/// Ticks of the timebase.
[[nodiscard]] u64 now();

[[nodiscard]] u64 ticks_of_ms(u64 ms);

/// The interrupt becomes pending when now() reaches `deadline`.
void arm(u64 deadline);

/// No interrupt is pending or will become so.
void disarm();

}  // namespace uc::mini::timer
