// SPDX-License-Identifier: MIT
#pragma once
// What a guest is doing as a whole.

#include <atomic>
#include <optional>
#include <string_view>

#include "isa/types.hpp"

namespace uc {

/// What a guest is doing.
enum class GuestState : u8 {
    Created,   ///< not started yet
    Starting,  ///< to be started
    Running,
    Paused,    ///< its vCPUs wait until it is resumed
    Shutdown,  ///< has ended by itself
    Stopped,   ///< was ended
    Reboot,    ///< to be started again
    Failed,
    Destroying,  ///< its memory is to be given back, once no hart uses it
    Destroyed,   ///< has no memory and no vCPUs
    Creating,    ///< has memory again, which is to be cleared
};
/// Whether a guest has something to lose, or is about to.
[[nodiscard]] constexpr bool is_live(GuestState state) {
    return state == GuestState::Running || state == GuestState::Paused || state == GuestState::Starting ||
           state == GuestState::Reboot;
}
/// Whether a guest has come to its end, and may be started again.
[[nodiscard]] constexpr bool is_end(GuestState state) {
    return state == GuestState::Shutdown || state == GuestState::Stopped || state == GuestState::Failed;
}
/// Whether a guest is in the middle of a life: its vCPUs are in use, and stay as they are while it is paused.
[[nodiscard]] constexpr bool lasts(GuestState state) {
    return state == GuestState::Running || state == GuestState::Paused;
}
/// As people read it.
[[nodiscard]] std::string_view name(GuestState state);

/// A guest's state and the end of its last life, as long as that was not told: one word, so that no hart sees the one
/// without the other. Any hart changes it at any time; who asks more than one thing of it takes one snapshot.
class GuestLife {
  public:
    struct Snapshot {
        GuestState state;
        std::optional<GuestState> untold;  ///< an end, though the guest may have been started again since
    };
    [[nodiscard]] Snapshot look() const { return unpack(word_.load(std::memory_order_seq_cst)); }
    [[nodiscard]] GuestState state() const { return look().state; }

    /// False, and no change, where the state is not `from`. If `to` is an end it has to be told; of several ends that
    /// nobody has told, the first, which is that of the last life.
    [[nodiscard]] bool change(GuestState from, GuestState to) {
        u32 word = word_.load(std::memory_order_seq_cst);
        for (;;) {
            const Snapshot now = unpack(word);
            if (now.state != from) return false;
            const u32 next = pack(to, now.untold.value_or(is_end(to) ? to : kNone));
            if (word_.compare_exchange_weak(word, next, std::memory_order_seq_cst)) return true;
        }
    }
    /// From Starting to Running; false, and no change, where it is not Starting or an end has to be told before.
    [[nodiscard]] bool begin() {
        u32 word = pack(GuestState::Starting);
        return word_.compare_exchange_strong(word, pack(GuestState::Running), std::memory_order_seq_cst);
    }
    /// An end that nobody has told; it counts as told then.
    [[nodiscard]] std::optional<GuestState> take_end() {
        return unpack(word_.fetch_and(kStateMask, std::memory_order_seq_cst)).untold;
    }

  private:
    static constexpr unsigned kUntoldShift = 8;
    static constexpr u32 kStateMask = (u32{1} << kUntoldShift) - 1;
    static constexpr GuestState kNone = GuestState::Created;  ///< in place of an end

    static constexpr u32 pack(GuestState state, GuestState untold = kNone) {
        return static_cast<u32>(state) | static_cast<u32>(untold) << kUntoldShift;
    }
    static constexpr Snapshot unpack(u32 word) {
        const auto untold = static_cast<GuestState>(word >> kUntoldShift);
        return {static_cast<GuestState>(word & kStateMask), is_end(untold) ? std::optional(untold) : std::nullopt};
    }

    std::atomic<u32> word_{pack(GuestState::Created)};  // a word, because harts have no atomic bytes
};

}  // namespace uc
