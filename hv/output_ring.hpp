// SPDX-License-Identifier: MIT
#pragma once
// Output of a guest on its way to the console.

#include <array>
#include <atomic>
#include <optional>

#include "isa/types.hpp"

namespace uc {

/// First in, first out, between the harts that run a guest and whichever hart serves the console: pushes come one at a
/// time, under the guest's Devices lock, and pops under the console's. Neither waits for the other.
class OutputRing {
  public:
    static constexpr u32 kCapacity = 256;  ///< a power of two

    [[nodiscard]] bool empty() const {
        return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
    }
    /// False when there is no room.
    [[nodiscard]] bool push(u8 byte) {
        const u32 tail = tail_.load(std::memory_order_relaxed);
        if (tail - head_.load(std::memory_order_acquire) == kCapacity) return false;
        bytes_[tail % kCapacity] = byte;
        tail_.store(tail + 1, std::memory_order_release);
        return true;
    }
    /// The oldest byte, which stays.
    [[nodiscard]] std::optional<u8> front() const {
        const u32 head = head_.load(std::memory_order_relaxed);
        if (head == tail_.load(std::memory_order_acquire)) return std::nullopt;
        return bytes_[head % kCapacity];
    }
    /// Drops the oldest byte; there is one.
    void pop() { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

  private:
    std::array<u8, kCapacity> bytes_{};
    std::atomic<u32> head_{0};
    std::atomic<u32> tail_{0};
};

}  // namespace uc
