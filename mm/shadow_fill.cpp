// SPDX-License-Identifier: MIT
// Faults: from a walk of the guest's tables to entries in the host's.
#include "mm/shadow.hpp"

namespace uc {

struct Shadow::Fill {
    const View& view;
    Gva gva;
    Access access;
    Gpa gpa;              ///< page that the guest's tables give
    unsigned leaf_level;  ///< of the guest's leaf
    u64 rights;           ///< that it grants to the view
    u64 pbmt;             ///< its memory type, in place
    TablePath path;
    TlbFlush flush;
};

Shadow::FaultResult Shadow::handle_fault([[maybe_unused]] unsigned vcpu, const View& view, Gva gva, Access access) {
    using enum FaultResult::Kind;
    TablePath path;
    TlbFlush flush;
    const auto walked = translate(view, gva, access, flush, &path);
    if (!walked) return {.kind = Inject, .cause = walked.error()};
    if (!is_representable(view.satp)) return {.kind = Inject, .cause = page_fault(access), .flush = flush};
    if (!ram_.contains(walked->gpa.page(), kPageSize)) return {.kind = Device, .gpa = walked->gpa, .flush = flush};
    if (in_window(pte_index(gva.raw, host_levels_ - 1))) {
        ++stats_.window_conflicts;
        return {.kind = Inject, .cause = page_fault(access), .window_conflict = true, .flush = flush};
    }

    const bool bare = view.satp.mode() == SatpMode::Bare;
    Fill fill{.view = view,
              .gva = gva,
              .access = access,
              .gpa = walked->gpa.page(),
              .leaf_level = bare ? host_levels_ - 1 : walked->level,
              .rights = bare ? kRights : leaf_rights(walked->pte, view_kind(view.priv, view.sum), view.mxr),
              .pbmt = walked->pte.raw & Pte::PBMT.mask,
              .path = path,
              .flush = flush};
    fill_path(fill);
    return {.kind = Retry, .gpa = walked->gpa, .flush = fill.flush};
}

std::expected<Translation, Cause> Shadow::translate(const View& view, Gva gva, Access access, TlbFlush& flush,
                                                    TablePath* path) {
    const auto walked = walk(ram_, walk_mode(view), gva, access, path);
    // The walk may have written the leaf, and a page may be table and code at once.
    if (walked && options_.update_ad && ram_.contains(walked->pte_address, sizeof(u64)) &&
        tables_.has_copy(walked->pte_address.frame())) {
        drop_copy(walked->pte_address.frame());
        flush.merge(TlbFlush::all());
    }
    return walked;
}

void Shadow::fill_path(Fill& fill) {
    std::array<u32, 5> pinned{};
    unsigned level = host_levels_ - 1;
    u32 page = make_root(fill.view, fill.flush);
    for (;; --level) {
        pinned[level] = page;
        tables_.page(page).pinned = tables_.page(page).referenced = true;
        if (level <= fill.leaf_level && can_map(fill, level)) break;
        page = descend(fill, page, level);
    }
    const bool is_new = map(fill, page, level);
    if (is_new && level == 0 && options_.prefill != 0) prefill(page, pte_index(fill.gva.raw, 0));
    for (; level < host_levels_; ++level) tables_.page(pinned[level]).pinned = false;
}

/// Whether one host leaf at `level` can show what the guest maps there: memory all through, aligned alike on the bus,
/// and nothing inside that must stay write-protected.
bool Shadow::can_map(const Fill& fill, unsigned level) const {
    if (level == 0) return true;
    if (level > ShadowTables::kRegionLevels) return false;
    const u64 size = level_size(level);
    const Gpa base{align_down(fill.gpa.raw, size)};
    if (!ram_.contains(base, size) || !is_aligned(ram_.hpa(base).raw, size)) return false;
    if ((fill.rights & Pte::W.mask) && (tables_.has_tables(base, level) || tables_.has_copies(base, level)))
        return false;
    const bool user = view_kind(fill.view.priv, fill.view.sum) == ViewKind::User;
    return user || !(fill.rights & Pte::X.mask) || !tables_.has_copies(base, level);
}

/// Which page an entry at `level` + 1 on the path must point to.
PageKey Shadow::child_key(const Fill& fill, unsigned level) const {
    if (level < fill.leaf_level) {
        const Gpa base{align_down(fill.gpa.raw, level_size(level + 1))};
        return PageKey::direct(base, level, fill.rights, fill.pbmt, view_kind(fill.view.priv, fill.view.sum));
    }
    const unsigned guest_levels = levels(fill.view.satp.mode());
    const Half half = fill.gva.raw >> 63 ? Half::High : Half::Low;
    if (level >= guest_levels) {
        return guest_key(fill.view, PageKind::Wrapper, fill.path.table[guest_levels - 1], level, half);
    }
    return guest_key(fill.view, PageKind::Table, fill.path.table[level], level,
                     level == guest_levels - 1 ? half : Half::None);
}

/// The page below `page` on the path, linked if it is not yet.
u32 Shadow::descend(Fill& fill, u32 page, unsigned level) {
    const unsigned index = pte_index(fill.gva.raw, level);
    const PageKey key = child_key(fill, level - 1);
    if (const Pte old = tables_.entry(page, index); old.raw != 0 && !old.is_leaf()) {
        const u32 child = tables_.child(old);
        if (tables_.page(child).key == key) return child;
    }
    u32 child = tables_.find(key);
    if (child == kNoPage) {
        child = make_page(key, fill.flush);
    } else {
        // Whoever comes here for the first time owes no fence for what others have not fenced yet.
        fill.flush.merge(refresh_below(child));
    }
    clear(fill, page, index);
    tables_.set_pointer(page, index, child, fill.gva);
    return child;
}

/// Empties an entry that something else replaces.
void Shadow::clear(Fill& fill, u32 page, unsigned index) {
    const Pte old = tables_.entry(page, index);
    if (old.raw == 0) return;
    tables_.drop(page, index);
    fill.flush.merge(flush_for(page, old, fill.gva));
}

/// Makes the leaf; says whether there was none. Nothing is owed for one that allows more than before: a hart that has
/// cached the old one faults once more at most, and the spurious fault flushes it.
bool Shadow::map(Fill& fill, u32 page, unsigned level) {
    const unsigned index = pte_index(fill.gva.raw, level);
    Pte leaf = host_leaf(ram_.hpa(Gpa{align_down(fill.gpa.raw, level_size(level))}), fill.rights, fill.pbmt);
    if (level == 0) {
        leaf = small_leaf(tables_.page(page), fill.gpa, fill.rights, fill.pbmt);
        const u64 needed = fill.access == Access::Fetch  ? Pte::X.mask
                           : fill.access == Access::Load ? Pte::R.mask
                                                         : Pte::W.mask;
        if ((leaf.raw & needed) == 0) {
            // What stands against it is ours: a copy that cannot be read, or protection from stores.
            const u64 frame = fill.gpa.frame();
            if (tables_.has_copy(frame)) {
                // Before anybody can store to the page: who learns of the store may not execute the copy any more.
                drop_copy(frame);
                flush_everywhere(fill.flush);
            } else {
                unsync(frame);
            }
            leaf = small_leaf(tables_.page(page), fill.gpa, fill.rights, fill.pbmt);
        }
    }
    const Hpa target = host_target(leaf);
    const Pte old = tables_.entry(page, index);
    if (old == leaf) {
        ++stats_.spurious;
        fill.flush.merge(TlbFlush::local_page(fill.gva));
        return false;
    }
    ++stats_.fills;
    if (old.is_leaf() && host_target(old) == target && ((old.raw ^ leaf.raw) & Pte::PBMT.mask) == 0) {
        tables_.set_rights(page, index, leaf);
        if (old.raw & ~leaf.raw & kRights) fill.flush.merge(flush_for(page, old, fill.gva));
        return false;
    }
    clear(fill, page, index);
    tables_.set_leaf(page, index, leaf);
    return old.raw == 0;
}

/// The leaf at level 0 that may show `gpa` in `page` where the guest grants `rights`: without stores that must be seen,
/// and nothing but execution where instructions are replaced.
Pte Shadow::small_leaf(const ShadowPage& page, Gpa gpa, u64 rights, u64 pbmt) const {
    const u64 frame = gpa.frame();
    if ((rights & Pte::X.mask) && tables_.has_copy(frame) && ShadowTables::shows_copies(page)) {
        return host_leaf(tables_.copy_address(frame), Pte::X.mask, pbmt);
    }
    if ((rights & Pte::W.mask) && tables_.is_protected(frame)) rights &= ~Pte::W.mask;
    return host_leaf(ram_.hpa(gpa), rights, pbmt);
}

/// What an entry at level 0 may be as the guest's memory stands: no more than hardware might have cached by itself, A
/// and D untouched. Empty where nothing is granted.
Pte Shadow::granted_leaf(u32 number, unsigned index) const {
    const ShadowPage& page = tables_.page(number);
    Gpa gpa = page.key.base() + u64{index} * kPageSize;
    u64 rights = page.key.rights();
    u64 pbmt = page.key.pbmt();
    if (page.key.kind() != PageKind::Direct) {
        const Pte guest = guest_entry(page, index);
        if (guest.raw == 0 || classify(guest, 0, options_.svpbmt, options_.svnapot) != PteKind::Leaf) return {};
        gpa = leaf_page(guest, 0, Gva{u64{index} << kPageShift});
        rights = leaf_rights(guest, page.key.view(), page.key.mxr());
        pbmt = guest.raw & Pte::PBMT.mask;
    }
    if (rights == 0 || !ram_.contains(gpa, kPageSize)) return {};
    return small_leaf(page, gpa, rights, pbmt);
}

/// Fills the empty entries around a new one.
void Shadow::prefill(u32 page, unsigned around) {
    const unsigned first = around & ~(options_.prefill - 1);
    for (unsigned index = first; index < first + options_.prefill; ++index) {
        if (tables_.entry(page, index).raw != 0) continue;
        const Pte leaf = granted_leaf(page, index);
        if (leaf.raw == 0) continue;
        tables_.set_leaf(page, index, leaf);
        ++stats_.prefills;
    }
}

}  // namespace uc
