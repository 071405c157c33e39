// SPDX-License-Identifier: MIT
#pragma once
// The shadow pages of a guest and all that ties them together: entries, reverse maps, page lists, write protection,
// copies of code.

#include "mm/code_copies.hpp"
#include "mm/frame_pool.hpp"
#include "mm/guest_ram.hpp"
#include "mm/relaxed.hpp"
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

    [[nodiscard]] static u64 metadata_size(u64 ram_size, u32 max_pages, u32 max_copies);

    /// `code` is where copies of code go, at `code_base` on the bus.
    ShadowTables(GuestRam& ram, FramePool& pool, unsigned host_levels, std::span<std::byte> code, Hpa code_base,
                 std::span<std::byte> metadata);
    ShadowTables(const ShadowTables&) = delete;
    ShadowTables& operator=(const ShadowTables&) = delete;

    // Pages.
    [[nodiscard]] ShadowPage& page(u32 number) { return pages_[number]; }
    [[nodiscard]] const ShadowPage& page(u32 number) const { return pages_[number]; }
    [[nodiscard]] Hpa address(u32 number) const { return pool_.hpa(number); }
    [[nodiscard]] u32 max_pages() const { return pool_.capacity(); }
    [[nodiscard]] u32 pages_in_use() const { return pool_.capacity() - free_pages(); }
    /// How many are not in use, retired ones among them.
    [[nodiscard]] u32 free_pages() const { return pool_.available() + retired_count_; }
    [[nodiscard]] u32 find(PageKey key) const;
    /// An empty page, or kNoPage when the pool is exhausted, be it because pages are retired. A Table page of a frame
    /// that is out of step is born out of step; the first Table page of a frame is not: the caller protects the frame.
    [[nodiscard]] u32 create(PageKey key);
    /// Removes a page with all its entries and all pointers to it. Owes a flush of everything. Harts may walk into the
    /// frame until then: it is retired, and stays empty but for the window.
    void destroy(u32 number);
    /// Gives the frames of retired pages back to the pool. To be called when no hart remembers pointers to them.
    void release_retired();
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
    /// The guest's memory that a leaf shows, be it through a copy.
    [[nodiscard]] Gpa shown_by(Pte leaf) const {
        const Hpa target = host_target(leaf);
        if (!copies_.contains(target)) return ram_.gpa(target);
        return ram_.base() + u64{copies_.source(copies_.index(target))} * kPageSize;
    }
    /// Empties an entry. Owes a flush.
    void drop(u32 number, unsigned index);
    void drop_entries(u32 number);

    struct Leaf {
        Pte pte;
        unsigned level = 0;
    };
    /// The leaf that hardware finds for `va` from the root `root`; nullopt: there is none of a guest's.
    [[nodiscard]] std::optional<Leaf> leaf_at(u32 root, Gva va) const {
        constexpr u64 kKind = Pte::V.mask | Pte::R.mask | Pte::W.mask | Pte::X.mask | Pte::RSW.mask;
        const std::byte* table = pool_.frame(root);
        for (unsigned level = host_levels_ - 1;; --level) {
            const u64* const at = reinterpret_cast<const u64*>(table) + pte_index(va.raw, level);
            const Pte pte{{__atomic_load_n(at, __ATOMIC_RELAXED)}};
            if ((pte.raw & kKind) != Pte::V.mask) {
                if (pte.raw == 0 || is_foreign(pte)) return std::nullopt;
                return Leaf{pte, level};
            }
            table = pool_.frame(host_target(pte));
        }
    }

    // Guest memory in use as page tables.
    /// Whether stores to `frame` must be seen: it has Table pages in step with it, or a copy.
    [[nodiscard]] bool is_protected(u64 frame) const;
    /// Whether any frame in the region of `level` (1 or 2) around `gpa` has Table pages.
    [[nodiscard]] bool has_tables(Gpa gpa, unsigned level) const { return region(gpa, level).tables != 0; }
    // Copies of code. A frame never has both a copy and Table pages.
    [[nodiscard]] bool has_copy(u64 frame) const { return info(frame).copy != kNoCopy; }
    /// Whether any frame in the region of `level` (1 or 2) around `gpa` has a copy.
    [[nodiscard]] bool has_copies(Gpa gpa, unsigned level) const { return region(gpa, level).copies != 0; }
    /// Whether a leaf in `page` that may be executed shows the copy of a frame that has one.
    [[nodiscard]] static bool shows_copies(const ShadowPage& page) { return !page.key.is_user(); }
    [[nodiscard]] Hpa copy_address(u64 frame) const { return copies_.hpa(info(frame).copy); }
    [[nodiscard]] bool is_copy(Pte leaf) const { return copies_.contains(host_target(leaf)); }
    [[nodiscard]] u32 copies_in_use() const { return copies_.in_use(); }
    [[nodiscard]] bool can_copy() const { return copies_.capacity() != 0; }
    // A copy is made in steps, between which other harts may have to forget what was. Only begin_copy() owes a flush,
    // of everything: after it no TLB grants more than the leaves do at the end.
    /// Gives a frame, which has neither copy nor Table pages, a place for its copy, perhaps that of another. From now
    /// on no leaf grants stores to the frame, and those that may execute it, in views that show copies, nothing else.
    void begin_copy(u64 frame);
    /// Fills it. Until here no hart may execute what the place held before, nor store to the frame.
    void fill_copy(u64 frame) { copies_.fill(info(frame).copy, ram_.pointer(Gpa{frame << kPageShift}, kPageSize)); }
    /// Leads the leaves to it. Until here every hart that may execute it has done fence.i.
    void publish_copy(u64 frame);
    /// Gives up the copy of `frame`, and all leaves that show it. Owes a flush of everything.
    void drop_copy(u64 frame);
    /// What stands at `gpa`, which is even and whose frame has a copy, in that.
    [[nodiscard]] u16 copied_parcel(Gpa gpa) const { return copies_.parcel(info(gpa.frame()).copy, gpa.page_offset()); }
    /// Puts an ecall in the place of the instruction at `gpa`, whose frame has a copy.
    void replace(Gpa gpa) { copies_.replace(info(gpa.frame()).copy, gpa.page_offset()); }
    /// Changes when a copy, or a part of some tree that may lead to one, goes away.
    [[nodiscard]] u64 copies_epoch() const { return copies_epoch_; }
    /// Remembers that the guest would not have `frame` copied: how often, up to a limit, copy_drops() tells.
    void count_drop(u64 frame) {
        if (u16& drops = info(frame).drops; drops != kMostDrops) ++drops;
    }
    [[nodiscard]] u16 copy_drops(u64 frame) const { return info(frame).drops; }

    /// Takes write access to `frame` from all leaves. Owes a flush of everything.
    void protect(u64 frame);
    void mark_unsync(u32 number);
    void mark_synced(u32 number);

    // Pages out of step, in buckets by level and address, so that a fence of one address looks at few.
    static constexpr unsigned kBucketsPerLevel = 32;
    static constexpr unsigned kBuckets = 5 * kBucketsPerLevel;
    /// Number of the region around `va` that one page at `level` translates.
    [[nodiscard]] u64 region_of(unsigned level, Gva va) const { return (va.raw & va_mask_) >> level_shift(level + 1); }
    /// Where a page at `level` that translates a region is listed. Higher levels have higher buckets.
    [[nodiscard]] static unsigned bucket_of(unsigned level, u64 region) {
        return level * kBucketsPerLevel + static_cast<unsigned>(region % kBucketsPerLevel);
    }
    [[nodiscard]] u32 first_unsync(unsigned bucket) const { return unsync_[bucket]; }
    [[nodiscard]] u32 unsync_pages() const { return unsync_count_; }
    /// The levels that they are at, as a bit set.
    [[nodiscard]] unsigned unsync_levels() const { return unsync_levels_; }
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
    static constexpr u16 kNoCopy = 0xffff;
    static constexpr u16 kMostDrops = 0xffff;
    struct FrameInfo {
        u32 leaves = kNoSlot;  ///< chain of 4 KiB leaves that show it
        u32 pages = kNoPage;   ///< list of pages whose key has this frame
        u16 copy = kNoCopy;
        u16 drops = 0;  ///< of copies, because of the guest
    };
    struct RegionInfo {
        u32 leaves = kNoSlot;  ///< chain of superpage leaves that map it
        u32 tables = 0;        ///< frames inside that have Table pages
        u32 copies = 0;        ///< frames inside that have a copy
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
    [[nodiscard]] FrameInfo& info(u64 frame) const { return frames_[frame - ram_.base().frame()]; }
    [[nodiscard]] u32* page_list(u64 frame);
    [[nodiscard]] u32* chain_of(u32 number, Pte pte);
    void count_table(u64 frame, int change);
    void count_copy(u64 frame, int change);
    template <class Visit>
    void for_each_superpage(u64 frame, Visit visit);
    void chain(u32* head, u32 slot);
    void unchain(u32* head, u32 slot);
    void place(u32 number, Gva va);
    [[nodiscard]] bool check_entry(u32 number, unsigned index) const;

    GuestRam& ram_;
    FramePool& pool_;
    unsigned host_levels_;
    u64 va_mask_;  ///< address bits that the host translates
    ShadowPage* pages_;
    Link* links_;        ///< by slot
    FrameInfo* frames_;  ///< by frame of guest memory
    std::array<RegionInfo*, kRegionLevels> regions_{};
    u32 elsewhere_ = kNoPage;  ///< pages whose key has no frame of memory
    CodeCopies copies_;
    Relaxed<u64> copies_epoch_ = 1;
    u32 retired_ = kNoPage;  ///< first of a list by ShadowPage::next
    u32 retired_count_ = 0;
    u32 unsync_count_ = 0;
    std::array<u32, 5> unsync_at_level_{};
    unsigned unsync_levels_ = 0;
    bool aliased_ = false;
    std::array<u32, kBuckets> unsync_{};
};

}  // namespace uc
