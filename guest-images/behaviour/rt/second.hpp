// SPDX-License-Identifier: MIT
#pragma once
// A second hart, for guests that need one: its number is the first's with the lowest bit changed.

#include "guest-images/behaviour/rt/rt.hpp"

namespace uc::rt {

inline u64 other_hart() { return hart_id ^ 1; }

/// Waits for `condition`; false if it does not come within kPatience.
template <class Condition>
bool wait_until(Condition&& condition) {
    const u64 limit = rdtime() + kPatience;
    while (!condition()) {
        if (rdtime() > limit) return false;
    }
    return true;
}

inline bool wait_state(u64 hart, sbi::hsm::State state) {
    return wait_until([=] { return sbi_call(sbi::Ext::Hsm, sbi::hsm::Status, hart).value == state; });
}

}  // namespace uc::rt
