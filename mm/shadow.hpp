// SPDX-License-Identifier: MIT
#pragma once
// The shadow MMU of one guest: host page tables that show what the guest's own tables say. docs/shadow-mmu.md explains
// it.

#include "isa/cause.hpp"
#include "isa/csr.hpp"
#include "isa/pte.hpp"
#include "mm/frame_pool.hpp"
#include "mm/guest_ram.hpp"
#include "mm/guest_walk.hpp"
#include "mm/host_asid.hpp"
#include "mm/relaxed.hpp"
#include "mm/shadow_page.hpp"
#include "mm/shadow_table.hpp"
#include "mm/tlb_flush.hpp"

#include <array>
#include <optional>
#include <span>

namespace uc {

/// The hypervisor's part of every root: root entries copied as they are (supervisor-only, global) to the same slots.
struct Window {
    SatpMode host_mode = SatpMode::Sv39;  ///< of every shadow root; at least the guest's largest mode
    unsigned first_slot = 0;
    unsigned slots = 0;
    const Pte* entries = nullptr;  ///< `slots` of them; must outlive the Shadow and never change
};

struct ShadowOptions {
    Window window;
    unsigned vcpus = 1;
    TlbFlusher* flusher = nullptr;  ///< needed with more than one vCPU; must outlive the Shadow
    u16 host_asid_bits = 0;         ///< 0: roots share ASID 0, and each change of root owes a flush
    u16 host_asid_first = 1;        ///< guests that share a hart must not share ASIDs: each gets a range of its own
    u16 host_asid_last = 0xffff;    ///< cut to what `host_asid_bits` can express
    bool update_ad = false;         ///< see WalkMode
    bool svpbmt = false;            ///< guest and host have it: memory types are passed through
    bool svnapot = false;           ///< the guest has it; the shadow uses 4 KiB entries
    std::span<std::byte> code;      ///< where copies of code go, aligned to 4 KiB; empty: instructions are not replaced
    Hpa code_base;                  ///< `code` on the bus
    unsigned prefill = 16;  ///< entries of an aligned batch filled along with a faulting one, a power of two; 0: none
};

/// What happened so far; for `stats` and for tests.
struct ShadowStats {
    u64 fills = 0;             ///< faults that made or changed a mapping
    u64 prefills = 0;          ///< neighbours filled along with them
    u64 spurious = 0;          ///< faults on mappings that already allowed the access
    u64 unsyncs = 0;           ///< guest tables given up to unobserved stores
    u64 resyncs = 0;           ///< guest tables compared and protected again
    u64 drops = 0;             ///< entries that a fence found outdated
    u64 reclaims = 0;          ///< shadow pages taken back for want of memory
    u64 window_conflicts = 0;  ///< accesses to guest pages that lie under the hypervisor's window
    u64 asid_rollovers = 0;
    u64 copies = 0;        ///< guest pages copied to replace instructions in them
    u64 copy_drops = 0;    ///< copies given up because the guest read or wrote the page
    u64 replacements = 0;  ///< instructions replaced
};

/// Shadow page tables of one guest, shared by its vCPUs. Every method but those that say otherwise is called under the
/// guest's lock, by a hart that is not in the guest, and the flush it returns is discharged on all harts that it
/// concerns before the lock is released; memory of the guest itself may change at any time. Nothing is allocated
/// outside the pool and the metadata given at construction.
class Shadow {
  public:
    /// What the hardware must show while a vCPU runs: part of its architectural state.
    struct View {
        Satp satp;
        Priv priv = Priv::S;
        bool sum = false;
        bool mxr = false;
        friend constexpr bool operator==(const View&, const View&) = default;
    };
    struct Activation {
        u64 host_satp = 0;
        TlbFlush flush;  ///< owed before the vCPU runs
    };
    struct FaultResult {
        enum class Kind : u8 {
            Retry,   ///< the access may now succeed
            Inject,  ///< the guest's own fault: raise `cause` with the faulting address as tval
            Device,  ///< the translation is good, but `gpa` is not memory
        };
        Kind kind = Kind::Retry;
        Cause cause{};                 ///< for Inject
        bool window_conflict = false;  ///< Inject, though the guest has a page there: it lies under the window
        Gpa gpa{};                     ///< for Retry and Device
        TlbFlush flush{};
    };
    using Entry = ShadowTables::Leaf;

