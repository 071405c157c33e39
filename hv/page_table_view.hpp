// SPDX-License-Identifier: MIT
#pragma once
// Translations for people to read: what was found on the way, with no effect on anything.

#include <array>
#include <optional>

#include "mm/guest_ram.hpp"
#include "mm/guest_walk.hpp"

namespace uc {

/// One address seen through one set of page tables.
struct PageTableView {
    SatpMode mode = SatpMode::Bare;
    std::array<std::optional<Pte>, 5> entry;  ///< by level: what the walk found there
    std::optional<u64> result;                ///< the physical address it leads to; none: nowhere
};

/// `gva` through a guest's own tables. Permissions, A and D are shown, but decide nothing.
[[nodiscard]] PageTableView view_guest_tables(const GuestRam& ram, const WalkMode& mode, Gva gva);

/// `gva` by the one entry of a shadow table in `mode` that hardware would use; nullopt: there is none.
[[nodiscard]] PageTableView view_shadow_entry(SatpMode mode, std::optional<Pte> leaf, unsigned level, Gva gva);

}  // namespace uc
