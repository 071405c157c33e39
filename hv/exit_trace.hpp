// SPDX-License-Identifier: MIT
#pragma once
// The last exits on one hart: a ring that the hart writes without waiting and everybody else may read meanwhile.

#include <array>
#include <atomic>
#include <optional>
#include <span>

#include "hv/exit_clock.hpp"
#include "hv/exit_stats.hpp"

namespace uc {

class Platform;
struct Vcpu;

/// One exit as it happened; or a mark: the hart enters a vCPU that was not on it, or it is some time since the last
/// mark.
struct ExitRecord {
    u64 pc = 0;
    u64 scause = 0;
    u64 stval = 0;
    u64 entered = 0;  ///< the hypervisor, as the ExitClock counts
    u64 left = 0;     ///< it, for the guest or because the vCPU gave the hart away
    u64 time = 0;     ///< of a mark: `time` when the clock showed `entered`
    u16 guest = 0;
    u8 vcpu = 0;
    ExitReason reason{};  ///< what it turned out to be; Count: a mark

    [[nodiscard]] bool is_mark() const { return reason == ExitReason::Count; }
};

/// Records are numbered from 0; those at the end are kept. One is written while the exit it tells of is handled, and
/// counted when that is over.
///
/// No reader takes a record that is written meanwhile for a whole one. The writer has a release fence between what it
/// writes of record n and its setting the count to n+1. So who has seen anything of record k+N, which replaces record
/// k, and then has passed an acquire fence, sees the count at k+N-1 at least: the store of that stands before the fence
/// of record k+N-1, which stands before record k+N. A reader copies record k, passes its fence, and believes the copy
/// if the count is less. One fence for each exit and the last two records of the ring are the price.
class ExitTrace {
  public:
    static constexpr usize kRecords = 1024;  ///< by default: a power of two
    static constexpr usize kLost = 2;        ///< records less than it has room for are kept for readers

    /// Room for one record: a cache line.
    struct alignas(64) Slot {
        SharedWord pc, scause, stval, entered, left, tag;
    };

    ExitTrace() = default;
    ExitTrace(const ExitTrace&) = delete;
    ExitTrace& operator=(const ExitTrace&) = delete;

    /// From now on keeps records in `slots`, a power of two of them, which start zeroed and outlive it; the clock is
    /// what the exits are timed with. Without, nothing is kept. For boot only.
    void use(std::span<Slot> slots, const ExitClock& clock);

    // The hart's own. Exits are begun when they arrive, and ended when the guest goes on.
    [[nodiscard]] Slot& begin(u64 pc, u64 scause, u64 stval, u64 entered) {
        Slot& slot = slots_[next_.get() & mask_];
        slot.pc.put(pc);
        slot.scause.put(scause);
        slot.stval.put(stval);
        slot.entered.put(entered);
        return slot;
    }
    void end(Slot& slot, ExitReason reason, u64 who, u64 left) {
        slot.left.put(left);
        slot.tag.put(who | static_cast<u64>(reason));
        std::atomic_thread_fence(std::memory_order_release);
        next_.add(1);
    }
    /// The exit that was begun last ends later: in enter() or leave().
    void keep_open() { open_ = true; }
    /// The run loop is about to enter `vcpu`.
    void enter(Vcpu& vcpu, Platform& platform);
    /// The run loop turns away from the vCPU that it entered last.
    void leave(Platform& platform);

    // Everybody's.
    /// Records so far, those included that are not kept any more.
    [[nodiscard]] u64 count() const {
        const u64 count = next_.get();
        std::atomic_thread_fence(std::memory_order_acquire);
        return count;
    }
    /// The first that may still be read when there are `count`.
    [[nodiscard]] u64 first(u64 count) const {
        const u64 kept = mask_ + 1 < kLost ? 0 : mask_ + 1 - kLost;
        return count - (count < kept ? count : kept);
    }
    /// Record `number`, less than count(); nullopt when it is not kept any more.
    [[nodiscard]] std::optional<ExitRecord> read(u64 number) const;
    /// The last mark, be it not kept any more: relates the clock to `time`. Both are 0 before the first.
    [[nodiscard]] ExitRecord last_mark() const;

  private:
    static constexpr u64 kMarksPerSecond = 64;
    void close(u64 now);
    void mark(const Vcpu& vcpu, u64 now, u64 time);

    Slot* slots_ = &nowhere_;
    u64 mask_ = 0;
    SharedWord next_;
    Vcpu* running_ = nullptr;  ///< since the last mark
    SharedWord mark_version_;  ///< odd while the next two change
    SharedWord marked_;        ///< as the clock counts
    SharedWord marked_time_;   ///< `time` then
    u64 mark_after_ = ~0ull;   ///< units of the clock
    bool open_ = false;        ///< an exit of `running_` was begun and not ended
    Slot nowhere_{};
};

}  // namespace uc
