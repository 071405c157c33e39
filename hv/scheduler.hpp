// SPDX-License-Identifier: MIT
#pragma once
// Which vCPU runs on which hart.
//
// Guests that name harts get these for themselves: such harts are reserved, and floating vCPUs share the others. Where
// several vCPUs share harts, each has a virtual time, the ticks it has run (but not those that its hart was held), and
// the one that is least ahead runs for a slice. Who has slept is placed a little behind the others when it wakes, so it
// soon runs, but not as far behind as its sleep was long. All is decided by looking at every vCPU: there are tens of
// them, and decisions come with slices and wake-ups, not with exits.

#include <array>
#include <atomic>
#include <optional>

#include "hv/spin_lock.hpp"
#include "hv/watchdog.hpp"
#include "isa/types.hpp"

namespace uc {

struct Vcpu;

/// A set of host harts by their number in the hypervisor (not their hart id): bit n is hart n.
using HartMask = u32;
inline constexpr unsigned kMaxHostHarts = 32;

[[nodiscard]] constexpr HartMask hart_bit(unsigned hart) { return HartMask{1} << hart; }

/// What the scheduler keeps about one vCPU; lives in it. Only the scheduler looks inside.
class SchedEntity {
  public:
    explicit constexpr SchedEntity(Vcpu* vcpu = nullptr) : vcpu_(vcpu) {}
    SchedEntity(const SchedEntity&) = delete;
    SchedEntity& operator=(const SchedEntity&) = delete;
    /// Whose it is, as it was constructed.
    [[nodiscard]] Vcpu* vcpu() const { return vcpu_; }
    /// Ticks that it was ready and had to wait for a hart, up to the last pick() of it. For the hart that runs it.
    [[nodiscard]] u64 waited() const { return waited_; }

  private:
    friend class Scheduler;
    enum class State : u8 { Absent, Blocked, Ready, Running };
    static constexpr u8 kNone = 0xff;

    Vcpu* vcpu_;
    SchedEntity* next_ = nullptr;
    HartMask affinity_ = 0;  ///< 0: floating
    State state_ = State::Absent;
    bool wake_pending_ = false;  ///< woken while it ran: its next block() fails
    bool fresh_ = false;         ///< has not run since it woke
    u8 hart_ = 0;                ///< it runs there, or ran last, or has its alarm there
    u8 promised_ = kNone;        ///< Ready, and this hart was kicked for it
    u64 virtual_time_ = 0;       ///< ticks
    u64 alarm_ = 0;              ///< Blocked: wakes by itself then
    u64 ready_since_ = 0;
    u64 waited_ = 0;
};

/// What a hart does next.
struct Pick {
    SchedEntity* entity = nullptr;  ///< null: nothing, the hart may sleep
    u64 until = 0;                  ///< the hart must be interrupted then, and ask again
    HartMask kick = 0;              ///< these harts must ask again at once: they get an IPI
};

class Scheduler {
  public:
    static constexpr u64 kNever = ~u64{0};

    /// `harts`: those that will ask for work. `slice`: ticks that a vCPU runs while others wait, at least 64; when many
    /// share the harts it is less, down to a tenth, so that the shares of a second stay equal.
    Scheduler(HartMask harts, u64 slice) : all_(harts), slice_(slice) {}

    /// The harts that it was made for.
    [[nodiscard]] HartMask harts() const { return all_; }

    // Each of these takes the moment `now` (ticks of the machine's time). What returns a HartMask names harts to be
    // sent an IPI; the caller's own may be among them.

    /// Takes over `entity`, Blocked. `affinity` pins it to these harts and reserves them; 0: it floats. Nothing, and no
    /// change, when that would leave it or any floating one without a hart.
    [[nodiscard]] std::optional<HartMask> add(SchedEntity& entity, HartMask affinity, u64 now);
    /// Forgets `entity`, until it is added again. Nothing, and no change, while it runs; no harts where it is not
    /// known.
    [[nodiscard]] std::optional<HartMask> remove(SchedEntity& entity, u64 now);

