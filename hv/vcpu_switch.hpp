// SPDX-License-Identifier: MIT
#pragma once
// What of a vCPU follows it from hart to hart and through the time it waits, besides its registers: steal time, and the
// counters that its guest has taken over.

namespace uc {

struct Vcpu;

/// This hart has picked `vcpu`: before it enters it.
void begin_stay(Vcpu& vcpu);
/// This hart gives `vcpu` away: before another may run it, so before Scheduler::block(), put_back() or pick().
/// `ready`: it could have gone on. To do it twice does no harm.
void end_stay(Vcpu& vcpu, bool ready);

}  // namespace uc
