// SPDX-License-Identifier: MIT
#pragma once
// What happens at each trap out of a guest. A template because it is the hot path: the hart's own code and its counter
// become part of it.

#include "emul/trap.hpp"
#include "hv/exit.hpp"
#include "hv/exit_trace.hpp"

namespace uc {

[[nodiscard]] inline u8 translation_key(const GuestHart& hart) {
    constexpr u64 kMask = Sstatus::SUM.mask | Sstatus::MXR.mask;
    return static_cast<u8>((hart.sstatus.raw & kMask) >> (Sstatus::SUM.lsb - 1)) | static_cast<u8>(hart.priv);
}

/// Whether an interrupt may be due. Below S-mode they are always enabled (Privileged 1.12, 4.1.1).
[[nodiscard]] inline bool may_interrupt(const Vcpu& vcpu) {
    const GuestHart& hart = vcpu.hart();
    return (vcpu.pending() & hart.sie.raw) != 0 && (hart.priv == Priv::U || hart.sstatus.get(Sstatus::SIE) != 0);
}

[[nodiscard]] inline bool translation_changed(const Vcpu& vcpu) {
    return vcpu.translation_stale || translation_key(vcpu.hart()) != vcpu.translation_key;
}

/// Whether nothing can follow from such an exit but for the vCPU itself: it does not sleep, the guest has not ended,
/// and there is nothing to do for the host, for the guest's UART or for other vCPUs.
[[nodiscard]] inline bool concerns_only_itself(ExitReason reason) {
    constexpr auto bit = [](ExitReason r) { return 1u << static_cast<unsigned>(r); };
    constexpr u32 kFarther = bit(ExitReason::Wfi) | bit(ExitReason::Sbi) | bit(ExitReason::Mmio) |
                             bit(ExitReason::Timer) | bit(ExitReason::Software) | bit(ExitReason::External);
    return (kFarther & bit(reason)) == 0;
}

/// Goes Inside; false, with what others have asked for done, when there was any.
[[nodiscard, gnu::noinline]] bool go_inside(Vcpu& vcpu);

/// Handles a trap that came when `clock` showed `entered`, and traces it. Returns whether the guest may go on at once:
/// its registers and sstatus apart, nothing that Platform::use_translation() and run() set up has changed. Most traps
/// never leave this.
template <class Clock>
[[nodiscard, gnu::always_inline]] inline bool handle_trap(VcpuFrame& frame, TrapInfo trap, u64 entered,
                                                          const Clock& clock) {
    Vcpu& vcpu = Vcpu::of(frame);
    ExitTrace::Slot& slot = vcpu.trace->begin(vcpu.hart().pc, trap.scause.raw, trap.stval, entered);
    const ExitReason reason = handle_exit(vcpu, trap);
    if (!concerns_only_itself(reason) || may_interrupt(vcpu) || translation_changed(vcpu) ||
        !(vcpu.mailbox.is_inside() || go_inside(vcpu))) {
        vcpu.last_exit = reason;
        vcpu.trace->keep_open();
        return false;
    }
    const u64 left = clock();
    vcpu.stats.add(reason, left - slot.entered.get());
    vcpu.trace->end(slot, reason, vcpu.trace_tag, left);
    return true;
}

}  // namespace uc
