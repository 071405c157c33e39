// SPDX-License-Identifier: MIT
#pragma once
// The user half of a process: regions that say what may be there, and page tables filled on demand.

#include "guest-images/minikernel/paging.hpp"

#include <array>
#include <span>

namespace uc::mini {

/// A range of user addresses with one set of permissions. Its first bytes come from `file`, the rest is zero.
struct Region {
    Va start, end;   ///< whole pages
    u64 access = 0;  ///< of kRead, kWrite, kExecute
    Va file_start;   ///< address of the first byte of `file`
    std::span<const u8> file;
};

class AddressSpace {
  public:
    /// Makes an empty space. False: out of memory.
    [[nodiscard]] bool create(u64 asid);

    /// Frees every page and table, and the TLB entries made under this ASID. Must not be active.
    void destroy();

    /// Points satp here.
    void activate() const;

    /// False if it overlaps another region, leaves the user half, or there are too many.
    [[nodiscard]] bool add(const Region& region);

    /// The region that starts at `start`, if there is one.
    [[nodiscard]] Region* region_at(Va start);

    /// Repairs a page fault: a page's first use, or the first store to a shared one. False: the access is not allowed,
    /// or memory is full.
    [[nodiscard]] bool resolve(Va va, Access access);

    /// Makes `child` a copy that shares all pages; both sides' writable pages become copy-on-write. False: out of
    /// memory.
    [[nodiscard]] bool fork_to(AddressSpace& child);

    /// Maps one page, whatever the regions say, and takes over the caller's reference to `frame`.
    [[nodiscard]] bool map(Va va, Pa frame, u64 flags);

    [[nodiscard]] Pa root() const { return root_; }
    [[nodiscard]] u64 asid() const { return asid_; }

  private:
    const Region* find(Va va) const;
    bool fill(Va page, const Region& region);
    static bool copy_on_write(Pte& pte);  ///< the caller fences

    Pa root_;
    u64 asid_ = 0;
    std::array<Region, 8> regions_;
    unsigned count_ = 0;
};

}  // namespace uc::mini