    /// Bytes of metadata for a guest with `ram_size` bytes of memory, a pool of `max_pages` frames and room for
    /// `max_copies` copies of code.
    [[nodiscard]] static u64 metadata_size(u64 ram_size, u32 max_pages, unsigned vcpus = 1, u32 max_copies = 0);
    /// The least frames with which every access can make progress: one tree from root to leaf, one to spare, and the
    /// roots that may not be taken. With one vCPU that is the one it runs on, with several all that they remember.
    [[nodiscard]] static constexpr u32 min_pages(unsigned vcpus) {
        return 6 + (vcpus == 1 ? 1 : vcpus * static_cast<u32>(kViewSlots));
    }

    /// `pool` serves this Shadow alone and holds at least `min_pages`; `metadata` is aligned to 8 and at least
    /// `metadata_size(...)` long for all of these. All must outlive the object.
    Shadow(GuestRam& ram, FramePool& pool, const ShadowOptions& options, std::span<std::byte> metadata);
    Shadow(const Shadow&) = delete;
    Shadow& operator=(const Shadow&) = delete;

    /// The root for `vcpu` (0..vcpus-1) to run with. Called before every entry whose view may differ from the last
    /// one's, after every write to satp, and after every fence that another hart asked for; costs little when nothing
    /// changed. The hart's satp is set, and only then what is owed discharged, before the lock is released. A satp that
    /// the vCPU has not used lately with that ASID sees fresh tables, as the architecture promises for an ASID never
    /// used before.
    [[nodiscard]] Activation activate(unsigned vcpu, const View& view) {
        if (const auto known = try_activate(vcpu, view)) return *known;
        return activate_slow(vcpus_[vcpu], view, view_slot(view));
    }
    /// The same without the lock, where the answer is known: nullopt asks for activate(). Called by the hart that runs
    /// `vcpu` while it counts as in the guest; its satp is set before it does so no more.
    [[nodiscard]] std::optional<Activation> try_activate(unsigned vcpu, const View& view) {
        Vcpu& v = vcpus_[vcpu];
        const unsigned slot = view_slot(view);
        const u64 host_satp = v.host_satp[slot];
        if (view.satp.raw != v.satp.raw || host_satp == 0) [[unlikely]]
            return std::nullopt;
        return enter(v, slot, host_satp);
    }

    /// Answers a page fault (or an access fault) that hardware raised for `gva` while `vcpu` ran in `view`.
    [[nodiscard]] FaultResult handle_fault(unsigned vcpu, const View& view, Gva gva, Access access);

    /// sfence.vma, sinval.vma or a remote fence: nullopt stands for x0. Afterwards what it names is as the guest's
    /// tables say.
    [[nodiscard]] TlbFlush fence(std::optional<Gva> va, std::optional<u16> asid);

    /// Tells of stores to guest memory that no hart of the guest made (devices, firmware calls, loaders).
    [[nodiscard]] TlbFlush memory_written(Gpa gpa, u64 size);

    /// The guest's own translation, with every effect it has on accessed and dirty bits. `flush` is merged into.
    [[nodiscard]] std::expected<Translation, Cause> translate(const View& view, Gva gva, Access access, TlbFlush& flush,
                                                              TablePath* path = nullptr);

    /// `vcpu`, a supervisor, has trapped on the instruction `insn` (four bytes) at `pc`, which was emulated: from now
    /// on it is to find an ecall there instead, if that can be done. docs/replacing.md.
    [[nodiscard]] TlbFlush replace(unsigned vcpu, Gva pc, u32 insn);
    /// `vcpu`, a supervisor, has trapped on the illegal instruction `insn` (0: the hart does not tell) at `pc`. True if
    /// it is not the guest's: half of an ecall that something else was replaced by. What holds it is given up then, and
    /// the guest to try again.
    [[nodiscard]] bool undo_replacement(unsigned vcpu, Gva pc, u32 insn, TlbFlush& flush);
    /// The guest's own instruction at `pc`, if the running supervisor `vcpu` executes it from a copy; else kEcall, for
    /// then what it executed is its own.
    [[nodiscard, gnu::noinline]] u32 original(unsigned vcpu, Gva pc);
    /// The same without the lock, where the answer is known: nullopt asks for original(). Called by the hart that runs
    /// `vcpu` while it counts as in the guest.
    [[nodiscard]] std::optional<u32> known_original(unsigned vcpu, Gva pc) const {
        const Vcpu& v = vcpus_[vcpu];
        const Site& site = v.sites[site_index(pc)];
        if (site.pc != pc || site.stamp != site_stamp(v)) [[unlikely]]
            return std::nullopt;
        return site.insn;
    }

