// SPDX-License-Identifier: MIT
#pragma once
// The guests of this machine, and what becomes of them.

#include "hv/exit_history.hpp"
#include "hv/fixed_vector.hpp"
#include "hv/guest.hpp"
#include "hv/options.hpp"
#include "hv/runner.hpp"
#include "hv/scheduler.hpp"
#include "hv/watchman.hpp"

namespace uc {

class Monitor;

/// How the machine goes down when its last guest has.
enum class MachineEnd : u8 { Success, Failure };

/// What the harts have in common. Each has a Runner; they meet in the scheduler, and here when a guest begins or ends.
class Machine final : public GuestKeeper {
  public:
    /// `platform` is any of the harts. `harts` is how many runners there will be.
    Machine(Platform& platform, Console& console, const Options& options, unsigned harts = 1)
        : platform_(platform),
          console_(console),
          options_(options),
          scheduler_(harts == kMaxHostHarts ? ~HartMask{0} : hart_bit(harts) - 1,
                     platform.timebase_hz() / kSlicesPerSecond) {
        wards_.fill(kAll);
    }

    // Boot, on one hart.
    /// Runners are added in the order of their numbers, the first being the one that keeps house: it has the terminal.
    void add(Runner& runner) { static_cast<void>(runners_.push(&runner)); }
    /// Takes over a guest that was created. False: none of the harts that it is pinned to is here.
    [[nodiscard]] bool add(Guest& guest);
    /// What Ctrl-] opens.
    void set_monitor(Monitor& monitor);
    /// Has the guests started that are not to stay stopped. Then the runners may run. False: pinned guests leave no
    /// hart for one that floats.
    [[nodiscard]] bool start();

    /// Takes memory for what is kept of exits on the runners' harts, which `clock` times; false where there is not
    /// enough.
    [[nodiscard]] bool start_trace(HostMemory& memory, const ExitClock& clock);

    // Any hart.
    [[nodiscard]] ExitHistory& history() { return history_; }
    [[nodiscard]] std::span<Guest* const> guests() const override { return {guests_.begin(), guests_.size()}; }
    [[nodiscard]] std::span<Runner* const> runners() const { return {runners_.begin(), runners_.size()}; }
    [[nodiscard]] Console& console() { return console_; }
    [[nodiscard]] Monitor* monitor() { return monitor_; }
    [[nodiscard]] Scheduler& scheduler() { return scheduler_; }
    [[nodiscard]] Watchman& watchman() { return watchman_; }
    [[nodiscard]] u64 now() { return platform_.time(); }
    /// Whether a vCPU may find itself on another hart.
    [[nodiscard]] bool shares_harts() const { return runners_.size() > 1; }
    /// The number of the hart that has the terminal.
    [[nodiscard]] unsigned house_hart() const { return 0; }
    void reach(Vcpu& vcpu, const Posted& posted) override;
    /// Interrupts harts.
    void kick(HartMask harts);
    /// False where the guest's state does not allow `action`, or the memory for it is lacking.
    [[nodiscard]] bool act(Guest& guest, GuestAction action) override { return guest.act(action); }
    [[nodiscard]] u64 exit_ns(u64 units) const override { return history_.clock().ns(units); }
    void state_changed(const Guest& guest) override;
    /// `hart`, which calls, and comes by settle_guests() next, has left a guest that does not last.
    void guest_left(const Guest& guest, unsigned hart);
    /// Whether `hart` has some guest's state to look at, and no other hart is at that.
    [[nodiscard]] bool is_unsettled(unsigned hart) const {
        if ((unsettled_.load(std::memory_order_relaxed) & wards_[hart]) == 0) return false;
        // As in settle_guests(): who is at it looks again after it has stopped.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        return !lifecycle_lock_.is_taken();
    }
    /// Follows up what happened to guests that `hart`, which calls, has to look after, or leaves it to a hart that is
    /// at it already. The hart is in no guest; it stands aside if there is something for it to do.
    void settle_guests(unsigned hart);
    /// Ends all guests and the machine.
    void quit();
    /// Whether there is nothing more to run.
    [[nodiscard]] bool is_over() const { return over_.load(std::memory_order_acquire) != 0; }
    /// Once it is over: whether the caller is the first to ask, and so the one to switch off; as what.
    [[nodiscard]] std::optional<MachineEnd> claim_end();

    /// Taken by who tells what vCPUs did last.
    [[nodiscard]] SpinLock& report_lock() { return report_lock_; }
    /// Prints the last exits that are kept of `guest`, or of its vCPU `only`, at `level`; of a vCPU also that there are
    /// none. Under the report lock.
    void print_last_exits(const Guest& guest, std::optional<unsigned> only, LogLevel level);

  private:
    static constexpr u64 kSlicesPerSecond = 100;

    /// Whether it is over, or was asked to be.
    [[nodiscard]] bool is_ending() const { return quit_.load(std::memory_order_relaxed) || is_over(); }
    void share_out_guests();
    void call_keeper(const Guest& guest);
    [[nodiscard]] bool is_in_use(const Guest& guest) const;
    [[nodiscard]] bool enter_scheduler(Guest& guest);
    [[nodiscard]] bool leave_scheduler(Guest& guest);
    void settle(Guest& guest);
    void settle_life(Guest& guest);
    void create(Guest& guest);
    void destroy(Guest& guest);
    void follow_end(Guest& guest, GuestState how);
    void take_terminal(const Guest& guest);
    void tell_last(Guest& guest);
    void tell_end(Guest& guest, std::string_view how, std::string_view why = {});
    void print_stats(Guest& guest) const;
    [[nodiscard]] HartMask affinity(const GuestConfig& config) const;
    [[nodiscard]] bool anyone_live() const;

    Platform& platform_;
    Console& console_;
    const Options& options_;
    Scheduler scheduler_;
    ExitHistory history_;
    SpinLock lifecycle_lock_{LockRank::Lifecycle};
    SpinLock report_lock_{LockRank::Report};
    Watchman watchman_{*this};
    FixedVector<Runner*, kMaxHostHarts> runners_;
    FixedVector<Guest*, kMaxGuests> guests_;
    Monitor* monitor_ = nullptr;
    // Which guests each hart looks after, by the guests' numbers, and kQuit: those that may run there. So a guest that
    // has harts to itself does not lose them to the beginning and the end of others.
    static constexpr u32 kQuit = u32{1} << kMaxGuests, kAll = kQuit | (kQuit - 1);
    std::array<u32, kMaxHostHarts> wards_;
    // Words, because harts have no atomic bytes.
    std::atomic<u32> unsettled_{kAll};  ///< guests, and kQuit, that have to be looked at
    std::atomic<u32> over_{0};
    std::atomic<u32> end_claimed_{0};
    std::atomic<bool> quit_{false};
    std::atomic<MachineEnd> end_ = MachineEnd::Success;
};

}  // namespace uc
