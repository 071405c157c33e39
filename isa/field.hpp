// SPDX-License-Identifier: MIT
#pragma once
// Typed registers: a Field belongs to one register type and does not compile on another.

#include "isa/types.hpp"

namespace uc {

/// A field of `Width` bits at bit `Lsb` of register type `R`.
template <class R, unsigned Lsb, unsigned Width = 1>
struct Field {
    static_assert(Width >= 1 && Lsb + Width <= 64);
    static constexpr unsigned lsb = Lsb;
    static constexpr u64 max = Width == 64 ? ~0ull : (1ull << Width) - 1;
    static constexpr u64 mask = max << Lsb;
};

/// Base of a 64-bit register type. `Self` is the derived type.
template <class Self>
struct Reg {
    u64 raw = 0;

    template <unsigned L, unsigned W>
    [[nodiscard]] constexpr u64 get(Field<Self, L, W>) const {
        return (raw >> L) & Field<Self, L, W>::max;
    }
    template <unsigned L, unsigned W>
    constexpr Self& set(Field<Self, L, W>, u64 value) {
        using F = Field<Self, L, W>;
        raw = (raw & ~F::mask) | ((value & F::max) << L);
        return static_cast<Self&>(*this);
    }
    friend constexpr bool operator==(const Reg&, const Reg&) = default;
};

}  // namespace uc
