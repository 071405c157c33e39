// SPDX-License-Identifier: MIT
#pragma once
// Telling a guest for how long each of its vCPUs had to wait for a hart (SBI 2.0, chapter 16).

#include <optional>

#include "isa/types.hpp"

namespace uc {

struct Vcpu;

/// One vCPU's. Kept and written by the hart that runs it; other vCPUs may read the record at any time.
class StealTime {
  public:
    /// The guest has a sbi::sta::Record at `record`, in its memory, aligned and all zero; nullopt: no more. `waited`:
    /// ticks that the vCPU has waited so far, which are not told.
    void enable(std::optional<Gpa> record, u64 waited) { *this = StealTime(record, waited); }
    [[nodiscard]] bool enabled() const { return record_.has_value(); }

    /// The vCPU is about to run, having waited so many ticks in its life.
    void running(Vcpu& vcpu, u64 waited);
    /// It could go on, but has to give the hart away.
    void preempted(Vcpu& vcpu);

    StealTime() = default;

  private:
    StealTime(std::optional<Gpa> record, u64 waited) : record_(record), before_(waited), told_(waited) {}

    std::optional<Gpa> record_;
    u64 before_ = 0;  ///< waited before it was enabled
    u64 told_ = 0;    ///< waited when last told
    u32 sequence_ = 0;
    bool preempted_ = false;
};

}  // namespace uc
