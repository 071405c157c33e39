// SPDX-License-Identifier: MIT
// What must hold between any two calls. Tests ask after every step; nothing else does.
#include "mm/shadow.hpp"

namespace uc {

namespace {

/// Whether [base, base + size) has a protected frame.
bool has_protected(const ShadowTables& tables, Gpa base, u64 size) {
    for (u64 offset = 0; offset < size; offset += kPageSize) {
        if (tables.is_protected((base + offset).frame())) return true;
    }
    return false;
}

/// Whether [base, base + size) has a frame with a copy.
bool has_any_copy(const ShadowTables& tables, Gpa base, u64 size) {
    for (u64 offset = 0; offset < size; offset += kPageSize) {
        if (tables.has_copy((base + offset).frame())) return true;
    }
    return false;
}

}  // namespace

/// An entry must be on the chain it belongs to, lead to memory or to a live page one level down, and not make protected
/// memory writable.
bool ShadowTables::check_entry(u32 number, unsigned index) const {
    const Pte pte = entry(number, index);
    const unsigned level = pages_[number].key.level();
    const u32 slot = number * kPtesPerTable + index;
    u32 at = kNoSlot;
    if (pte.is_leaf()) {
        const u64 size = level_size(level);
        const Gpa gpa = shown_by(pte);
        if (is_copy(pte) && (level != 0 || !has_copy(gpa.frame()) || copy_address(gpa.frame()) != host_target(pte) ||
                             (pte.raw & kRights) != Pte::X.mask || !shows_copies(pages_[number]))) {
            return false;
        }
        if (!is_copy(pte) && pte.get(Pte::X) && shows_copies(pages_[number]) && has_any_copy(*this, gpa, size))
            return false;
        if (level > kRegionLevels || !ram_.contains(gpa, size) || !is_aligned(host_target(pte).raw, size)) return false;
        if (pte.get(Pte::W) && has_protected(*this, gpa, size)) return false;
        if (!pte.get(Pte::U) || !pte.get(Pte::A) || pte.get(Pte::W) != pte.get(Pte::D)) return false;
        at = level == 0 ? info(gpa.frame()).leaves : region(gpa, level).leaves;
    } else {
        const ShadowPage& below = pages_[child(pte)];
        if (!below.in_use || below.key.level() + 1 != level) return false;
        at = below.parents;
    }
    for (; at != kNoSlot && at != slot; at = links_[at].next) {
        if (links_[at].next != kNoSlot && links_[links_[at].next].prev != at) return false;
    }
    return at == slot;
}

bool ShadowTables::check_structure() const {
    u32 in_use = 0;
    u32 unsync = 0;
    u64 table_frames = 0;
    for (u32 number = 0; number < max_pages(); ++number) {
        const ShadowPage& page = pages_[number];
        if (!page.in_use) continue;
        ++in_use;
        unsync += page.unsync;
        if (page.pinned || find(page.key) != number) return false;
        const u32 table = page.key.kind() == PageKind::Table ? first_table(page.key.frame()) : kNoPage;
        table_frames += table == number;
        if (table == kNoPage ? page.unsync : pages_[table].unsync != page.unsync || pages_[table].open != page.open)
            return false;
        if (page.open && !page.unsync) return false;
        u32 present = 0;
        for (unsigned index = 0; index < kPtesPerTable; ++index) {
            const Pte pte = entry(number, index);
            if (pte.raw == 0 || is_foreign(pte)) continue;
            ++present;
            if (!check_entry(number, index)) return false;
        }
        if (present != page.present) return false;
    }
    u32 listed = 0;
    for (unsigned bucket = 0; bucket < kBuckets; ++bucket) {
        for (u32 number = unsync_[bucket]; number != kNoPage; number = pages_[number].unsync_next, ++listed) {
            if (!pages_[number].in_use || !pages_[number].unsync || pages_[number].bucket != bucket) return false;
        }
    }
    u64 copied_frames = 0;
    for (u64 offset = 0; offset < ram_.size(); offset += kPageSize) {
        const Gpa gpa = ram_.base() + offset;
        if (!has_copy(gpa.frame())) continue;
        ++copied_frames;
        if (first_table(gpa.frame()) != kNoPage || copies_.source(info(gpa.frame()).copy) != offset / kPageSize)
            return false;
    }
    for (unsigned level = 1; level <= kRegionLevels; ++level) {
        u64 counted = 0;
        u64 copied = 0;
        const u64 regions = region_count(ram_.size(), level);
        for (u64 i = 0; i < regions; ++i) {
            counted += regions_[level - 1][i].tables;
            copied += regions_[level - 1][i].copies;
        }
        if (counted != table_frames || copied != copied_frames) return false;
    }
    return in_use == pages_in_use() && unsync == unsync_count_ && listed == unsync_count_;
}

bool Shadow::check_invariants() const {
    if (!tables_.check_structure()) return false;
    for (const Vcpu& v : vcpus_) {
        if (v.active != kNoPage && !tables_.page(static_cast<u32>(v.active)).in_use) return false;
    }
    for (u32 number = 0; number < tables_.max_pages(); ++number) {
        const ShadowPage& page = tables_.page(number);
        if (!page.in_use || page.unsync || page.key.kind() != PageKind::Table) continue;
        for (unsigned index = 0; index < kPtesPerTable; ++index) {
            const Pte host = tables_.entry(number, index);
            if (host.raw != 0 && !ShadowTables::is_foreign(host) && !entry_holds(number, index, host)) return false;
        }
    }
    return true;
}

}  // namespace uc
