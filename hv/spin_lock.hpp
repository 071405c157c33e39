// SPDX-License-Identifier: MIT
#pragma once
// A lock for the moments when harts must take turns, and the order in which locks are taken.

#include <atomic>

#include "isa/types.hpp"

namespace uc {

/// The lock order of the hypervisor: who holds a lock takes only locks further down this list, so that no two harts can
/// wait for each other. There may be many locks of a rank (one per guest); a hart holds at most one of them.
enum class LockRank : u8 {
    Lifecycle,  ///< which guests exist, and what becomes of them
    Report,     ///< telling what vCPUs did last
    Console,    ///< the terminal and the monitor: keys go to devices and commands to guests from under it
    Guest,      ///< what a guest's vCPUs change about each other: HSM states
    Devices,    ///< a guest's devices: they write its memory and raise its lines
    Shadow,     ///< a guest's shadow tables
    Scheduler,  ///< who runs where: waking a vCPU is allowed from under all of the above
    Memory,     ///< the machine's free memory
};

/// What one hart holds. Touched by that hart only.
struct LockContext {
    u32 held = 0;  ///< bit n: a lock of rank n
};

/// How checked locks find the calling hart's record and report a broken order. Set once at boot.
struct LockHooks {
    /// The record of the hart that calls; null as long as it has none, and then nothing is checked. Null: none has.
    LockContext* (*context)() = nullptr;
    /// `rank` was taken while `held` forbids it, or released while it was not held. Must not return; null: a trap.
    void (*violated)(LockRank rank, u32 held) = nullptr;
};
extern constinit LockHooks the_lock_hooks;

/// Notes in the calling hart's record that it is about to take, or has released, a lock of `rank`; reports a broken
/// order.
void note_lock(LockRank rank);
void note_unlock(LockRank rank);

#ifdef UC_CHECK_LOCKS
inline constexpr bool kCheckLocks = true;
#else
inline constexpr bool kCheckLocks = false;
#endif

/// Test-and-test-and-set. Not a queue, although that would be fair: where the machine is itself virtual its harts pause
/// at any moment, and in a queue all would wait for one that is not running.
class SpinLock {
  public:
    explicit constexpr SpinLock(LockRank rank) : rank_(rank) {}
    SpinLock(const SpinLock&) = delete;
    SpinLock& operator=(const SpinLock&) = delete;

    void lock() {
        lock([] {});
    }
    /// As lock(); calls `meanwhile` again and again while it waits.
    template <class Meanwhile>
    void lock(Meanwhile meanwhile) {
        // Before waiting: an order that is broken is reported, not a machine that stands still.
        if constexpr (kCheckLocks) note_lock(rank_);
        while (taken_.exchange(1, std::memory_order_acquire) != 0) {
            while (taken_.load(std::memory_order_relaxed) != 0) meanwhile();
        }
    }
    /// False, holding nothing, where lock() would have waited. The order is the same as for lock().
    [[nodiscard]] bool try_lock() {
        if (taken_.load(std::memory_order_relaxed) != 0 || taken_.exchange(1, std::memory_order_acquire) != 0) {
            return false;
        }
        if constexpr (kCheckLocks) note_lock(rank_);
        return true;
    }
    void unlock() {
        if constexpr (kCheckLocks) note_unlock(rank_);
        taken_.store(0, std::memory_order_release);
    }
    /// A glance.
    [[nodiscard]] bool is_taken() const { return taken_.load(std::memory_order_relaxed) != 0; }
    /// Opens it, whoever holds it: for one that is about to end the machine and has to be heard.
    void break_open() { taken_.store(0, std::memory_order_release); }
    [[nodiscard]] LockRank rank() const { return rank_; }

  private:
    std::atomic<u32> taken_{0};  // a word, because harts have no atomic bytes
    LockRank rank_;
};

/// Holds a lock for the length of a scope.
class [[nodiscard]] LockGuard {
  public:
    explicit LockGuard(SpinLock& lock) : lock_(lock) { lock_.lock(); }
    ~LockGuard() { lock_.unlock(); }
    LockGuard(const LockGuard&) = delete;
    LockGuard& operator=(const LockGuard&) = delete;

  private:
    SpinLock& lock_;
};

}  // namespace uc
