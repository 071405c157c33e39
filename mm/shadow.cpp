// SPDX-License-Identifier: MIT
// Address spaces: roots, host ASIDs, and the memory that shadow pages take.
#include "mm/shadow.hpp"

#include <algorithm>
#include <new>

// Several harts. What a hart does in the guest and on short exits, which take no lock, ends when a flush is discharged
// everywhere: the hart is out then, forgets all translations before it goes in again, and chooses its root anew.
// try_activate() relies on that. It reads `host_satp` and `root` and writes `active`, and the hart sets its satp, all
// before it is out. Against it stand, under the lock:
//
// - Reclaiming. A root that a vCPU remembers is never taken, so one that is up for reclaiming can be nobody's next;
// that
//   a vCPU has turned to it before, and this hart reads an older `active`, cannot be either: it was remembered then,
//   and is no more because that vCPU itself changed its space, under the lock, or because of a new generation of ASIDs.
// - A new generation. First all vCPUs are made to forget their roots, then everything is flushed, and only then is
//   `active` read to see which ASIDs are in use. A try_activate() that found its root before it was forgotten is over
//   after the flush, and what it wrote to `active` is seen, because who waited for the hart to be out sees all it did;
//   one that comes later was preceded by the request for the flush, sees the 0, and has to ask for the lock. So between
//   the flush and the end of the operation no vCPU turns to another root, and none runs with an ASID that is not kept.
// - A root of which nothing is remembered any more and that is not active may be in satp only while its vCPU is between
//   activate() and the end of the lock, or between try_activate() and being out; in neither is anything freed.
//
// Frames are another matter: harts remember pointers, and walk from them. A page that was given up keeps its frame, all
// empty, until a flush is over everywhere (ShadowTables::release_retired).

