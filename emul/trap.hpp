// SPDX-License-Identifier: MIT
#pragma once
// Traps into the guest's supervisor, and the one place that moves a guest's pc.

#include <optional>

#include "emul/guest_hart.hpp"
#include "emul/outcome.hpp"

namespace uc {

/// The guest takes exception `exception` at its pc (Privileged 1.12, 3.1.6.1, 4.1.2 and 4.1.7 to 4.1.9). Everything is
/// delegated: to a guest there is no M-mode that would handle it.
void inject(GuestHart& hart, Exception exception);

/// The guest takes interrupt `irq` before the instruction at its pc. Unlike exceptions, vectored when stvec says so.
void inject(GuestHart& hart, Irq irq);

/// The interrupt the guest takes now, if any. `pending` is sip as the guest would read it: hart.sip and the driven
/// lines.
[[nodiscard]] std::optional<Irq> next_irq(const GuestHart& hart, u64 pending);

/// Applies `outcome` to `hart`. Besides inject(), nothing else writes pc.
inline void commit(GuestHart& hart, const Outcome& outcome) {
    switch (outcome.kind) {
        case Outcome::Kind::Retry:
        case Outcome::Kind::Leave: return;
        case Outcome::Kind::Advance: hart.pc += outcome.value; return;
        case Outcome::Kind::Jump: hart.pc = outcome.value & ~1ull; return;
        case Outcome::Kind::Inject: return inject(hart, Exception{outcome.cause, outcome.value});
    }
}

}  // namespace uc
