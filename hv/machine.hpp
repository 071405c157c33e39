// SPDX-License-Identifier: MIT
#pragma once
// The guests of this machine and the loop that runs them.

#include "hv/fixed_vector.hpp"
#include "hv/guest.hpp"
#include "hv/options.hpp"

namespace uc {

/// How the machine goes down when its last guest has.
enum class MachineEnd : u8 { Success, Failure };

class Machine {
  public:
    Machine(Platform& platform, Console& console, const Options& options)
        : platform_(platform), console_(console), options_(options) {}

    /// Takes over a guest that was created.
    void add(Guest& guest) { static_cast<void>(guests_.push(&guest)); }
    /// Starts the guests and runs them until the last has ended.
    [[nodiscard]] MachineEnd run();

  private:
    void run_vcpu(Vcpu& vcpu);
    void end_or_restart(Guest& guest);
    void serve_interrupts();
    void sleep();
    void arm_timer();
    void print_stats(Guest& guest) const;
    [[nodiscard]] Vcpu* next_runnable();
    [[nodiscard]] bool anyone_running() const;

    Platform& platform_;
    Console& console_;
    const Options& options_;
    FixedVector<Guest*, kMaxGuests> guests_;
    MachineEnd end_ = MachineEnd::Success;
};

}  // namespace uc