namespace uc {

u64 Shadow::metadata_size(u64 ram_size, u32 max_pages, unsigned vcpus, u32 max_copies) {
    return vcpus * sizeof(Vcpu) + ShadowTables::metadata_size(ram_size, max_pages, max_copies);
}

Shadow::Shadow(GuestRam& ram, FramePool& pool, const ShadowOptions& options, std::span<std::byte> metadata)
    : ram_(ram),
      options_(options),
      host_levels_(levels(options.window.host_mode)),
      tables_(ram, pool, host_levels_, options.code, options.code_base, metadata.subspan(options.vcpus * sizeof(Vcpu))),
      asids_(options.host_asid_bits, options.host_asid_first, options.host_asid_last, options.vcpus),
      vcpus_(reinterpret_cast<Vcpu*>(metadata.data()), options.vcpus) {
    for (Vcpu& v : vcpus_) new (&v) Vcpu{};
}

Shadow::Activation Shadow::activate_slow(Vcpu& v, const View& view, unsigned slot) {
    TlbFlush flush;
    if (view.satp.raw != v.satp.raw) flush = adopt(v, view.satp);
    const u32 root = make_root(view, flush);
    Satp host;
    host.set(Satp::MODE, static_cast<u64>(options_.window.host_mode))
        .set(Satp::ASID, root_asid(root, flush))
        .set(Satp::PPN, tables_.address(root).frame());
    v.root[slot] = root;
    v.host_satp[slot] = host.raw;
    Activation activation = enter(v, slot, host.raw);
    activation.flush.merge(flush);
    return activation;
}

/// The guest wrote another value to satp. Address spaces share shadow pages, so a page may hold entries that are
/// outdated, legally, for those who have not fenced yet; a space that is new to this hart may not see them (4.2.1).
TlbFlush Shadow::adopt(Vcpu& v, Satp satp) {
    v.satp = satp;
    v.forget_roots();
    if (satp.mode() == SatpMode::Bare) return TlbFlush::none();
    Satp& known = v.known[satp.get(Satp::ASID) % kKnownSpaces];
    if (known == satp) return TlbFlush::none();
    known = satp;
    return sync_all();
}

PageKey Shadow::guest_key(const View& view, PageKind kind, Gpa table, unsigned level, Half half) const {
    PageKey key;
    return key.set(PageKey::Level, level)
        .set(PageKey::Kind, static_cast<u64>(kind))
        .set(PageKey::View, static_cast<u64>(view_kind(view.priv, view.sum)))
        .set(PageKey::Mxr, view.mxr)
        .set(PageKey::HalfOf, static_cast<u64>(half))
        .set(PageKey::Mode, view.satp.get(Satp::MODE))
        .set(PageKey::Frame, table.frame());
}

PageKey Shadow::root_key(const View& view) const {
    const unsigned top = host_levels_ - 1;
    const ViewKind kind = view_kind(view.priv, view.sum);
    if (view.satp.mode() == SatpMode::Bare) return PageKey::direct(Gpa{0}, top, kRights, 0, kind);
    const Gpa table{view.satp.get(Satp::PPN) << kPageShift};
    // Every walk from a root outside of memory faults: any root that stays empty shows that.
    if (!is_representable(view.satp) || !ram_.contains(table, kPageSize))
        return PageKey::direct(Gpa{0}, top, 0, 0, kind);
    return levels(view.satp.mode()) == host_levels_ ? guest_key(view, PageKind::Table, table, top, Half::Full)
                                                    : guest_key(view, PageKind::Wrapper, table, top, Half::None);
}

u32 Shadow::make_root(const View& view, TlbFlush& flush) {
    const PageKey key = root_key(view);
    if (const u32 found = tables_.find(key); found != kNoPage) return found;
    const u32 root = make_page(key, flush);
    const Window& window = options_.window;
    for (unsigned i = 0; i < window.slots; ++i) tables_.set_foreign(root, window.first_slot + i, window.entries[i]);
    return root;
}

u32 Shadow::make_page(PageKey key, TlbFlush& flush) {
    // A table is no code, or not for long.
    if (key.kind() == PageKind::Table && tables_.has_copy(key.frame())) {
        drop_copy(key.frame());
        flush_everywhere(flush);
    }
    for (;;) {
        const bool is_first = key.kind() == PageKind::Table && tables_.first_table(key.frame()) == kNoPage;
        const u32 page = tables_.create(key);
        if (page == kNoPage) {
            reclaim(flush);
            continue;
        }
        if (is_first && is_smp()) {
            // What was read of the table before it was protected everywhere would have to be read again. Rather it
            // begins out of step: the next full fence protects it, with all others at once.
            tables_.mark_unsync(page);
            tables_.page(page).open = true;
        } else if (is_first) {
            // Always a flush: a TLB may hold a writable entry that no shadow entry stands for any more, where a fence
            // of one address dropped what was also cached under another.
            tables_.protect(key.frame());
            flush.merge(TlbFlush::all());
        }
        return page;
    }
}

/// What follows relies on no hart remembering anything of before. The hart of a guest's only vCPU is here, and forgets
/// before it goes back.
void Shadow::flush_everywhere(TlbFlush& owed) {
    if (!is_smp()) {
        owed.merge(TlbFlush::all());
        return;
    }
    options_.flusher->flush_now(TlbFlush::all());
    tables_.release_retired();
}

u16 Shadow::root_asid(u32 root, TlbFlush& flush) {
    if (!asids_.any()) return 0;
    ShadowPage& page = tables_.page(root);
    if (page.asid_generation == asids_.generation()) return page.asid;
    const auto is_kept = [this](u16 asid) {
        return std::ranges::any_of(vcpus_, [asid](const Vcpu& v) { return v.kept_asid == asid; });
    };
    page.asid = asids_.take(is_kept);
    if (page.asid == 0) {
        begin_asid_generation(flush);
        page.asid = asids_.take(is_kept);
    }
    page.asid_generation = asids_.generation();
    return page.asid;
}

/// All ASIDs are free again but those that vCPUs run with. The order is essential: see above.
void Shadow::begin_asid_generation(TlbFlush& flush) {
    asids_.begin_generation();
    ++stats_.asid_rollovers;
    for (Vcpu& v : vcpus_) v.forget_roots();
    flush_everywhere(flush);
    for (Vcpu& v : vcpus_) {
        if (v.active == kNoPage) continue;
        ShadowPage& active = tables_.page(static_cast<u32>(v.active));
        active.asid_generation = asids_.generation();
        v.kept_asid = active.asid;
    }
}

/// Whether a vCPU runs on a page, or may turn to it without the lock.
bool Shadow::is_held(u32 page) const {
    return std::ranges::any_of(vcpus_, [this, page](const Vcpu& v) {
        if (v.active == page) return true;
        for (unsigned slot = 0; slot < kViewSlots && is_smp(); ++slot) {
            if (v.root[slot] == page && v.host_satp[slot] != 0) return true;
        }
        return false;
    });
}

/// Gives up a page that is not held.
void Shadow::free_page(u32 page) {
    for (Vcpu& v : vcpus_) {
        for (unsigned slot = 0; slot < kViewSlots; ++slot) {
            if (v.root[slot] == page) v.host_satp[slot] = 0;
        }
    }
    tables_.destroy(page);
    if (!is_smp()) tables_.release_retired();
}

/// Frees some pages by second chance: the hand passes over pages used since it last came by, and never takes those that
/// are held or that a fill stands on. What was given up earlier and waits for a flush counts.
void Shadow::reclaim(TlbFlush& flush) {
    const u32 pages = tables_.max_pages();
    const u32 goal = std::max(1u, pages / 32);
    for (u32 step = 0; step < 2 * pages && tables_.free_pages() < goal; ++step) {
        hand_ = hand_ + 1 < pages ? hand_ + 1 : 0;
        ShadowPage& page = tables_.page(hand_);
        if (!page.in_use || page.pinned || is_held(hand_)) continue;
        if (page.referenced) {
            page.referenced = false;
            continue;
        }
        free_page(hand_);
        ++stats_.reclaims;
    }
    if (tables_.free_pages() == 0) __builtin_trap();  // the pool is smaller than min_pages
    flush_everywhere(flush);
}

std::optional<Shadow::Entry> Shadow::lookup(const View& view, Gva gva) const {
    const u32 root = tables_.find(root_key(view));
    if (root == kNoPage) return std::nullopt;
    return tables_.leaf_at(root, gva);
}

}  // namespace uc
