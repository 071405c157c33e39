// SPDX-License-Identifier: MIT
#pragma once
// What to do when a guest has trapped.

#include "hv/vcpu.hpp"
#include "isa/cause.hpp"

namespace uc {

/// Handles the exit `trap` of `vcpu`: emulates, fills its shadow tables, or lets the guest take the exception itself.
/// Afterwards its GuestHart is what the guest's own hart would be. Interrupts of the host are only classified: the
/// caller serves them.
ExitReason handle_exit(Vcpu& vcpu, TrapInfo trap);

}  // namespace uc
