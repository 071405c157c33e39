// SPDX-License-Identifier: MIT
#pragma once
// Page-table entries and the geometry of Sv39, Sv48 and Sv57 (Privileged 1.12, 4.3 to 4.6).

#include "isa/csr.hpp"

namespace uc {

struct Pte : Reg<Pte> {
    static constexpr Field<Pte, 0> V{};
    static constexpr Field<Pte, 1> R{};
    static constexpr Field<Pte, 2> W{};
    static constexpr Field<Pte, 3> X{};
    static constexpr Field<Pte, 4> U{};
    static constexpr Field<Pte, 5> G{};
    static constexpr Field<Pte, 6> A{};
    static constexpr Field<Pte, 7> D{};
    static constexpr Field<Pte, 8, 2> RSW{};
    static constexpr Field<Pte, 10, 44> PPN{};
    static constexpr Field<Pte, 54, 7> Reserved{};  ///< must be zero (4.4.1)
    static constexpr Field<Pte, 61, 2> PBMT{};      ///< reserved without Svpbmt
    static constexpr Field<Pte, 63> N{};            ///< reserved without Svnapot

    /// Valid with any of R, W, X: the entry ends the walk (4.3.2, step 4).
    [[nodiscard]] constexpr bool is_leaf() const { return (raw & (R.mask | W.mask | X.mask)) != 0; }
    /// Valid, no leaf, and without any bit that is reserved in a pointer: D, A, U, PBMT, N (4.4.1, Svpbmt, Svnapot); G
    /// is not. Above level 0 it leads on.
    [[nodiscard]] constexpr bool is_pointer() const {
        constexpr u64 kNone = R.mask | W.mask | X.mask | D.mask | A.mask | U.mask | Reserved.mask | PBMT.mask | N.mask;
        return (raw & (V.mask | kNone)) == V.mask;
    }
};

inline constexpr unsigned kPteIndexBits = 9;
inline constexpr unsigned kPtesPerTable = 1u << kPteIndexBits;

/// Levels of a translation mode: 0 for Bare, 3 for Sv39, 4 for Sv48, 5 for Sv57. Level 0 holds 4 KiB leaves.
[[nodiscard]] constexpr unsigned levels(SatpMode mode) {
    return mode == SatpMode::Bare ? 0 : static_cast<unsigned>(mode) - 5;
}
/// Bits of virtual address that a mode translates; the rest must equal the topmost of them.
[[nodiscard]] constexpr unsigned va_bits(SatpMode mode) { return 12 + kPteIndexBits * levels(mode); }
/// First bit of the index that `level` uses; 1 << this is the size in bytes a leaf there maps.
[[nodiscard]] constexpr unsigned level_shift(unsigned level) { return 12 + kPteIndexBits * level; }
[[nodiscard]] constexpr u64 level_size(unsigned level) { return 1ull << level_shift(level); }
[[nodiscard]] constexpr unsigned pte_index(u64 va, unsigned level) {
    return static_cast<unsigned>(va >> level_shift(level)) & (kPtesPerTable - 1);
}
/// Whether `va` is sign-extended as `mode` demands (4.4.1). Everything is in Bare.
[[nodiscard]] constexpr bool is_canonical(u64 va, SatpMode mode) {
    return mode == SatpMode::Bare || sign_extend(va, va_bits(mode)) == va;
}
static_assert(va_bits(SatpMode::Sv39) == 39 && va_bits(SatpMode::Sv48) == 48 && va_bits(SatpMode::Sv57) == 57);

/// Width of a physical address as satp.PPN and PTEs can express it.
inline constexpr unsigned kPhysicalAddressBits = 56;

}  // namespace uc
