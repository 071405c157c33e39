// SPDX-License-Identifier: MIT
#pragma once
// What one host hart does all day: it runs vCPUs, one after the other.

#include "hv/guest.hpp"

namespace uc {

class Machine;

/// One per hart that takes part, with memory of its own. docs/harts.md explains the loop.
class alignas(64) Runner {
  public:
    /// `number` is what the scheduler knows the hart by, `hart_id` what the machine does.
    Runner(Machine& machine, Platform& platform, unsigned number, u64 hart_id)
        : machine_(machine), platform_(platform), number_(number), hart_id_(hart_id) {}
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;

    /// Runs guests until the machine is over. On the hart itself.
    void run();
    /// Gives up what it runs, because something else will take long. On the hart itself, which is in no guest.
    void stand_aside();

    // Any hart.
    [[nodiscard]] Platform& platform() const { return platform_; }
    [[nodiscard]] unsigned number() const { return number_; }
    [[nodiscard]] u64 hart_id() const { return hart_id_; }
    /// The last exits on the hart.
    [[nodiscard]] ExitTrace& trace() { return trace_; }
    /// The guest whose vCPU or tables the hart may be using; null: none.
    [[nodiscard]] const Guest* guest() const { return guest_.load(std::memory_order_seq_cst); }
    /// The vCPU that it runs, or is about to; null: none. A glance.
    [[nodiscard]] const Vcpu* current() const { return current_.load(std::memory_order_relaxed); }

  private:
    void run_slice(Vcpu& vcpu, u64 now, u64 until);
    void run_vcpu(Vcpu& vcpu);
    [[nodiscard]] bool change_translation(Vcpu& vcpu);
    void use(Vcpu& vcpu, const Shadow::Activation& activation);
    [[nodiscard]] bool take_up(Vcpu& vcpu);
    void let_go(Vcpu& vcpu);
    void leave_guest();
    [[nodiscard]] bool sleep_vcpu(Vcpu& vcpu);
    void idle(u64 now, u64 until);
    void serve_interrupts();
    void note_rounds();
    void arm_timer(u64 now);
    void watch();
    [[nodiscard]] bool keeps_house() const;

    Machine& machine_;
    Platform& platform_;
    const unsigned number_;
    const u64 hart_id_;
    std::atomic<const Guest*> guest_{nullptr};
    std::atomic<Vcpu*> current_{nullptr};
    ExitTrace trace_;
    Vcpu* last_ = nullptr;     ///< whose translation the hart has; null: nobody's
    u64 since_ = 0;            ///< the beginning of the slice
    u64 until_ = ~0ull;        ///< the end of the slice, or of the hart's sleep
    bool timer_rang_ = false;  ///< since the scheduler was asked last
    u64 rounds_ = 0;           ///< Watchman::rounds() when it last did something
};

}  // namespace uc
