// SPDX-License-Identifier: MIT
// Address spaces: roots, host ASIDs, and the memory that shadow pages take.
#include "mm/shadow.hpp"

#include <algorithm>
#include <new>

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
    v.host_satp.fill(0);
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
    if (key.kind() == PageKind::Table && tables_.has_copy(key.frame())) drop_copy(key.frame(), flush);
    for (;;) {
        const bool protect = key.kind() == PageKind::Table && tables_.first_table(key.frame()) == kNoPage;
        const u32 page = tables_.create(key);
        if (page == kNoPage) {
            reclaim();
            flush.merge(TlbFlush::all());
            continue;
        }
        if (protect) {
            // Always a flush: a TLB may hold a writable entry that no shadow entry stands for any more, where a fence
            // of one address dropped what was also cached under another.
            tables_.protect(key.frame());
            flush.merge(TlbFlush::all());
            // Other harts may store through their TLBs until that flush: compare once more before trusting the table.
            if (vcpus_.size() > 1) tables_.mark_unsync(page);
        }
        return page;
    }
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
        asids_.begin_generation();
        ++stats_.asid_rollovers;
        for (Vcpu& v : vcpus_) {
            v.host_satp.fill(0);
            if (v.active == kNoPage) continue;
            ShadowPage& active = tables_.page(v.active);
            active.asid_generation = asids_.generation();
            v.kept_asid = active.asid;
        }
        page.asid = asids_.take(is_kept);
        flush.merge(TlbFlush::all());
    }
    page.asid_generation = asids_.generation();
    return page.asid;
}

bool Shadow::is_active(u32 page) const {
    return std::ranges::any_of(vcpus_, [page](const Vcpu& v) { return v.active == page; });
}

void Shadow::free_page(u32 page) {
    for (Vcpu& v : vcpus_) {
        for (unsigned slot = 0; slot < kViewSlots; ++slot) {
            if (v.root[slot] == page) v.host_satp[slot] = 0;
        }
    }
    tables_.destroy(page);
}

/// Frees some pages by second chance: the hand passes over pages used since it last came by, and never takes those that
/// a vCPU runs on or that a fill stands on.
void Shadow::reclaim() {
    const u32 pages = tables_.max_pages();
    u32 goal = std::max(1u, pages / 32);
    const u64 before = stats_.reclaims;
    for (u32 step = 0; step < 2 * pages && goal != 0; ++step) {
        hand_ = hand_ + 1 < pages ? hand_ + 1 : 0;
        ShadowPage& page = tables_.page(hand_);
        if (!page.in_use || page.pinned || is_active(hand_)) continue;
        if (page.referenced) {
            page.referenced = false;
            continue;
        }
        free_page(hand_);
        ++stats_.reclaims;
        --goal;
    }
    if (stats_.reclaims == before) __builtin_trap();  // the pool is smaller than min_pages
}

std::optional<Shadow::Entry> Shadow::lookup(const View& view, Gva gva) const {
    const u32 root = tables_.find(root_key(view));
    if (root == kNoPage) return std::nullopt;
    return tables_.leaf_at(root, gva);
}

}  // namespace uc
