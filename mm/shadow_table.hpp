// SPDX-License-Identifier: MIT
#pragma once
// The shadow pages of a guest and all that ties them together: entries, reverse maps, page lists, write protection.

#include "mm/frame_pool.hpp"
#include "mm/guest_ram.hpp"
#include "mm/shadow_page.hpp"

#include <array>
#include <optional>
#include <span>

namespace uc {

/// Storage and structure, no policy: it never reads the guest's tables. A *slot* names one entry of one page: page *
/// 512 + index. Every entry in use is on exactly one chain: leaves on that of the guest memory they map, pointers on
/// that of their child.
class ShadowTables {
  public:
    static constexpr unsigned kRegionLevels = 2;  ///< leaves of 2 MiB and 1 GiB; larger guest leaves are split

    [[nodiscard]] static u64 metadata_size(u64 ram_size, u32 max_pages);

    ShadowTables(GuestRam& ram, FramePool& pool, unsigned host_levels, std::span<std::byte> metadata);
    ShadowTables(const ShadowTables&) = delete;
    ShadowTables& operator=(const ShadowTables&) = delete;

    // Pages.
    [[nodiscard]] ShadowPage& page(u32 number) { return pages_[number]; }
    [[nodiscard]] const ShadowPage& page(u32 number) const { return pages_[number]; }
    [[nodiscard]] Hpa address(u32 number) const { return pool_.hpa(number); }
    [[nodiscard]] u32 max_pages() const { return pool_.capacity(); }
    [[nodiscard]] u32 pages_in_use() const { return pool_.capacity() - pool_.available(); }
    [[nodiscard]] u32 find(PageKey key) const;
    /// An empty page, or kNoPage when the pool is exhausted. A Table page of a frame that is out of step is born out of
    /// step; the first Table page of a frame is not: the caller protects the frame.
    [[nodiscard]] u32 create(PageKey key);
    /// Removes a page with all its entries and all pointers to it. Owes a flush of everything.
    void destroy(u32 number);
    /// First page of the list that pages with this frame are on, continued by ShadowPage::next.
    [[nodiscard]] u32 first_page(u64 frame) const { return *const_cast<ShadowTables*>(this)->page_list(frame); }
    /// First Table page among them: all of a frame's Table pages are in step or none is.
    [[nodiscard]] u32 first_table(u64 frame) const;
    [[nodiscard]] static bool is_table_of(const ShadowPage& page, u64 frame) {
        return page.key.kind() == PageKind::Table && page.key.frame() == frame;
    }

    // Entries.
    [[nodiscard]] Pte entry(u32 number, unsigned index) const {
        return {{__atomic_load_n(&raw(number)[index], __ATOMIC_RELAXED)}};
    }
    /// Sets an entry that no chain knows: the window's.
    void set_foreign(u32 number, unsigned index, Pte pte) { write(number, index, pte.set(Pte::RSW, 1)); }
    /// Whether an entry is the window's. RSW is software's to use (Privileged 1.12, 4.3.1).
    [[nodiscard]] static bool is_foreign(Pte pte) { return pte.get(Pte::RSW) != 0; }
    /// The page that a pointer leads to.
    [[nodiscard]] u32 child(Pte pointer) const { return pool_.index(host_target(pointer)); }
    /// Fills an empty entry.
    void set_leaf(u32 number, unsigned index, Pte leaf);
    /// Points an empty entry at `child`, reached at `va`.
    void set_pointer(u32 number, unsigned index, u32 child, Gva va);
    /// Changes the rights of a leaf, not what it maps.
    void set_rights(u32 number, unsigned index, Pte leaf) { write(number, index, leaf); }
    /// Empties an entry. Owes a flush.
    void drop(u32 number, unsigned index);
    void drop_entries(u32 number);