    /// Decides what `hart` runs; what it ran so far may then run elsewhere at once, so all its state must be in memory
    /// already. To be asked when must_switch() says so, after block() or put_back(), and after an idle hart was woken.
    [[nodiscard]] Pick pick(unsigned hart, u64 now);
    /// Whether `hart` has to pick again: its slice is over, or it was kicked for someone. Takes no lock.
    [[nodiscard]] bool must_switch(unsigned hart, u64 now) const {
        return harts_[hart].resched.load(std::memory_order_acquire) != 0 || now >= harts_[hart].until;
    }
    /// `hart` does something else for a while: what it runs may run elsewhere, and others see to what it was kicked for
    /// and to the alarms that it would wake for, where they may. The state of what it runs must be in memory, as for
    /// pick(), which must follow.
    [[nodiscard]] HartMask put_back(unsigned hart, u64 now);
    /// The running `entity` blocks until wake(), or until `alarm`; pick() must follow. False when wake() came since it
    /// began to run: then it still runs, and has to look again for what it waits for.
    [[nodiscard]] bool block(SchedEntity& entity, u64 now, u64 alarm = kNever);
    /// Makes a Blocked entity Ready; one that runs will not block next; one that is Ready already, or was removed,
    /// stays so.
    [[nodiscard]] HartMask wake(SchedEntity& entity, u64 now);
    /// Whether the entity is, at this moment, ready without a hart, or asleep although its alarm is due. Neither may
    /// last.
    [[nodiscard]] Neglect neglect(const SchedEntity& entity, u64 now);

  private:
    struct alignas(64) Hart {
        SchedEntity* current = nullptr;
        u64 since = 0;  ///< up to then current's time is counted
        u64 clock = 0;  ///< virtual time of this hart: follows what runs here, never goes back
        u64 until = 0;
        bool endless = false;  ///< current's slice has no end
        std::atomic<u32> resched{0};
    };

    [[nodiscard]] HartMask allowed(const SchedEntity& entity) const;
    [[nodiscard]] bool may_run(const SchedEntity& entity, unsigned hart) const {
        return (allowed(entity) >> hart & 1) != 0;
    }
    [[nodiscard]] bool admits(HartMask affinity) const;
    [[nodiscard]] HartMask reserve(u64 now);
    void charge(u64 now);
    void limit_leads();
    void give_up(unsigned hart, SchedEntity::State state, u64 now);
    void make_ready(SchedEntity& entity, u64 now);
    void wake_expired(u64 now);
    void forget_promises(unsigned hart);
    [[nodiscard]] u64 least_rival(const SchedEntity& entity, u64 none) const;
    [[nodiscard]] SchedEntity* choose(unsigned hart) const;
    void start(unsigned hart, SchedEntity& entity, u64 now);
    [[nodiscard]] HartMask offer(SchedEntity& entity);
    [[nodiscard]] HartMask offer_all();
    [[nodiscard]] HartMask hand_on_alarms(unsigned hart);
    [[nodiscard]] std::optional<unsigned> victim(const SchedEntity& entity) const;
    [[nodiscard]] u64 slice_for(const SchedEntity& entity) const;
    [[nodiscard]] bool shared(unsigned hart) const;
    [[nodiscard]] u64 end_of_slice(unsigned hart, u64 now) const;
    [[nodiscard]] u64 first_alarm(unsigned hart) const;

    SpinLock lock_{LockRank::Scheduler};
    HartMask all_;
    HartMask reserved_ = 0;
    HartMask idle_ = 0;  ///< found nothing when they last asked, and have been promised nothing since
    u64 slice_;
    SchedEntity* first_ = nullptr;
    std::array<Hart, kMaxHostHarts> harts_{};
};

}  // namespace uc
