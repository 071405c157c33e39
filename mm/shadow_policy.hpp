// SPDX-License-Identifier: MIT
#pragma once
// What a shadow entry may say: pure functions from guest entries and views to host entries.

#include "isa/csr.hpp"
#include "isa/pte.hpp"

namespace uc {

/// How a guest's privilege filters its own page tables (Privileged 1.12, 4.3.1, SUM: 4.1.1.2).
enum class ViewKind : u8 {
    User,           ///< only user pages
    Supervisor,     ///< only supervisor pages
    SupervisorSum,  ///< both; user pages are never executable
};
inline constexpr unsigned kViewKinds = 3;

[[nodiscard]] constexpr ViewKind view_kind(Priv priv, bool sum) {
    if (priv == Priv::U) return ViewKind::User;
    return sum ? ViewKind::SupervisorSum : ViewKind::Supervisor;
}

/// R, W, X as in a PTE.
inline constexpr u64 kRights = Pte::R.mask | Pte::W.mask | Pte::X.mask;

/// The accesses that hardware may make through a valid guest leaf, seen from `view`, without the hypervisor looking:
/// none until A is set, no store until D is. MXR makes executable pages readable (4.1.1.2). Never W without R, which
/// PTEs reserve.
[[nodiscard]] constexpr u64 leaf_rights(Pte leaf, ViewKind view, bool mxr) {
    const bool user = leaf.get(Pte::U) != 0;
    if (!leaf.get(Pte::A) || (view == ViewKind::User && !user) || (view == ViewKind::Supervisor && user)) return 0;
    u64 rights = leaf.raw & kRights;
    if (!leaf.get(Pte::D)) rights &= ~Pte::W.mask;
    if (mxr && (rights & Pte::X.mask)) rights |= Pte::R.mask;
    if (view == ViewKind::SupervisorSum && user) rights &= ~Pte::X.mask;
    return rights;
}

/// A host leaf for guests: user-accessible, A and D preset so that no hart writes shadow tables. `pbmt` in place (bits
/// 62:61).
[[nodiscard]] constexpr Pte host_leaf(Hpa hpa, u64 rights, u64 pbmt) {
    const u64 dirty = rights & Pte::W.mask ? Pte::D.mask : 0;
    return {{(hpa.frame() << Pte::PPN.lsb) | pbmt | dirty | Pte::A.mask | Pte::U.mask | rights | Pte::V.mask}};
}
/// A host entry that points to the table at `hpa`.
[[nodiscard]] constexpr Pte host_pointer(Hpa hpa) { return {{(hpa.frame() << Pte::PPN.lsb) | Pte::V.mask}}; }

[[nodiscard]] constexpr Hpa host_target(Pte pte) { return Hpa{pte.get(Pte::PPN) << kPageShift}; }

}  // namespace uc
