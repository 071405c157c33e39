// SPDX-License-Identifier: MIT
#include "emul/privileged.hpp"

namespace uc {
namespace {

constexpr u32 kSret = 0x1020'0073;
constexpr u32 kWfi = 0x1050'0073;
constexpr u32 kSfenceVma = 0x1200'0073;  // rs1 and rs2 are operands, likewise sinval.vma
constexpr u32 kSinvalVma = 0x1600'0073;
constexpr u32 kSfenceWInval = 0x1800'0073;
constexpr u32 kSfenceInvalIr = 0x1810'0073;
constexpr u32 kNotOperands = ~0x01ff'8000u;

constexpr Outcome kNext = Outcome::advance(4);

unsigned rs1(u32 insn) { return insn >> 15 & 31; }
unsigned rs2(u32 insn) { return insn >> 20 & 31; }

Step illegal(u32 insn) { return {Outcome::illegal(insn), {}}; }

Step execute_sret(GuestHart& hart) {
    const auto previous = static_cast<Priv>(hart.sstatus.get(Sstatus::SPP));
    hart.priv = previous;
    hart.sstatus.set(Sstatus::SIE, hart.sstatus.get(Sstatus::SPIE));
    hart.sstatus.set(Sstatus::SPIE, 1);
    hart.sstatus.set(Sstatus::SPP, static_cast<u64>(Priv::U));
    return {Outcome::jump(hart.sepc), {}};
}

Step execute_fence(const CsrContext& c, u32 insn) {
    Step step{kNext, {Effect::Kind::Fence, {}}};
    if (rs1(insn) != 0) step.effect.fence.va = Gva{c.hart.get_x(rs1(insn))};
    // Bits of the operand beyond the implemented ASID are ignored (4.2.1).
    if (rs2(insn) != 0) step.effect.fence.asid = c.hart.get_x(rs2(insn)) & ((1u << c.features.asid_bits) - 1);
    return step;
}

}  // namespace

// All of them are illegal in U-mode. In S-mode none is: a bare machine's firmware leaves TVM, TW and TSR clear
// (3.1.6.5).
Step execute_system(const CsrContext& context, u32 insn) {
    if (context.hart.priv != Priv::S) return illegal(insn);
    if (insn == kSret) return execute_sret(context.hart);
    if ((insn & kNotOperands) == kSfenceVma) return execute_fence(context, insn);
    if (insn == kWfi) return {kNext, {Effect::Kind::Wait, {}}};
    if (context.features.svinval) {
        // Invalidating at once is more than Svinval asks, so its two ordering instructions have nothing left to do.
        if ((insn & kNotOperands) == kSinvalVma) return execute_fence(context, insn);
        if (insn == kSfenceWInval || insn == kSfenceInvalIr) return {kNext, {}};
    }
    return illegal(insn);
}

}  // namespace uc
