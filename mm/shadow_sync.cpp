// SPDX-License-Identifier: MIT
// Fences: bringing shadow pages back in step with tables that the guest changed unseen.
#include "mm/shadow.hpp"

namespace uc {

/// Whether the guest's entry, as it now stands, still grants what the shadow's entry at the same place gives. No record
/// of what the guest's entry was is needed: what it is now says what the shadow may be.
bool Shadow::entry_holds(u32 number, unsigned index, Pte host) const {
    const ShadowPage& page = tables_.page(number);
    const unsigned level = page.key.level();
    const Pte guest = guest_entry(page, index);
    const bool pointer = !host.is_leaf();
    const ShadowPage* const child = pointer ? &tables_.page(tables_.child(host)) : nullptr;
    if (pointer && child->key.kind() == PageKind::Table) {
        return guest.is_pointer() && guest.get(Pte::PPN) == child->key.frame();
    }
    if (classify(guest, level, options_.svpbmt, options_.svnapot) != PteKind::Leaf) return false;
    const Gpa gpa = leaf_page(guest, level, Gva{level == 0 ? u64{index} << kPageShift : 0});
    const u64 granted = leaf_rights(guest, page.key.view(), page.key.mxr());
    const u64 given = pointer ? child->key.rights() : host.raw & kRights;
    const u64 pbmt = pointer ? child->key.pbmt() : host.raw & Pte::PBMT.mask;
    return gpa == (pointer ? child->key.base() : tables_.shown_by(host)) && (given & ~granted) == 0 &&
           pbmt == (guest.raw & Pte::PBMT.mask);
}

/// What is owed when an entry met on the way of `va` is dropped or allows less. A fence of one address orders leaves
/// only (4.2.1), so a pointer needs all. So does a leaf that TLBs may hold under further addresses: when the guest
/// fences those, no entry is left here to tell that something is owed.
TlbFlush Shadow::flush_for(u32 page, Pte entry, Gva va) const {
    const bool one_address = entry.is_leaf() && tables_.page(page).key.level() == 0 && !tables_.aliased();
    return one_address ? TlbFlush::page(va) : TlbFlush::all();
}

/// entry_holds() for what upper tables mostly hold and rarely change: a pointer to another table.
[[gnu::always_inline]] inline bool Shadow::still_points(u32 number, unsigned index, Pte host) const {
    if (host.is_leaf()) return false;
    const PageKey child = tables_.page(tables_.child(host)).key;
    const Pte guest = guest_entry(tables_.page(number), index);
    return child.kind() == PageKind::Table && guest.is_pointer() && guest.get(Pte::PPN) == child.frame();
}

/// Drops what is outdated on the way of `va` through one page. A leaf becomes what the guest grants: a page that it has
/// just mapped and fenced is about to be used, and showing it now saves the fault.
[[gnu::always_inline]] inline void Shadow::repair(u32 number, Gva va, TlbFlush& flush) {
    const unsigned level = tables_.page(number).key.level();
    const unsigned index = pte_index(va.raw, level);
    const Pte host = tables_.entry(number, index);
    Pte granted{};
    if (level == 0) {
        granted = granted_leaf(number, index);
        if (host == granted) return;
    } else if (host.raw == 0 || ShadowTables::is_foreign(host) || still_points(number, index, host) ||
               entry_holds(number, index, host)) {
        return;
    }
    if (host.raw != 0) {
        tables_.drop(number, index);
        ++stats_.drops;
        flush.merge(flush_for(number, host, va));
    }
    if (granted.raw != 0) {
        tables_.set_leaf(number, index, granted);
        ++stats_.prefills;
    }
}

/// Drops all that is outdated in one page.
TlbFlush Shadow::refresh(u32 page) {
    TlbFlush flush;
    for (unsigned index = 0; index < kPtesPerTable; ++index) {
        const Pte host = tables_.entry(page, index);
        if (host.raw == 0 || ShadowTables::is_foreign(host) || entry_holds(page, index, host)) continue;
        tables_.drop(page, index);
        ++stats_.drops;
        flush = TlbFlush::all();
    }
    return flush;
}

/// Drops all that is outdated in a page and whatever it leads to.
TlbFlush Shadow::refresh_below(u32 number) {
    const ShadowPage& top = tables_.page(number);
    if (top.key.level() == 0) return top.unsync ? refresh(number) : TlbFlush::none();
    TlbFlush flush;
    if (top.key.kind() == PageKind::Direct) return flush;
    for (unsigned bucket = 0; bucket < ShadowTables::kBuckets && tables_.unsync_pages() != 0; ++bucket) {
        for (u32 page = tables_.first_unsync(bucket); page != kNoPage; page = tables_.page(page).unsync_next) {
            if (tables_.aliased() || tables_.translates(top, tables_.page(page).va)) flush.merge(refresh(page));
        }
    }
    return flush;
}

TlbFlush Shadow::fence(std::optional<Gva> va, [[maybe_unused]] std::optional<u16> asid) {
    // Shadow pages are shared by address spaces, so an entry repaired for one ASID is repaired for all.
    if (!va) return sync_all();
    // An address that is not valid names nothing (4.2.1); repairing the one it resembles would leave that one's flush
    // owed.
    if (!is_canonical(va->raw, options_.window.host_mode)) return TlbFlush::none();
    TlbFlush flush;
    if (tables_.unsync_pages() == 0) return flush;
    if (tables_.aliased()) [[unlikely]]
        return fence_everywhere(*va);
    unsigned level = 0;
    for (unsigned levels = tables_.unsync_levels(); levels != 0; levels >>= 1, ++level) {
        if ((levels & 1) == 0) continue;
        const u64 region = tables_.region_of(level, *va);
        for (u32 number = tables_.first_unsync(ShadowTables::bucket_of(level, region)); number != kNoPage;) {
            const ShadowPage& page = tables_.page(number);
            if (page.unsync_region == region) repair(number, *va, flush);
            number = page.unsync_next;
        }
    }
    return flush;
}

/// The same where a page may translate the address without telling.
TlbFlush Shadow::fence_everywhere(Gva va) {
    TlbFlush flush;
    for (unsigned bucket = 0; bucket < ShadowTables::kBuckets; ++bucket) {
        for (u32 page = tables_.first_unsync(bucket); page != kNoPage; page = tables_.page(page).unsync_next) {
            repair(page, va, flush);
        }
    }
    return flush;
}

/// Brings every table into step and protects it again. From the top down: what upper tables no longer point to is given
/// up rather than compared.
TlbFlush Shadow::sync_all() {
    TlbFlush flush;
    if (is_smp()) close_all(flush);
    for (unsigned bucket = ShadowTables::kBuckets; bucket-- > 0 && tables_.unsync_pages() != 0;) {
        for (u32 page; (page = tables_.first_unsync(bucket)) != kNoPage;) {
            flush.merge(settle(tables_.page(page).key.frame()));
        }
    }
    return flush;
}

/// Protects all frames that can be stored to unseen. Other harts may do so through their TLBs until they have heard of
/// it, so what is compared before that would have to be compared again. What is not wanted now will not be.
void Shadow::close_all(TlbFlush& flush) {
    bool any = false;
    for (unsigned bucket = 0; bucket < ShadowTables::kBuckets && tables_.unsync_pages() != 0; ++bucket) {
        for (u32 number = tables_.first_unsync(bucket); number != kNoPage; number = tables_.page(number).unsync_next) {
            if (!tables_.page(number).open || !is_wanted(number)) continue;
            const u64 frame = tables_.page(number).key.frame();
            tables_.protect(frame);
            for (u32 page = tables_.first_page(frame); page != kNoPage; page = tables_.page(page).next) {
                tables_.page(page).open = false;  // only a Table's can be set
            }
            ++stats_.resyncs;
            any = true;
        }
    }
    if (any) flush_everywhere(flush);
}

/// Compares the pages of one frame with it and, unless it is, protects it.
TlbFlush Shadow::settle(u64 frame) {
    TlbFlush flush;
    bool was_open = false;
    u32 next = kNoPage;
    for (u32 number = tables_.first_page(frame); number != kNoPage; number = next) {
        ShadowPage& page = tables_.page(number);
        next = page.next;
        if (!ShadowTables::is_table_of(page, frame)) continue;
        if (!is_wanted(number)) {
            free_page(number);
            flush = TlbFlush::all();
            continue;
        }
        flush.merge(refresh(number));
        tables_.mark_synced(number);
        was_open |= page.open;
        page.open = false;
    }
    if (!was_open) return flush;
    tables_.protect(frame);
    ++stats_.resyncs;
    return TlbFlush::all();
}

/// Whether a page whose table the guest writes to is worth keeping in step: the guest's process may have ended, and the
/// frame may be a page table no longer.
bool Shadow::is_wanted(u32 number) const {
    const ShadowPage& page = tables_.page(number);
    if (page.key.level() == host_levels_ - 1) return is_held(number);
    if (page.parents == kNoSlot) return false;
    const u32 parent = page.parents / kPtesPerTable;
    return tables_.page(parent).key.kind() != PageKind::Wrapper || is_wanted(parent);
}

void Shadow::unsync(u64 frame) {
    for (u32 page = tables_.first_page(frame); page != kNoPage; page = tables_.page(page).next) {
        ShadowPage& p = tables_.page(page);
        if (!ShadowTables::is_table_of(p, frame)) continue;
        if (!p.unsync) tables_.mark_unsync(page);
        p.open = true;
    }
    ++stats_.unsyncs;
}

TlbFlush Shadow::memory_written(Gpa gpa, u64 size) {
    TlbFlush flush;
    const u64 last = (gpa + (size - 1)).frame();
    for (u64 frame = gpa.frame(); size != 0 && frame <= last; ++frame) {
        if (!ram_.contains(Gpa{frame << kPageShift}, kPageSize)) continue;
        if (tables_.has_copy(frame)) {
            drop_copy(frame);
            flush.merge(TlbFlush::all());
        } else if (tables_.is_protected(frame)) {
            unsync(frame);
        }
    }
    return flush;
}

}  // namespace uc
