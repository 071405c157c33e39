// SPDX-License-Identifier: MIT
#pragma once
// Host ASIDs of one guest's roots, handed out in generations.

#include "isa/types.hpp"

#include <algorithm>

namespace uc {

/// A range of host ASIDs. Each root gets one when it is first used in a generation; when the range runs out a new
/// generation begins, for which the caller owes a flush of everything and keeps the ASIDs that harts are running with.
class HostAsids {
  public:
    /// The ASIDs first..last as far as `bits` can express them; too few for `vcpus` harts to run at once count as none.
    constexpr HostAsids(unsigned bits, u16 first, u16 last, unsigned vcpus)
        : first_(first), end_(std::min(u32{last} + 1, 1u << bits)), next_(first) {
        if (bits == 0 || end_ <= first_ + vcpus) end_ = 0;
    }

    /// Whether there are any; without, all roots share ASID 0.
    [[nodiscard]] constexpr bool any() const { return end_ != 0; }
    /// Counts from 1. An ASID taken in another generation is void.
    [[nodiscard]] constexpr u32 generation() const { return generation_; }

    /// The next ASID for which `is_kept(u16)` is false; 0 when the generation is used up.
    template <class IsKept>
    [[nodiscard]] constexpr u16 take(IsKept is_kept) {
        while (next_ < end_) {
            const u16 asid = static_cast<u16>(next_++);
            if (!is_kept(asid)) return asid;
        }
        return 0;
    }
    constexpr void begin_generation() {
        ++generation_;
        next_ = first_;
    }

  private:
    u32 first_;
    u32 end_;  ///< one past the last; 0: none
    u32 next_;
    u32 generation_ = 1;
};

}  // namespace uc
