// SPDX-License-Identifier: MIT
// Entries and the chains they are on: from memory to the leaves that map it, from a page to the pointers that lead to
// it.
#include "mm/shadow_table.hpp"

namespace uc {

namespace {
constexpr u64 kWritable = Pte::W.mask | Pte::D.mask;
}

void ShadowTables::chain(u32* head, u32 slot) {
    links_[slot] = {.next = *head, .prev = kNoSlot};
    if (*head != kNoSlot) links_[*head].prev = slot;
    *head = slot;
}

void ShadowTables::unchain(u32* head, u32 slot) {
    const Link link = links_[slot];
    (link.prev == kNoSlot ? *head : links_[link.prev].next) = link.next;
    if (link.next != kNoSlot) links_[link.next].prev = link.prev;
}

[[gnu::always_inline]] inline u32* ShadowTables::chain_of(u32 number, Pte pte) {
    if (!pte.is_leaf()) return &pages_[child(pte)].parents;
    const Gpa gpa = shown_by(pte);
    const unsigned level = pages_[number].key.level();
    return level == 0 ? &info(gpa.frame()).leaves : &region(gpa, level).leaves;
}

void ShadowTables::set_leaf(u32 number, unsigned index, Pte leaf) {
    chain(chain_of(number, leaf), number * kPtesPerTable + index);
    ++pages_[number].present;
    write(number, index, leaf);
}

void ShadowTables::set_pointer(u32 number, unsigned index, u32 to, Gva va) {
    place(to, va);
    chain(&pages_[to].parents, number * kPtesPerTable + index);
    ++pages_[number].present;
    write(number, index, host_pointer(pool_.hpa(to)));
}

void ShadowTables::drop(u32 number, unsigned index) {
    const Pte pte = entry(number, index);
    write(number, index, Pte{});
    --pages_[number].present;
    if (!pte.is_leaf() || is_copy(pte)) copies_epoch_ = copies_epoch_ + 1;
    unchain(chain_of(number, pte), number * kPtesPerTable + index);
}

void ShadowTables::drop_entries(u32 number) {
    for (unsigned index = 0; index < kPtesPerTable && pages_[number].present != 0; ++index) {
        const Pte pte = entry(number, index);
        if (pte.raw != 0 && !is_foreign(pte)) drop(number, index);
    }
}

/// Keeps ShadowPage::va true when a page is linked at `va`. A page that nothing points to may move, but what it points
/// to would still claim the old place, so it starts empty. A page that is reached at two places makes `va` useless, for
/// good.
void ShadowTables::place(u32 number, Gva va) {
    ShadowPage& page = pages_[number];
    if (page.key.kind() == PageKind::Direct) return;  // shows memory, not a table: never out of step
    const Gva region{align_down(va.raw & va_mask_, level_size(page.key.level() + 1))};
    if (page.va == region) return;
    if (page.parents != kNoSlot) {
        aliased_ = true;
        return;
    }
    if (page.key.level() > 0) drop_entries(number);
    const bool unsync = page.unsync;
    if (unsync) mark_synced(number);
    page.va = region;
    if (unsync) mark_unsync(number);
}

bool ShadowTables::is_protected(u64 frame) const {
    if (has_copy(frame)) return true;
    const u32 table = first_table(frame);
    return table != kNoPage && !pages_[table].open;
}

/// Calls visit(page, index) for every superpage leaf that shows `frame`; it may drop that leaf.
template <class Visit>
void ShadowTables::for_each_superpage(u64 frame, Visit visit) {
    for (unsigned level = 1; level <= kRegionLevels; ++level) {
        u32 next = kNoSlot;
        for (u32 slot = region(Gpa{frame << kPageShift}, level).leaves; slot != kNoSlot; slot = next) {
            next = links_[slot].next;
            visit(slot / kPtesPerTable, slot % kPtesPerTable);
        }
    }
}

void ShadowTables::protect(u64 frame) {
    for (u32 slot = info(frame).leaves; slot != kNoSlot; slot = links_[slot].next) {
        const u32 number = slot / kPtesPerTable;
        const unsigned index = slot % kPtesPerTable;
        const Pte leaf = entry(number, index);
        if (leaf.raw & kWritable) write(number, index, Pte{{leaf.raw & ~kWritable}});
    }
    // A superpage goes as a whole and comes back in pieces, as its parts are touched.
    for_each_superpage(frame, [this](u32 number, unsigned index) {
        if (entry(number, index).get(Pte::W)) drop(number, index);
    });
}

void ShadowTables::begin_copy(u64 frame) {
    const u32 copy = copies_.next();
    if (copies_.source(copy) != CodeCopies::kFree) drop_copy(ram_.base().frame() + copies_.source(copy));
    copies_.claim(copy, static_cast<u32>(frame - ram_.base().frame()));
    info(frame).copy = static_cast<u16>(copy);
    count_copy(frame, +1);

    for (u32 slot = info(frame).leaves; slot != kNoSlot; slot = links_[slot].next) {
        const u32 number = slot / kPtesPerTable;
        const unsigned index = slot % kPtesPerTable;
        const Pte leaf = entry(number, index);
        const u64 taken = leaf.get(Pte::X) && shows_copies(pages_[number]) ? kWritable | Pte::R.mask : kWritable;
        if (leaf.raw & taken) write(number, index, Pte{{leaf.raw & ~taken}});
    }
    for_each_superpage(frame, [this](u32 number, unsigned index) {
        const Pte leaf = entry(number, index);
        if (leaf.get(Pte::W) || (leaf.get(Pte::X) && shows_copies(pages_[number]))) drop(number, index);
    });
}

void ShadowTables::publish_copy(u64 frame) {
    for (u32 slot = info(frame).leaves; slot != kNoSlot; slot = links_[slot].next) {
        const u32 number = slot / kPtesPerTable;
        const unsigned index = slot % kPtesPerTable;
        const Pte leaf = entry(number, index);
        if (!leaf.get(Pte::X) || !shows_copies(pages_[number])) continue;
        write(number, index, host_leaf(copy_address(frame), Pte::X.mask, leaf.raw & Pte::PBMT.mask));
    }
}

void ShadowTables::drop_copy(u64 frame) {
    FrameInfo& f = info(frame);
    u32 next = kNoSlot;
    for (u32 slot = f.leaves; slot != kNoSlot; slot = next) {
        next = links_[slot].next;
        const u32 number = slot / kPtesPerTable;
        const unsigned index = slot % kPtesPerTable;
        if (is_copy(entry(number, index))) drop(number, index);
    }
    copies_.free(f.copy);
    count_copy(frame, -1);
    f.copy = kNoCopy;
}

void ShadowTables::count_copy(u64 frame, int change) {
    const Gpa gpa{frame << kPageShift};
    for (unsigned level = 1; level <= kRegionLevels; ++level) region(gpa, level).copies += static_cast<u32>(change);
}

}  // namespace uc