    /// The shadow entry that hardware would find for `gva`; nullopt when there is none. Changes nothing.
    [[nodiscard]] std::optional<Entry> lookup(const View& view, Gva gva) const;

    /// The guest's memory that a leaf shows, be it through a copy.
    [[nodiscard]] Gpa shown_by(Pte leaf) const { return tables_.shown_by(leaf); }

    /// How the guest's tables are to be read for `view`.
    [[nodiscard]] WalkMode walk_mode(const View& view) const {
        return {.satp = view.satp,
                .priv = view.priv,
                .sum = view.sum,
                .mxr = view.mxr,
                .update_ad = options_.update_ad,
                .svpbmt = options_.svpbmt,
                .svnapot = options_.svnapot};
    }
    /// Whether roots have ASIDs of their own.
    [[nodiscard]] bool has_asids() const { return asids_.any(); }
    [[nodiscard]] SatpMode host_mode() const { return options_.window.host_mode; }
    [[nodiscard]] const ShadowStats& stats() const { return stats_; }
    /// Shadow pages in use, each one frame of the pool.
    [[nodiscard]] u32 pages_in_use() const { return tables_.pages_in_use(); }
    /// Copies of code in use.
    [[nodiscard]] u32 copies_in_use() const { return tables_.copies_in_use(); }

    /// Whether the data structure is whole and shows nothing that synchronised guest tables do not grant. Slow, for
    /// tests.
    [[nodiscard]] bool check_invariants() const;

  private:
    static constexpr unsigned kViewSlots = 2 * kViewKinds;
    static constexpr unsigned kKnownSpaces = 64;
    static constexpr unsigned kSites = 512;

    /// A place in a copy of code and what the guest has there, remembered for as long as `stamp` is current.
    struct Site {
        Gva pc;
        u64 stamp = 0;
        u32 insn = 0;
    };

    /// Written by the hart that runs the vCPU, under the lock but for `current` and `active`; others, under the lock,
    /// read `root` and `active`, and set `host_satp` to 0 (shadow.cpp tells why that is right).
    struct Vcpu {
        Satp satp;                                         ///< whose roots are cached below
        std::array<Relaxed<u64>, kViewSlots> host_satp{};  ///< 0: not looked up since satp changed
        std::array<u32, kViewSlots> root{};                ///< the page behind each
        u64 current = 0;                                   ///< host satp handed out last
        Relaxed<u64> active = kNoPage;                     ///< its page, never reclaimed; a doubleword loads faster
        u16 kept_asid = 0;                       ///< what it ran with when this generation of ASIDs began; 0: none
        std::array<Satp, kKnownSpaces> known{};  ///< by ASID: the satp last used with it
        std::array<Site, kSites> sites{};        ///< by site_index

        void forget_roots() {
            for (auto& satp : host_satp) satp = 0;
        }
    };
    /// One fault being filled.
    struct Fill;

    [[nodiscard]] static unsigned view_slot(const View& view) {
        return static_cast<unsigned>(view_kind(view.priv, view.sum)) + (view.mxr ? kViewKinds : 0);
    }
    [[nodiscard]] Activation enter(Vcpu& v, unsigned slot, u64 host_satp) {
        TlbFlush flush{};
        if (host_satp != v.current) {
            if (!asids_.any()) flush = TlbFlush::local_asid(0);
            v.current = host_satp;
            v.active = v.root[slot];
        }
        return {host_satp, flush};
    }

    /// What `vcpu` finds at `va` with the root it ran on last.
    [[nodiscard]] std::optional<Entry> running_leaf(const Vcpu& v, Gva va) const {
        if (v.active == kNoPage) return std::nullopt;
        return tables_.leaf_at(static_cast<u32>(v.active), va);
    }
    [[nodiscard]] static unsigned site_index(Gva pc) { return (pc.raw >> 1 ^ pc.raw >> 10) % kSites; }
    /// What a Site depends on: the root, and no copy having left any tree since.
    [[nodiscard]] u64 site_stamp(const Vcpu& v) const { return tables_.copies_epoch() << 24 ^ v.active; }
    [[nodiscard]] bool is_representable(Satp satp) const { return levels(satp.mode()) <= host_levels_; }
    [[nodiscard]] bool in_window(unsigned slot) const {
        return slot - options_.window.first_slot < options_.window.slots;
    }

