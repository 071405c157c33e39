// SPDX-License-Identifier: MIT
#include "mm/guest_walk.hpp"

namespace uc {

namespace {

/// Whether the leaf's own bits allow the access (4.3.1): R, W, X with MXR; U against privilege and SUM.
bool allows(Pte leaf, const WalkMode& mode, Access access) {
    if (leaf.get(Pte::U)) {
        if (mode.priv == Priv::S && (access == Access::Fetch || !mode.sum)) return false;  // never fetched, SUM or not
    } else if (mode.priv == Priv::U) {
        return false;
    }
    switch (access) {
        case Access::Fetch: return leaf.get(Pte::X) != 0;
        case Access::Load: return leaf.get(Pte::R) || (mode.mxr && leaf.get(Pte::X));
        case Access::Store: break;
    }
    return leaf.get(Pte::W) != 0;
}

}  // namespace

std::expected<Translation, Cause> walk(GuestRam& ram, const WalkMode& mode, Gva gva, Access access, TablePath* path) {
    const SatpMode scheme = mode.satp.mode();
    if (scheme == SatpMode::Bare) {
        if (gva.raw >> kPhysicalAddressBits) return std::unexpected(access_fault(access));
        return Translation{.gpa = Gpa{gva.raw}};
    }
    const auto fault = std::unexpected(page_fault(access));
    if (!is_canonical(gva.raw, scheme)) return fault;

    const u64 needed = Pte::A.mask | (access == Access::Store ? Pte::D.mask : 0);
    Gpa table{mode.satp.get(Satp::PPN) << kPageShift};
    for (unsigned level = levels(scheme); level-- > 0;) {
        if (path) path->table[level] = table;
        const Gpa address = table + u64{pte_index(gva.raw, level)} * sizeof(u64);
        for (;;) {  // until the entry holds still
            const auto raw = ram.load_pte(address);
            if (!raw) return std::unexpected(access_fault(access));
            Pte pte{{*raw}};
            if (pte.is_pointer() && level != 0) {
                table = Gpa{pte.get(Pte::PPN) << kPageShift};
                break;
            }
            if (classify(pte, level, mode.svpbmt, mode.svnapot) != PteKind::Leaf) return fault;
            if (!allows(pte, mode, access)) return fault;
            if ((pte.raw & needed) != needed) {
                if (!mode.update_ad) return fault;
                pte.raw |= needed;
                // Another hart may have changed the entry since it was read: then start over from what it holds now.
                if (!ram.compare_exchange(address, *raw, pte.raw).value_or(false)) continue;
            }
            const Gpa page = leaf_page(pte, level, gva);
            return Translation{.gpa = page + gva.page_offset(), .pte = pte, .level = level, .pte_address = address};
        }
    }
    return fault;  // a pointer at level 0 is Invalid, so this is out of reach
}

}  // namespace uc
