// SPDX-License-Identifier: MIT
#pragma once
// Threads as harts, and a watchdog: a wake-up that is lost ends the test instead of holding it up.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "hv/mailbox.hpp"
#include "hv/scheduler.hpp"

namespace uc::stress {

/// Microseconds.
inline u64 now() {
    const auto t = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<u64>(std::chrono::duration_cast<std::chrono::microseconds>(t).count());
}

/// How much a phase does: so many steps, or what is done of them in ten seconds, for each yield may take a slice of
/// some other program's on a machine that is busy.
class Budget {
  public:
    explicit Budget(u64 steps) : steps_(steps) {}
    /// Whether `done` steps are all.
    [[nodiscard]] bool spent(u64 done) const { return done >= steps_ || (done % 64 == 0 && now() >= until_); }

  private:
    static constexpr u64 kMost = 10'000'000;
    u64 steps_;
    u64 until_ = now() + kMost;
};

[[noreturn]] inline void fail(const std::string& why) {
    std::fprintf(stderr, "FAILED: %s\n", why.c_str());
    std::fflush(stderr);
    std::_Exit(1);
}

/// The interrupts of one hart: what is sent stays pending until it is taken.
class FakeHart {
  public:
    void send() {
        const std::lock_guard guard(mutex_);
        pending_.store(true);
        wake_.notify_one();
    }
    [[nodiscard]] bool pending() const { return pending_.load(std::memory_order_acquire); }
    void take() { pending_.store(false); }
    /// wfi with a timer.
    void wait(u64 until) {
        std::unique_lock lock(mutex_);
        const u64 longest = 1'000'000'000;
        const u64 left = std::min(until - std::min(until, now()), longest);
        wake_.wait_for(lock, std::chrono::microseconds(left), [this] { return pending(); });
    }

  private:
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<bool> pending_{false};
};

/// Ends the process when a counter stands still.
class Watchdog {
  public:
    /// `describe` tells what there is to know then.
    Watchdog(std::string what, const std::atomic<u64>& progress, std::function<std::string()> describe = {})
        : what_(std::move(what)), progress_(progress), describe_(std::move(describe)), thread_([this] { watch(); }) {}
    ~Watchdog() {
        {
            const std::lock_guard guard(mutex_);
            over_ = true;
        }
        wake_.notify_one();
        thread_.join();
        std::printf("%s: %llu\n", what_.c_str(), static_cast<unsigned long long>(progress_.load()));
        std::fflush(stdout);
    }

  private:
    static constexpr std::chrono::seconds kPatience{60};
    void watch() {
        u64 last = ~u64{0};
        std::unique_lock lock(mutex_);
        while (!wake_.wait_for(lock, kPatience, [this] { return over_; })) {
            const u64 seen = progress_.load();
            if (seen == last) {
                fail(what_ + ": nothing happens any more after " + std::to_string(seen) + "\n" +
                     (describe_ ? describe_() : std::string()));
            }
            last = seen;
        }
    }

    std::string what_;
    const std::atomic<u64>& progress_;
    std::function<std::string()> describe_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool over_ = false;
    std::thread thread_;
};

void duel(u64 rounds);
void read_trace(u64 records);
void run_machine(const char* name, unsigned tokens, bool everything, u64 hops);

}  // namespace uc::stress
