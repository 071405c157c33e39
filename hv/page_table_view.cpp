// SPDX-License-Identifier: MIT
#include "hv/page_table_view.hpp"

#include "hv/glance.hpp"

namespace uc {

PageTableView view_guest_tables(const GuestRam& ram, const WalkMode& mode, Gva gva) {
    PageTableView view{.mode = mode.satp.mode(), .entry = {}, .result = {}};
    if (view.mode == SatpMode::Bare) {
        if (gva.raw >> kPhysicalAddressBits == 0) view.result = gva.raw;
        return view;
    }
    if (!is_canonical(gva.raw, view.mode)) return view;
    Gpa table{mode.satp.get(Satp::PPN) << kPageShift};
    for (unsigned level = levels(view.mode); level-- > 0;) {
        const std::byte* const raw = ram.pointer(table + u64{pte_index(gva.raw, level)} * sizeof(u64), sizeof(u64));
        if (raw == nullptr) return view;
        const Pte pte{{glance(*reinterpret_cast<const u64*>(raw))}};
        view.entry[level] = pte;
        switch (classify(pte, level, mode.svpbmt, mode.svnapot)) {
            case PteKind::Invalid: return view;
            case PteKind::Leaf: view.result = (leaf_page(pte, level, gva) + gva.page_offset()).raw; return view;
            case PteKind::Table: break;
        }
        table = Gpa{pte.get(Pte::PPN) << kPageShift};
    }
    return view;
}

PageTableView view_shadow_entry(SatpMode mode, std::optional<Pte> leaf, unsigned level, Gva gva) {
    PageTableView view{.mode = mode, .entry = {}, .result = {}};
    if (!leaf) return view;
    view.entry[level] = leaf;
    // Guest- and host-physical addresses are told apart only by where they stand.
    if (leaf->get(Pte::V) && leaf->is_leaf()) view.result = (leaf_page(*leaf, level, gva) + gva.page_offset()).raw;
    return view;
}

}  // namespace uc
