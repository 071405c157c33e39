// SPDX-License-Identifier: MIT
#pragma once
// Harts and vCPUs as the scheduler sees them, in simulated time.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <random>
#include <vector>

#include "hv/scheduler.hpp"

namespace uc::test {

inline constexpr u64 kSecond = 10'000'000;  // ticks
inline constexpr u64 kMs = kSecond / 1000;
inline constexpr u64 kSlice = 10 * kMs;
inline constexpr u64 kKickDelay = 50;  // of an IPI

/// What a simulated vCPU does: computes for about `burst`, sleeps for about `sleep`, and so on.
struct Habit {
    u64 burst = Scheduler::kNever;  ///< kNever: it computes for good
    u64 sleep = 0;
    bool alarm = false;  ///< it wakes by its own alarm, not by another's wake()
};

struct Task {
    SchedEntity entity;
    Habit habit;
    HartMask affinity = 0;
    int on = -1;                          ///< the hart it runs on
    bool blocked = true;                  ///< not ready, as far as it did itself
    u64 wakes_at = Scheduler::kNever;     ///< while blocked
    u64 ready_since = Scheduler::kNever;  ///< while it waits for a hart
    bool woken = false;                   ///< it waits since it woke, not since its slice ended
    u64 burst_left = 0;
    u64 used = 0;
    u64 worst_latency = 0, worst_wait = 0, latencies = 0, wakes = 0;
};

class Sim {
  public:
    explicit Sim(HartMask harts, unsigned seed = 1) : scheduler_(harts, kSlice), harts_(harts), random_(seed) {
        for (unsigned h = 0; h < kMaxHostHarts; ++h) slots_[h].exists = (harts >> h & 1) != 0;
    }

    /// A task that wakes for the first time at `start`.
    Task& add(Habit habit, HartMask affinity = 0, u64 start = 0) {
        Task& t = tasks_.emplace_back();
        t.habit = habit;
        t.affinity = affinity;
        t.wakes_at = std::max(start, now_);
        const auto kick = scheduler_.add(t.entity, affinity, now_);
        EXPECT_TRUE(kick.has_value());
        deliver(kick.value_or(0));
        return t;
    }
    void run_until(u64 end) {
        if (now_ == 0) {
            for (unsigned h = 0; h < kMaxHostHarts; ++h) {
                if (slots_[h].exists) pick(h);
            }
        }
        while (step(end)) check_work_conservation();
        // Who still waits has waited, too.
        for (Task& t : tasks_) {
            if (is_ready(t)) t.worst_wait = std::max(t.worst_wait, now_ - std::min(now_, waits_since(t)));
        }
    }
    /// Called every `period` with the time.
    void sample(u64 period, std::function<void(u64)> what) {
        period_ = period;
        next_sample_ = now_ + period;
        sample_ = std::move(what);
    }
    [[nodiscard]] std::deque<Task>& tasks() { return tasks_; }
    [[nodiscard]] u64 now() const { return now_; }
    [[nodiscard]] u64 idle_ticks(unsigned hart) const { return slots_[hart].idle; }

  private:
    struct Slot {
        bool exists = false;
        Task* task = nullptr;
        u64 until = Scheduler::kNever;
        u64 kick_at = Scheduler::kNever;
        u64 idle = 0;
    };

    u64 about(u64 ticks) { return ticks / 2 + std::uniform_int_distribution<u64>(0, ticks)(random_); }

    [[nodiscard]] HartMask allowed(const Task& task) const {
        if (task.affinity != 0) return task.affinity & harts_;
        HartMask reserved = 0;
        for (const Task& t : tasks_) reserved |= t.affinity;
        return harts_ & ~reserved;
    }

    void deliver(HartMask kick) {
        for (unsigned h = 0; h < kMaxHostHarts; ++h) {
            if ((kick >> h & 1) != 0) slots_[h].kick_at = std::min(slots_[h].kick_at, now_ + kKickDelay);
        }
    }

    [[nodiscard]] u64 next_event() const {
        u64 next = next_sample_;
        for (const Slot& s : slots_) {
            next = std::min({next, s.kick_at, s.until});
            if (s.task != nullptr && s.task->habit.burst != Scheduler::kNever) {
                next = std::min(next, now_ + s.task->burst_left);
            }
        }
        for (const Task& t : tasks_) {
            if (t.blocked && !t.habit.alarm) next = std::min(next, t.wakes_at);
            if (t.blocked && t.habit.alarm && t.wakes == 0) next = std::min(next, t.wakes_at);
        }
        return std::max(next, now_);
    }