    // Guest memory in use as page tables.
    /// Whether stores to `frame` must be seen: it has Table pages in step with it.
    [[nodiscard]] bool is_protected(u64 frame) const;
    /// Whether any frame in the region of `level` (1 or 2) around `gpa` has Table pages.
    [[nodiscard]] bool has_tables(Gpa gpa, unsigned level) const { return region(gpa, level).tables != 0; }
    /// Takes write access to `frame` from all leaves. Owes a flush of everything.
    void protect(u64 frame);
    void mark_unsync(u32 number);
    void mark_synced(u32 number);

    // Pages out of step, in buckets by level and address, so that a fence of one address looks at few.
    static constexpr unsigned kBucketsPerLevel = 32;
    static constexpr unsigned kBuckets = 5 * kBucketsPerLevel;
    /// Where a page at `level` that translates `va` is listed. Higher levels have higher buckets.
    [[nodiscard]] unsigned bucket_of(unsigned level, Gva va) const {
        const u64 region = (va.raw & va_mask_) >> level_shift(level + 1);
        return level * kBucketsPerLevel + static_cast<unsigned>(region % kBucketsPerLevel);
    }
    [[nodiscard]] u32 first_unsync(unsigned bucket) const { return unsync_[bucket]; }
    [[nodiscard]] u32 unsync_pages() const { return unsync_count_; }
    /// Whether some page was ever reachable at two addresses at once: then ShadowPage::va does not tell where a page
    /// translates.
    [[nodiscard]] bool aliased() const { return aliased_; }
    /// Whether `va` lies in the region that a page translates, as far as ShadowPage::va tells.
    [[nodiscard]] bool translates(const ShadowPage& page, Gva va) const {
        return (((page.va.raw ^ va.raw) & va_mask_) >> level_shift(page.key.level() + 1)) == 0;
    }

    /// Whether lists, chains, counts and protection agree with each other and with the entries.
    [[nodiscard]] bool check_structure() const;

  private:
    struct Link {
        u32 next;
        u32 prev;
    };
    struct FrameInfo {
        u32 leaves;  ///< chain of 4 KiB leaves that map it
        u32 pages;   ///< list of pages whose key has this frame
    };
    struct RegionInfo {
        u32 leaves;  ///< chain of superpage leaves that map it
        u32 tables;  ///< frames inside that have Table pages
    };

    /// Regions of `level` that a memory of `size` bytes can touch, wherever it begins.
    [[nodiscard]] static constexpr u64 region_count(u64 size, unsigned level) {
        return (size >> level_shift(level)) + 2;
    }
    [[nodiscard]] u64* raw(u32 number) const { return reinterpret_cast<u64*>(pool_.frame(number)); }
    /// Release order: whoever walks into a new page finds it filled.
    void write(u32 number, unsigned index, Pte pte) {
        __atomic_store_n(&raw(number)[index], pte.raw, __ATOMIC_RELEASE);
    }
    [[nodiscard]] RegionInfo& region(Gpa gpa, unsigned level) const {
        return regions_[level - 1][(gpa.raw >> level_shift(level)) - (ram_.base().raw >> level_shift(level))];
    }
    [[nodiscard]] u32* page_list(u64 frame);
    [[nodiscard]] u32* chain_of(u32 number, Pte pte);
    void count_table(u64 frame, int change);
    void chain(u32* head, u32 slot);
    void unchain(u32* head, u32 slot);
    void place(u32 number, Gva va);
    [[nodiscard]] bool check_entry(u32 number, unsigned index) const;

    GuestRam& ram_;
    FramePool& pool_;
    u64 va_mask_;  ///< address bits that the host translates
    ShadowPage* pages_;
    Link* links_;        ///< by slot
    FrameInfo* frames_;  ///< by frame of guest memory
    std::array<RegionInfo*, kRegionLevels> regions_{};
    u32 elsewhere_ = kNoPage;  ///< pages whose key has no frame of memory
    u32 unsync_count_ = 0;
    bool aliased_ = false;
    std::array<u32, kBuckets> unsync_{};
};

}  // namespace uc