    // shadow.cpp: address spaces, roots, memory.
    [[nodiscard]] Activation activate_slow(Vcpu& v, const View& view, unsigned slot);
    [[nodiscard]] TlbFlush adopt(Vcpu& v, Satp satp);
    [[nodiscard]] PageKey guest_key(const View& view, PageKind kind, Gpa table, unsigned level, Half half) const;
    [[nodiscard]] PageKey root_key(const View& view) const;
    [[nodiscard]] u32 make_root(const View& view, TlbFlush& flush);
    [[nodiscard]] u32 make_page(PageKey key, TlbFlush& flush);
    /// Whether other harts may be in the guest meanwhile.
    [[nodiscard]] bool is_smp() const { return vcpus_.size() > 1; }
    void flush_everywhere(TlbFlush& owed);
    [[nodiscard]] u16 root_asid(u32 root, TlbFlush& flush);
    void begin_asid_generation(TlbFlush& flush);
    [[nodiscard]] bool is_held(u32 page) const;
    void free_page(u32 page);
    void reclaim(TlbFlush& flush);

    // shadow_fill.cpp: faults.
    void fill_path(Fill& fill);
    [[nodiscard]] PageKey child_key(const Fill& fill, unsigned level) const;
    [[nodiscard]] bool can_map(const Fill& fill, unsigned level) const;
    [[nodiscard]] u32 descend(Fill& fill, u32 page, unsigned level);
    [[nodiscard]] bool map(Fill& fill, u32 page, unsigned level);
    [[nodiscard]] Pte small_leaf(const ShadowPage& page, Gpa gpa, u64 rights, u64 pbmt) const;
    [[nodiscard]] Pte granted_leaf(u32 page, unsigned index) const;
    void clear(Fill& fill, u32 page, unsigned index);
    void prefill(u32 page, unsigned around);

    // shadow_replace.cpp: instructions replaced in copies of code.
    /// No page holds the whole of an instruction of four bytes that begins behind this offset.
    static constexpr u64 kLastOffset = kPageSize - sizeof(u32);
    [[nodiscard]] u32 word_at(Gpa gpa) const;
    [[nodiscard]] bool undo_parcel(Vcpu& v, Gva at, std::optional<u16> trapped, bool mixed, TlbFlush& flush);
    [[nodiscard]] bool is_worth_copying(u64 frame);
    [[nodiscard]] TlbFlush replace_in_new_copy(Gva pc, Gpa gpa, u32 insn);
    void drop_copy(u64 frame);

    // shadow_sync.cpp: fences.
    [[nodiscard]] Pte guest_entry(const ShadowPage& page, unsigned index) const {
        return {{ram_.load_pte(page.key.base() + u64{index} * sizeof(u64)).value_or(0)}};
    }
    [[nodiscard]] bool entry_holds(u32 page, unsigned index, Pte host) const;
    [[nodiscard]] bool still_points(u32 page, unsigned index, Pte host) const;
    [[nodiscard]] TlbFlush flush_for(u32 page, Pte entry, Gva va) const;
    void repair(u32 page, Gva va, TlbFlush& flush);
    [[nodiscard, gnu::noinline]] TlbFlush fence_everywhere(Gva va);
    [[nodiscard]] TlbFlush refresh(u32 page);
    [[nodiscard]] TlbFlush refresh_below(u32 page);
    [[nodiscard]] TlbFlush settle(u64 frame);
    void close_all(TlbFlush& flush);
    [[nodiscard]] TlbFlush sync_all();
    [[nodiscard]] bool is_wanted(u32 page) const;
    void unsync(u64 frame);

    GuestRam& ram_;
    ShadowOptions options_;
    unsigned host_levels_;
    ShadowTables tables_;
    HostAsids asids_;
    std::span<Vcpu> vcpus_;
    u32 hand_ = 0;           ///< of the clock that picks pages to reclaim
    u32 replace_tries_ = 0;  ///< for the occasional one that is let through
    ShadowStats stats_;
};

}  // namespace uc