    void advance(u64 to) {
        for (Slot& s : slots_) {
            if (!s.exists) continue;
            if (s.task == nullptr) {
                s.idle += to - now_;
                continue;
            }
            s.task->used += to - now_;
            if (s.task->habit.burst != Scheduler::kNever) s.task->burst_left -= to - now_;
        }
        now_ = to;
    }

    bool step(u64 end) {
        const u64 next = next_event();
        advance(std::min(next, end));
        if (next >= end) return false;
        if (now_ >= next_sample_) {
            sample_(now_);
            next_sample_ += period_;
        }
        for (Task& t : tasks_) {
            if (t.blocked && t.wakes_at <= now_ && (!t.habit.alarm || t.wakes == 0)) wake(t);
        }
        for (unsigned h = 0; h < kMaxHostHarts; ++h) turn(h);
        return true;
    }

    void wake(Task& t) {
        t.blocked = false;
        t.ready_since = now_;
        t.woken = true;
        ++t.wakes;
        t.burst_left = t.habit.burst == Scheduler::kNever ? 0 : about(t.habit.burst);
        deliver(scheduler_.wake(t.entity, now_));
    }

    void turn(unsigned h) {
        Slot& s = slots_[h];
        const bool kicked = s.kick_at <= now_;
        if (kicked) s.kick_at = Scheduler::kNever;
        Task* t = s.task;
        if (t != nullptr && t->habit.burst != Scheduler::kNever && t->burst_left == 0) {
            t->blocked = true;
            t->wakes_at = now_ + about(t->habit.sleep) + 1;
            EXPECT_TRUE(scheduler_.block(t->entity, now_, t->habit.alarm ? t->wakes_at : Scheduler::kNever));
            t->on = -1;
            s.task = nullptr;
            pick(h);
        } else if ((kicked && t == nullptr) || ((kicked || s.until <= now_) && scheduler_.must_switch(h, now_))) {
            pick(h);
        }
    }

    void pick(unsigned h) {
        Slot& s = slots_[h];
        if (s.task != nullptr) {
            s.task->on = -1;
            s.task->ready_since = now_;
            s.task->woken = false;
        }
        const Pick pick = scheduler_.pick(h, now_);
        deliver(pick.kick);
        s.until = pick.until;
        s.task = nullptr;
        if (pick.entity == nullptr) return;
        const auto at = std::find_if(tasks_.begin(), tasks_.end(), [&](Task& t) { return &t.entity == pick.entity; });
        ASSERT_NE(at, tasks_.end());
        begin(h, *at);
    }

    void begin(unsigned h, Task& t) {
        ASSERT_EQ(t.on, -1) << "it runs on two harts";
        ASSERT_TRUE((allowed(t) >> h & 1) != 0) << "not its hart";
        if (t.blocked) {
            ASSERT_TRUE(t.habit.alarm && t.wakes_at <= now_) << "nobody woke it";
            t.blocked = false;
            t.ready_since = t.wakes_at;
            t.woken = true;
            ++t.wakes;
            t.burst_left = about(t.habit.burst);
        }
        const u64 waited = now_ - t.ready_since;
        t.worst_wait = std::max(t.worst_wait, waited);
        if (t.woken) {
            t.worst_latency = std::max(t.worst_latency, waited);
            t.latencies += waited;
        }
        t.on = static_cast<int>(h);
        slots_[h].task = &t;
    }

    [[nodiscard]] bool is_ready(const Task& t) const {
        return t.on < 0 && (!t.blocked || (t.habit.alarm && t.wakes != 0 && t.wakes_at <= now_));
    }
    [[nodiscard]] static u64 waits_since(const Task& t) { return t.blocked ? t.wakes_at : t.ready_since; }

    // No hart sleeps while somebody who may run there waits, unless it was kicked just now.
    void check_work_conservation() {
        for (const Task& t : tasks_) {
            if (!is_ready(t)) continue;
            for (unsigned h = 0; h < kMaxHostHarts; ++h) {
                if ((allowed(t) >> h & 1) == 0 || slots_[h].task != nullptr) continue;
                const bool coming = std::any_of(slots_.begin(), slots_.end(),
                                                [](const Slot& s) { return s.kick_at != Scheduler::kNever; });
                ASSERT_TRUE(coming) << "hart " << h << " sleeps at " << now_;
            }
        }
    }

    Scheduler scheduler_;
    HartMask harts_;
    std::mt19937_64 random_;
    std::deque<Task> tasks_;
    std::array<Slot, kMaxHostHarts> slots_{};
    u64 now_ = 0;
    u64 period_ = Scheduler::kNever, next_sample_ = Scheduler::kNever;
    std::function<void(u64)> sample_;
};

}  // namespace uc::test
