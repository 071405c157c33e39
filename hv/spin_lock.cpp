// SPDX-License-Identifier: MIT
#include "hv/spin_lock.hpp"

namespace uc {

constinit LockHooks the_lock_hooks;

namespace {

LockContext* current_context() { return the_lock_hooks.context != nullptr ? the_lock_hooks.context() : nullptr; }

[[noreturn]] void report(LockRank rank, u32 held) {
    if (the_lock_hooks.violated != nullptr) the_lock_hooks.violated(rank, held);
    __builtin_trap();
}

}  // namespace

void note_lock(LockRank rank) {
    LockContext* context = current_context();
    if (context == nullptr) return;
    if (context->held >> static_cast<unsigned>(rank) != 0) report(rank, context->held);
    context->held |= 1u << static_cast<unsigned>(rank);
}

void note_unlock(LockRank rank) {
    LockContext* context = current_context();
    if (context == nullptr) return;
    const u32 bit = 1u << static_cast<unsigned>(rank);
    if ((context->held & bit) == 0) report(rank, context->held);
    context->held &= ~bit;
}

}  // namespace uc
