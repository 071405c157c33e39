// SPDX-License-Identifier: MIT
#pragma once
// cycle and instret of a guest that stops and sets them by SBI PMU. The hart's own are shared by all that runs there
// and cannot be written, so the guest is kept from reading them, and each of its reads is answered from here.

#include <array>

#include "isa/types.hpp"

namespace uc {

/// Until they are first stopped or set, the guest reads the hart's own. Counters are numbered as in scounteren; `hart`
/// is what the hart's own holds now. While the vCPU is away from its hart, nothing counts.
class VirtualCounters {
  public:
    static constexpr unsigned kCycle = 0, kInstret = 2, kCount = 3;

    /// Those that the guest must not read in hardware, as bits of scounteren.
    [[nodiscard]] u32 hidden() const { return hidden_; }
    /// What the guest reads; counters that are not here are the hart's.
    [[nodiscard]] u64 value(unsigned n, u64 hart) const {
        if ((hidden_ >> n & 1) == 0) return hart;
        return base_[n] + (counts(n) ? hart : 0);
    }

    void set(unsigned n, u64 value, u64 hart) {
        hidden_ |= 1u << n;
        base_[n] = value - (counts(n) ? hart : 0);
    }
    void start(unsigned n, u64 hart) {
        const u64 now = value(n, hart);
        running_ |= 1u << n;
        set(n, now, hart);
    }
    void stop(unsigned n, u64 hart) {
        const u64 now = value(n, hart);
        running_ &= ~(1u << n);
        set(n, now, hart);
    }

    /// The vCPU gives its hart away, or has come to one; `hart(n)` reads one of this very hart's.
    template <class Read>
    void leave(Read&& hart) {
        if (away_) return;
        for_each_running([&](unsigned n) { base_[n] += hart(n); });
        away_ = true;
    }
    template <class Read>
    void arrive(Read&& hart) {
        if (!away_) return;
        for_each_running([&](unsigned n) { base_[n] -= hart(n); });
        away_ = false;
    }

    friend bool operator==(const VirtualCounters&, const VirtualCounters&) = default;

  private:
    [[nodiscard]] bool counts(unsigned n) const { return (running_ >> n & 1) != 0 && !away_; }
    template <class F>
    void for_each_running(F&& f) {
        for (const unsigned n : {kCycle, kInstret})
            if ((hidden_ & running_ & 1u << n) != 0) f(n);
    }

    u32 hidden_ = 0;
    u32 running_ = 0;
    bool away_ = false;
    std::array<u64, kCount> base_{};  ///< the value, less the hart's where it counts
};

}  // namespace uc
