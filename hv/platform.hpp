// SPDX-License-Identifier: MIT
#pragma once
// The machine below, as the portable part of the hypervisor uses it. hv/arch/ implements it on a real hart, tests on
// none.

#include "emul/host.hpp"
#include "hv/vcpu_frame.hpp"
#include "isa/cause.hpp"
#include "mm/tlb_flush.hpp"

namespace uc {

/// One host hart. All calls concern the hart that makes them, and come from the hart that they concern; but for
/// interrupt() and time().
class Platform : public Host {
  public:
    /// Makes `host_satp` the translation, for the hypervisor at once and for guests from then on. What is owed for the
    /// change is owed afterwards: before, the hart may still walk the old tables and remember what it finds.
    virtual void use_translation(u64 host_satp) = 0;
    /// Runs the guest in `frame`, and handle_trap() at each trap, until that says that the guest may not just go on.
    /// sstatus.FS and VS go in and come back with the frame; pc is where it trapped.
    virtual void run(VcpuFrame& frame) = 0;
    /// What handle_trap() is given to time exits with, now.
    [[nodiscard]] virtual u64 exit_clock() = 0;
    /// Discharges a flush that the shadow MMU owes.
    void flush(const TlbFlush& owed) {
        if (!owed.empty()) perform(owed);
    }
    /// Leaves the tables of the guest that ran last for the hypervisor's own: they may go away.
    virtual void park() = 0;
    /// Stores in `frame` what the hart holds of it, its f and v registers, so that another hart may run it.
    virtual void put_away(VcpuFrame& frame) = 0;
    /// Interrupts this hart, wherever it is: it finds SSI pending, and once it has taken that, sees what the caller
    /// stored before. From any hart.
    virtual void interrupt() = 0;
    /// Asks for a timer interrupt at `deadline` (ticks of `time`), or earlier if one was asked for already; ~0 asks for
    /// none.
    virtual void set_timer(u64 deadline) = 0;
    [[nodiscard]] virtual u64 timebase_hz() const = 0;
    /// Takes the interrupts that wait for the hypervisor: returns those that were pending as bits of sip, having
    /// silenced the timer, cleared software interrupts and let device drivers run.
    virtual u64 take_interrupts() = 0;
    /// Sleeps until an interrupt waits for the hypervisor.
    virtual void wait() = 0;
    /// Makes instruction fetches see earlier stores.
    virtual void fence_i() = 0;

  protected:
    virtual void perform(const TlbFlush& flush) = 0;
    ~Platform() = default;
};

}  // namespace uc
