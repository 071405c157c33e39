// SPDX-License-Identifier: MIT
#pragma once
// The guests of this machine and the loop that runs them.

#include "hv/exit_history.hpp"
#include "hv/fixed_vector.hpp"
#include "hv/guest.hpp"
#include "hv/options.hpp"
#include "hv/scheduler.hpp"

namespace uc {

class Monitor;

/// How the machine goes down when its last guest has.
enum class MachineEnd : u8 { Success, Failure };

/// All guests on one hart, whose vCPUs take turns.
class Machine final : public GuestKeeper {
  public:
    Machine(Platform& platform, Console& console, const Options& options)
        : platform_(platform),
          console_(console),
          options_(options),
          scheduler_(hart_bit(kHart), platform.timebase_hz() / kSlicesPerSecond) {}

    /// Takes over a guest that was created.
    void add(Guest& guest);
    /// What Ctrl-] opens.
    void set_monitor(Monitor& monitor);
    /// Starts the guests and runs them until the last has ended.
    [[nodiscard]] MachineEnd run();

    /// Takes memory for what is kept of exits, which `clock` times; false where there is not enough.
    [[nodiscard]] bool start_trace(HostMemory& memory, const ExitClock& clock);
    [[nodiscard]] ExitHistory& history() { return history_; }

    // Who looks after guests. From within the run loop.
    [[nodiscard]] std::span<Guest* const> guests() const override { return {guests_.begin(), guests_.size()}; }
    [[nodiscard]] Console& console() { return console_; }
    /// The host's number of it.
    [[nodiscard]] u64 hart_id() const { return hart_id_; }
    void set_hart_id(u64 id) { hart_id_ = id; }
    /// The vCPU that has the hart; null: none.
    [[nodiscard]] const Vcpu* current() const { return current_; }
    /// False where the guest's state does not allow `action`.
    [[nodiscard]] bool act(Guest& guest, GuestAction action) override;
    /// Ends all guests and the machine.
    void quit() { quit_ = true; }

    void wake(Vcpu& vcpu) override { static_cast<void>(scheduler_.wake(vcpu.entity, platform_.time())); }

  private:
    static constexpr unsigned kHart = 0;
    static constexpr u64 kSlicesPerSecond = 100;

    void run_slice(Vcpu& vcpu, u64 until);
    void run_vcpu(Vcpu& vcpu);
    void change_translation(Vcpu& vcpu);
    [[nodiscard]] bool sleep_vcpu(Vcpu& vcpu);
    void settle_guests();
    void settle(Guest& guest);
    void start(Guest& guest);
    void tell_end(Guest& guest, std::string_view how, std::string_view why = {});
    void serve_interrupts();
    void arm_timer();
    void watch();
    void print_stats(Guest& guest) const;
    void print_last_exits(const Guest& guest);
    [[nodiscard]] bool anyone_live() const;
    [[nodiscard]] u64 now() { return platform_.time(); }

    Platform& platform_;
    Console& console_;
    const Options& options_;
    Scheduler scheduler_;
    ExitHistory history_;
    ExitTrace trace_;  ///< of the one hart
    FixedVector<Guest*, kMaxGuests> guests_;
    Monitor* monitor_ = nullptr;
    u64 hart_id_ = 0;
    Vcpu* current_ = nullptr;
    Vcpu* last_ = nullptr;     ///< whose translation the hart has; null: nobody's
    u64 until_ = ~0ull;        ///< the end of the slice, or of the hart's sleep
    bool timer_rang_ = false;  ///< since the scheduler was asked last
    bool unsettled_ = false;   ///< some guest's state has to be looked at
    bool quit_ = false;
    MachineEnd end_ = MachineEnd::Success;
};

}  // namespace uc
