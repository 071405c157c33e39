// SPDX-License-Identifier: MIT
#include "guest-images/minikernel/address_space.hpp"

#include "guest-images/minikernel/csr.hpp"
#include "guest-images/minikernel/frames.hpp"

#include <algorithm>
#include <cstring>

namespace uc::mini {

namespace {

/// Calls `visit(va, pte)` for each leaf in the lower half of `table`, then `leave(frame)` for each table below the
/// root.
template <class Visit, class Leave>
bool for_each_leaf(Pa table, unsigned level, u64 base, Visit& visit, Leave& leave) {
    const bool is_root = level == levels(paging.mode) - 1;
    const unsigned count = is_root ? kPtesPerTable / 2 : kPtesPerTable;
    for (unsigned i = 0; i < count; ++i) {
        Pte& pte = direct<Pte>(table)[i];
        const u64 va = base + i * level_size(level);
        if (pte.get(Pte::V) == 0) continue;
        if (pte.is_leaf()) {
            if (!visit(Va{va}, pte)) return false;
        } else if (!for_each_leaf(frame_of(pte), level - 1, va, visit, leave)) {
            return false;
        }
    }
    if (!is_root) leave(table);
    return true;
}

u64 needed(Access access) {
    switch (access) {
        case Access::Fetch: return kExecute;
        case Access::Load: return kRead;
        case Access::Store: break;
    }
    return kWrite;
}

}  // namespace

bool AddressSpace::create(u64 asid) {
    const auto root = new_root();
    if (!root) return false;
    root_ = *root;
    asid_ = asid;
    count_ = 0;
    return true;
}

void AddressSpace::destroy() {
    auto release_page = [](Va, Pte& pte) {
        frames::release(frame_of(pte));
        return true;
    };
    auto release_table = [](Pa table) { frames::release(table); };
    for_each_leaf(root_, levels(paging.mode) - 1, 0, release_page, release_table);
    frames::release(root_);
    sfence_asid(asid_);
    count_ = 0;
}

void AddressSpace::activate() const {
    const u64 satp = satp_of(root_, asid_).raw;
    if (csr_read<CsrNo::satp>() == satp) return;
    csr_write<CsrNo::satp>(satp);
    // Without ASIDs all spaces share ASID 0. This form leaves the kernel's global entries alone (4.2.1).
    if (paging.max_asid == 0) sfence_asid(0);
}

bool AddressSpace::add(const Region& region) {
    if (count_ == regions_.size() || region.start > region.end || region.end > user_end()) return false;
    const auto overlaps = [&](const Region& r) { return region.start < r.end && r.start < region.end; };
    if (std::any_of(regions_.begin(), regions_.begin() + count_, overlaps)) return false;
    regions_[count_++] = region;
    return true;
}

Region* AddressSpace::region_at(Va start) {
    for (unsigned i = 0; i < count_; ++i)
        if (regions_[i].start == start) return &regions_[i];
    return nullptr;
}

const Region* AddressSpace::find(Va va) const {
    for (unsigned i = 0; i < count_; ++i)
        if (regions_[i].start <= va && va < regions_[i].end) return &regions_[i];
    return nullptr;
}

bool AddressSpace::resolve(Va va, Access access) {
    const Va page = va.page();
    const Region* region = find(va);
    if (region == nullptr || (region->access & needed(access)) == 0) return false;
    Pte* pte = walk(root_, page, 0, false);
    if (pte == nullptr || pte->get(Pte::V) == 0) return fill(page, *region);
    // A page that is there and allows the access: the TLB held an older entry.
    if ((pte->raw & needed(access)) == 0 && !copy_on_write(*pte)) return false;
    sfence_address_asid(page, asid_);
    return true;
}

bool AddressSpace::fill(Va page, const Region& region) {
    const auto frame = frames::allocate();
    if (!frame) return false;
    const Va from = std::max(page, region.file_start);
    const Va to = std::min(page + kPageSize, region.file_start + region.file.size());
    if (from < to)
        std::memcpy(direct<u8>(*frame + from.page_offset()), &region.file[from - region.file_start], to - from);
    if ((region.access & kExecute) != 0) fence_i();
    return map(page, *frame, region.access);
}

bool AddressSpace::map(Va va, Pa frame, u64 flags) {
    Pte* pte = walk(root_, va, 0, true);
    if (pte == nullptr) {
        frames::release(frame);
        return false;
    }
    *pte = pte_of(frame, kUser | flags);
    sfence_address_asid(va, asid_);
    return true;
}

bool AddressSpace::copy_on_write(Pte& pte) {
    const Pa shared = frame_of(pte);
    if (frames::references(shared) == 1) {  // the others have gone or have their copies
        pte.set(Pte::W, 1);
        return true;
    }
    const auto copy = frames::allocate();
    if (!copy) return false;
    std::memcpy(direct<void>(*copy), direct<void>(shared), kPageSize);
    frames::release(shared);
    pte = pte_of(*copy, pte.raw & ~Pte::PPN.mask).set(Pte::W, 1);
    return true;
}

bool AddressSpace::fork_to(AddressSpace& child) {
    child.regions_ = regions_;
    child.count_ = count_;
    auto share = [&](Va va, Pte& pte) {
        Pte* copy = walk(child.root_, va, 0, true);
        if (copy == nullptr) return false;
        pte.set(Pte::W, 0);
        *copy = pte;
        frames::share(frame_of(pte));
        return true;
    };
    auto keep_table = [](Pa) {};
    const bool done = for_each_leaf(root_, levels(paging.mode) - 1, 0, share, keep_table);
    sfence_asid(asid_);  // this side's stores must fault from now on, done or not
    return done;
}

}  // namespace uc::mini
