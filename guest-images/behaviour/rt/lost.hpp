// SPDX-License-Identifier: MIT
#pragma once

#include "guest-images/behaviour/rt/space.hpp"

namespace uc::rt {

/// Takes the ground from under the guest: from the next instruction on every fetch faults, the handler's first one too.
inline void lose_satp(SatpMode mode, u64 root) {
    say("from here on nothing is mapped");
    csr_write<CsrNo::satp>(static_cast<u64>(mode) << 60 | root >> 12);
    sfence();
    expect(false, "still alive");
}

}  // namespace uc::rt
