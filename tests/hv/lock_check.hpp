// SPDX-License-Identifier: MIT
#pragma once
// Each thread of a test is a hart whose locks are checked.

#include <cstdio>
#include <cstdlib>

#include "hv/spin_lock.hpp"

namespace uc::test {

inline thread_local LockContext the_lock_context;

/// Checks the order of locks while it lives.
struct CheckLocks {
    CheckLocks() {
        the_lock_hooks.context = [] { return &the_lock_context; };
        the_lock_hooks.violated = [](LockRank rank, u32 held) {
            std::fprintf(stderr, "lock order: rank %u while holding %#x\n", static_cast<unsigned>(rank), held);
            std::abort();
        };
    }
    ~CheckLocks() { the_lock_hooks = {}; }
    CheckLocks(const CheckLocks&) = delete;
    CheckLocks& operator=(const CheckLocks&) = delete;
};

}  // namespace uc::test
