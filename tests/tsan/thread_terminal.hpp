// SPDX-License-Identifier: MIT
#pragma once
// A terminal at which another thread types.

#include <deque>

#include "hv/terminal.hpp"
#include "tests/tsan/thread_platform.hpp"

namespace uc::stress {

/// Output is for whoever holds the console, keys come from anywhere.
class ThreadTerminal final : public Terminal {
  public:
    /// Its interrupts go to `house`.
    explicit ThreadTerminal(ThreadPlatform& house) : house_(house) {}

    void type(std::string_view keys) {
        {
            const std::lock_guard guard(mutex_);
            typed_.insert(typed_.end(), keys.begin(), keys.end());
        }
        house_.raise(Irq::SEI);
    }
    /// The end of what was printed. For when no hart runs any more, or will ever again.
    [[nodiscard]] const std::string& output() const { return out_; }

    bool put(u8 byte) override {
        // Now and then there is no room, and soon again.
        if (++count_ % 257 == 0) {
            house_.raise(Irq::SEI);
            return false;
        }
        if (out_.size() == 2 * kKept) out_.erase(0, kKept);
        out_ += static_cast<char>(byte);
        return true;
    }
    std::optional<u8> get() override {
        const std::lock_guard guard(mutex_);
        if (typed_.empty()) return std::nullopt;
        const char byte = typed_.front();
        typed_.pop_front();
        return static_cast<u8>(byte);
    }
    void service() override {}
    void drain() override {}
    bool interrupts() const override { return true; }

  private:
    static constexpr usize kKept = 16 * kKiB;
    ThreadPlatform& house_;
    std::mutex mutex_;
    std::deque<char> typed_;
    std::string out_;
    u64 count_ = 0;
};

}  // namespace uc::stress
