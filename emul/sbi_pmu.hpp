// SPDX-License-Identifier: MIT
#pragma once
// A vCPU's performance counters as SBI PMU numbers them: 0 is cycle, 2 instret, and from 3 on come those that count
// firmware events. Values of the first two are in GuestHart::counters.

#include <array>

#include "isa/sbi.hpp"

namespace uc {

/// Touched by the vCPU's own calls only.
struct SbiPmu {
    static constexpr unsigned kFirstFirmware = 3;
    static constexpr unsigned kCounters = kFirstFirmware + 16;

    struct Counter {
        u32 event = 0;  ///< event_idx; 0 while it is not configured
        bool started = false;
        u64 base = 0;  ///< a firmware counter's value, less the events so far where it is started
        friend bool operator==(const Counter&, const Counter&) = default;
    };
    std::array<Counter, kCounters> counters{};
    /// Events that the vCPU's own SBI calls made. They are counted whether a counter wants them or not.
    std::array<u64, sbi::pmu::FirmwareEvents> made{};

    friend bool operator==(const SbiPmu&, const SbiPmu&) = default;
};

}  // namespace uc
