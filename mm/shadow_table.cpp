// SPDX-License-Identifier: MIT
// Pages: creation, removal, lists by frame, buckets of pages out of step.
#include "mm/shadow_table.hpp"

#include <new>

namespace uc {

u64 ShadowTables::metadata_size(u64 ram_size, u32 max_pages, u32 max_copies) {
    u64 size = max_pages * (sizeof(ShadowPage) + kPtesPerTable * sizeof(Link));
    size += align_up(max_copies * sizeof(u32), 8);
    size += (ram_size >> kPageShift) * sizeof(FrameInfo);
    for (unsigned level = 1; level <= kRegionLevels; ++level)
        size += region_count(ram_size, level) * sizeof(RegionInfo);
    return size;
}

ShadowTables::ShadowTables(GuestRam& ram, FramePool& pool, unsigned host_levels, std::span<std::byte> code,
                           Hpa code_base, std::span<std::byte> metadata)
    : ram_(ram),
      pool_(pool),
      host_levels_(host_levels),
      va_mask_((1ull << level_shift(host_levels)) - 1),
      copies_(code, code_base, reinterpret_cast<u32*>(metadata.data())) {
    std::byte* at = metadata.data() + align_up(copies_.capacity() * sizeof(u32), 8);
    const auto carve = [&at]<class T>(u64 count, const T& initial) {
        T* const array = reinterpret_cast<T*>(at);
        for (u64 i = 0; i < count; ++i) new (&array[i]) T(initial);
        at += count * sizeof(T);
        return array;
    };
    pages_ = carve(pool.capacity(), ShadowPage{});
    links_ = reinterpret_cast<Link*>(at);  // each is written before it is read
    at += u64{pool.capacity()} * kPtesPerTable * sizeof(Link);
    frames_ = carve(ram.size() >> kPageShift, FrameInfo{});
    for (unsigned level = 1; level <= kRegionLevels; ++level) {
        regions_[level - 1] = carve(region_count(ram.size(), level), RegionInfo{});
    }
    unsync_.fill(kNoPage);
}

u32* ShadowTables::page_list(u64 frame) {
    const u64 number = frame - ram_.base().frame();
    return number < ram_.size() >> kPageShift ? &frames_[number].pages : &elsewhere_;
}

u32 ShadowTables::find(PageKey key) const {
    u32 number = first_page(key.frame());
    while (number != kNoPage && pages_[number].key != key) number = pages_[number].next;
    return number;
}

u32 ShadowTables::first_table(u64 frame) const {
    u32 number = first_page(frame);
    while (number != kNoPage && !is_table_of(pages_[number], frame)) number = pages_[number].next;
    return number;
}

u32 ShadowTables::create(PageKey key) {
    const std::byte* memory = pool_.allocate();
    if (!memory) return kNoPage;
    const u32 number = pool_.index(memory);
    const u32 sibling = key.kind() == PageKind::Table ? first_table(key.frame()) : kNoPage;

    ShadowPage& page = pages_[number];
    u32* const list = page_list(key.frame());
    page = ShadowPage{};
    page.key = key;
    page.in_use = page.referenced = true;
    page.next = *list;
    if (page.next != kNoPage) pages_[page.next].prev = number;
    *list = number;

    if (key.kind() != PageKind::Table) return number;
    if (sibling == kNoPage) {
        count_table(key.frame(), +1);
    } else if (pages_[sibling].unsync) {
        mark_unsync(number);
        page.open = pages_[sibling].open;
    }
    return number;
}

void ShadowTables::destroy(u32 number) {
    ShadowPage& page = pages_[number];
    while (page.parents != kNoSlot) drop(page.parents / kPtesPerTable, page.parents % kPtesPerTable);
    drop_entries(number);
    if (page.unsync) mark_synced(number);

    (page.prev == kNoPage ? *page_list(page.key.frame()) : pages_[page.prev].next) = page.next;
    if (page.next != kNoPage) pages_[page.next].prev = page.prev;
    page.in_use = false;
    if (page.key.kind() == PageKind::Table && first_table(page.key.frame()) == kNoPage) {
        count_table(page.key.frame(), -1);
    }
    page.next = retired_;
    retired_ = number;
    ++retired_count_;
}

void ShadowTables::release_retired() {
    for (; retired_ != kNoPage; --retired_count_) {
        std::byte* const frame = pool_.frame(retired_);
        retired_ = pages_[retired_].next;
        pool_.free(frame);
    }
}

void ShadowTables::count_table(u64 frame, int change) {
    const Gpa gpa{frame << kPageShift};
    for (unsigned level = 1; level <= kRegionLevels; ++level) region(gpa, level).tables += static_cast<u32>(change);
}

void ShadowTables::mark_unsync(u32 number) {
    ShadowPage& page = pages_[number];
    page.unsync = true;
    page.unsync_region = region_of(page.key.level(), page.va);
    page.bucket = static_cast<u8>(bucket_of(page.key.level(), page.unsync_region));
    u32& head = unsync_[page.bucket];
    page.unsync_prev = kNoPage;
    page.unsync_next = head;
    if (head != kNoPage) pages_[head].unsync_prev = number;
    head = number;
    ++unsync_count_;
    ++unsync_at_level_[page.key.level()];
    unsync_levels_ |= 1u << page.key.level();
}

void ShadowTables::mark_synced(u32 number) {
    ShadowPage& page = pages_[number];
    page.unsync = false;
    (page.unsync_prev == kNoPage ? unsync_[page.bucket] : pages_[page.unsync_prev].unsync_next) = page.unsync_next;
    if (page.unsync_next != kNoPage) pages_[page.unsync_next].unsync_prev = page.unsync_prev;
    --unsync_count_;
    if (--unsync_at_level_[page.key.level()] == 0) unsync_levels_ &= ~(1u << page.key.level());
}

}  // namespace uc
