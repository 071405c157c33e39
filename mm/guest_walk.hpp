// SPDX-License-Identifier: MIT
#pragma once
// The guest's own address translation, exactly as its hart would do it (Privileged 1.12, 4.3.2; Svnapot; Svpbmt).

#include "isa/cause.hpp"
#include "isa/csr.hpp"
#include "isa/pte.hpp"
#include "mm/guest_ram.hpp"

#include <array>
#include <expected>

namespace uc {

/// What a translation depends on besides memory.
struct WalkMode {
    Satp satp;
    Priv priv = Priv::S;
    bool sum = false;
    bool mxr = false;
    bool update_ad = false;  ///< the guest's hart sets A and D itself (Svadu); else clear bits page-fault (Svade)
    bool svpbmt = false;     ///< PTE bits 62:61 are defined
    bool svnapot = false;    ///< PTE bit 63 is defined
};

/// A successful walk.
struct Translation {
    Gpa gpa;             ///< of the byte asked for; need not be memory
    Pte pte{};           ///< the leaf, A and D as they now stand; empty in Bare mode
    unsigned level = 0;  ///< of the leaf: 0 for 4 KiB; 0 in Bare mode
    Gpa pte_address{};   ///< where the leaf lies; 0 in Bare mode
};

/// The tables a walk read, by level: `table[level]` is the guest-physical address of the table indexed at that level.
struct TablePath {
    std::array<Gpa, 5> table{};
};

/// What a page-table entry means where it stands.
enum class PteKind : u8 { Invalid, Table, Leaf };

/// Sorts an entry found at `level` (4.3.2 steps 3, 4 and 6): Invalid covers V = 0, every reserved bit or encoding, a
/// pointer at level 0, and misaligned superpages. Permissions, A and D are not looked at.
[[nodiscard]] constexpr PteKind classify(Pte pte, unsigned level, bool svpbmt, bool svnapot) {
    const bool readable = pte.get(Pte::R) != 0;
    if (!pte.get(Pte::V) || (!readable && pte.get(Pte::W))) return PteKind::Invalid;
    if (pte.get(Pte::Reserved)) return PteKind::Invalid;
    if (!pte.is_leaf()) return level != 0 && pte.is_pointer() ? PteKind::Table : PteKind::Invalid;
    const u64 pbmt = pte.get(Pte::PBMT);
    if (pbmt != 0 && (!svpbmt || pbmt == 3)) return PteKind::Invalid;
    const u64 ppn = pte.get(Pte::PPN);
    if (pte.get(Pte::N) && (!svnapot || level != 0 || (ppn & 15) != 8))
        return PteKind::Invalid;  // 64 KiB is the only size
    if (!is_aligned(ppn, 1ull << (kPteIndexBits * level))) return PteKind::Invalid;
    return PteKind::Leaf;
}

/// The guest-physical page that a valid leaf at `level` gives for `va`, with Svnapot's low bits taken from the address.
[[nodiscard]] constexpr Gpa leaf_page(Pte leaf, unsigned level, Gva va) {
    const u64 low = leaf.get(Pte::N) ? 15 : (1ull << (kPteIndexBits * level)) - 1;
    return Gpa{((leaf.get(Pte::PPN) & ~low) | (va.frame() & low)) << kPageShift};
}

/// Translates `gva` for one access. On success the leaf has A set, and D for a store: set by this call with `update_ad`
/// (by compare-exchange, looking again when another hart changed the entry), found so without. The error is the
/// exception to raise: a page fault of the access's kind, or its access fault when a table lies outside `ram` (or, in
/// Bare mode, when the address has more than 56 bits). `path`, if given, learns the tables read, up to where the walk
/// stopped.
[[nodiscard]] std::expected<Translation, Cause> walk(GuestRam& ram, const WalkMode& mode, Gva gva, Access access,
                                                     TablePath* path = nullptr);

}  // namespace uc
