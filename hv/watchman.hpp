// SPDX-License-Identifier: MIT
#pragma once
// Tells of vCPUs that seem to be stuck, and does nothing else about them.
//
// Each hart looks at the vCPU that it runs whenever its timer rings, which a vCPU that runs makes it do once a period
// at least. At vCPUs that the hypervisor may have failed looks whichever hart is interrupted by its timer first once a
// period has passed. Once a hart has fallen asleep somebody looks once more; who finds something wrong then looks
// again.

#include "hv/watchdog.hpp"

namespace uc {

class Guest;
class Machine;
struct Vcpu;

class Watchman {
  public:
    explicit Watchman(Machine& machine) : machine_(machine) {}

    /// What lasts for `seconds` is told from now on; 0: nothing. For boot only.
    void watch(u32 seconds, u64 timebase_hz);

    // Any hart.
    /// When a hart that runs a vCPU at `now` has to be interrupted at the latest; ~0: as far as this goes, never.
    [[nodiscard]] u64 next_look(u64 now) const { return times_.period == 0 ? ~0ull : now + times_.period; }
    /// Looks at the vCPU that is on the calling hart since `since`. It is Outside, and the caller holds no lock.
    void look(Vcpu& vcpu, u64 since, u64 now);
    /// How many rounds have begun.
    [[nodiscard]] u64 rounds() const { return rounds_.get(); }
    /// When `hart`, which sleeps from `now` on, has to be interrupted at the latest to make rounds; ~0: it has not.
    /// `seen`: what rounds() was when it last did anything.
    [[nodiscard]] u64 next_rounds(u64 now, unsigned hart, u64 seen) const;
    /// `hart`, which calls, looks at all vCPUs if that is due, and no other hart is at it. The caller holds no lock.
    /// Beside it, others may look at those that they run.
    void make_rounds(u64 now, unsigned hart);

  private:
    [[nodiscard]] bool look_after(Guest& guest, u64 now);
    void tell(const Vcpu& vcpu, const Deafness& deafness);
    void tell(const Vcpu& vcpu, Neglect neglect);
    [[nodiscard]] u64 seconds(u64 ticks) const;

    Machine& machine_;
    WatchTimes times_;
    u64 timebase_hz_ = 1;
    SharedWord next_rounds_;  ///< written under the report lock, as is the next
    SharedWord rounds_;
    SharedWord suspecter_;  ///< 1 + whose rounds were the last if they found something to look at again, or 0
};

}  // namespace uc
