// SPDX-License-Identifier: MIT
#pragma once
// What emulating an instruction leads to. Functions return it; one place applies it.

#include <optional>

#include "isa/cause.hpp"

namespace uc {

/// Where the guest's pc goes next. Applied by commit() (emul/trap.hpp).
struct Outcome {
    enum class Kind : u8 {
        Retry,    ///< execute the same instruction again
        Advance,  ///< done: go on `value` bytes further
        Jump,     ///< go on at `value`
        Inject,   ///< the guest takes exception `cause` with stval = `value`
        Leave,    ///< nothing to apply: pc is what it should be and the vCPU stops running
    };

    u64 value = 0;
    Kind kind = Kind::Retry;
    Cause cause{};

    [[nodiscard]] static constexpr Outcome retry() { return {}; }
    [[nodiscard]] static constexpr Outcome advance(u64 bytes) { return {bytes, Kind::Advance}; }
    [[nodiscard]] static constexpr Outcome jump(u64 pc) { return {pc, Kind::Jump}; }
    [[nodiscard]] static constexpr Outcome inject(Exception e) { return {e.tval, Kind::Inject, e.cause}; }
    /// The illegal-instruction exception; stval gets the 16 or 32 bits of `insn` (Privileged 1.12, 4.1.9).
    [[nodiscard]] static constexpr Outcome illegal(u32 insn) {
        return inject({Cause::IllegalInstruction, (insn & 3) == 3 ? insn : insn & 0xffff});
    }
    [[nodiscard]] static constexpr Outcome leave() { return {0, Kind::Leave}; }

    friend constexpr bool operator==(const Outcome&, const Outcome&) = default;
};

/// Operands of sfence.vma: an empty one was x0 and means "all" (Privileged 1.12, 4.2.1).
struct Fence {
    std::optional<Gva> va;
    std::optional<u16> asid;  ///< already cut to the implemented ASID bits

    friend constexpr bool operator==(const Fence&, const Fence&) = default;
};

/// What besides GuestHart an emulated instruction changed, for the caller to follow up. What it changed in GuestHart
/// (privilege, SUM, MXR, interrupt enables) the run loop looks at before it goes back.
struct Effect {
    enum class Kind : u8 {
        None,
        Satp,   ///< satp was written
        Fence,  ///< `fence` is to be performed
        Wait,   ///< wfi: sleep until an interrupt is pending and enabled in sie
        Timer,  ///< stimecmp was written
    };

    Kind kind = Kind::None;
    Fence fence;  ///< meaningful for Kind::Fence

    friend constexpr bool operator==(const Effect&, const Effect&) = default;
};

struct Step {
    Outcome outcome;
    Effect effect;

    friend constexpr bool operator==(const Step&, const Step&) = default;
};

}  // namespace uc
