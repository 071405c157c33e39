// SPDX-License-Identifier: MIT
#include "emul/trap.hpp"

namespace uc {
namespace {

// What every trap does, whatever its cause (4.1.1, 4.1.7 to 4.1.9); pc is the caller's.
void enter_supervisor(GuestHart& hart, Scause cause, u64 tval) {
    hart.sepc = hart.pc & ~1ull;
    hart.scause = cause;
    hart.stval = tval;
    hart.sstatus.set(Sstatus::SPP, static_cast<u64>(hart.priv));
    hart.sstatus.set(Sstatus::SPIE, hart.sstatus.get(Sstatus::SIE));
    hart.sstatus.set(Sstatus::SIE, 0);
    hart.priv = Priv::S;
}

}  // namespace

void inject(GuestHart& hart, Exception exception) {
    enter_supervisor(hart, Scause::of(exception.cause), exception.tval);
    hart.pc = hart.stvec.base();
}

void inject(GuestHart& hart, Irq irq) {
    enter_supervisor(hart, Scause::of(irq), 0);
    const bool vectored = hart.stvec.get(Stvec::MODE) == Stvec::kVectored;
    hart.pc = hart.stvec.base() + (vectored ? 4 * static_cast<u64>(irq) : 0);
}

std::optional<Irq> next_irq(const GuestHart& hart, u64 pending) {
    const u64 ready = pending & hart.sie.raw;
    // Below S-mode its interrupts are always enabled (4.1.1).
    if (ready == 0 || (hart.priv == Priv::S && hart.sstatus.get(Sstatus::SIE) == 0)) return std::nullopt;
    for (const Irq irq : {Irq::SEI, Irq::SSI, Irq::STI, Irq::LCOFI})  // 3.1.9; LCOFI comes last
        if ((ready & irq_bit(irq)) != 0) return irq;
    return std::nullopt;
}

}  // namespace uc
