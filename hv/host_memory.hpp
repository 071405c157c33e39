// SPDX-License-Identifier: MIT
#pragma once
// The machine's memory: physical ranges, handed out at boot and when guests come and go.

#include <optional>

#include "hv/fixed_vector.hpp"
#include "hv/host_range.hpp"
#include "hv/spin_lock.hpp"

namespace uc {

/// Free physical ranges, sorted by address and never touching each other. The range that leaves the least over is taken
/// from, and at its top, so that what firmware and loaders like to use at the bottom stays free longest.
///
/// The table of ranges has a bound. Neighbours merge, so that there is at most one range for each block that is handed
/// out, and those that boot found: guests hold few blocks, and are few. Where it is full all the same, a block that
/// would make one range into two is not handed out, and one given back that touches no other is lost, and counted.
class HostMemory {
  public:
    static constexpr unsigned kCapacity = 128;
    using Ranges = FixedVector<HostRange, kCapacity>;

    /// `view_offset` plus a physical address is where the hypervisor sees it.
    explicit constexpr HostMemory(u64 view_offset = 0) : view_offset_(view_offset) {}
    HostMemory(const HostMemory&) = delete;
    HostMemory& operator=(const HostMemory&) = delete;

    // Boot, on one hart, before anything is allocated.
    void set_view(u64 view_offset) { view_offset_ = view_offset; }
    /// Adds memory, whole pages of it; merges with its neighbours. Adding what is free already adds it once.
    void add(HostRange range);
    /// Takes [range) out, whether it is free or not: reserved memory.
    void remove(HostRange range);

    // Any hart, under any lock.

    /// Where `pa`, allocated here, can be accessed.
    [[nodiscard]] std::byte* pointer(Hpa pa) const { return reinterpret_cast<std::byte*>(pa.raw + view_offset_); }
    /// `size` bytes, a multiple of 4 KiB, aligned to `align` (a power of two, at least 4 KiB); nullopt when no range
    /// has them. What is in them is whatever was there before.
    [[nodiscard]] std::optional<Hpa> allocate(u64 size, u64 align);
    /// Takes back what allocate() gave, all of it or whole pages; an empty range is nothing. No part of it may be free
    /// already: that would be a broken invariant of ours, and ends in a trap.
    void free(HostRange range);

    [[nodiscard]] u64 available() const;
    /// Bytes handed out and not given back.
    [[nodiscard]] u64 used() const;
    /// Bytes for which the table of ranges had no room.
    [[nodiscard]] u64 lost() const;
    /// The largest block that allocate() would grant at `align`.
    [[nodiscard]] u64 largest(u64 align) const;
    /// What is free at the moment, by address.
    [[nodiscard]] Ranges free_ranges() const;

  private:
    void insert(unsigned i, HostRange range);
    void merge(HostRange range);
    void cut(HostRange range);

    mutable SpinLock lock_{LockRank::Memory};
    u64 view_offset_;
    Ranges ranges_;
    u64 used_ = 0;
    u64 lost_ = 0;
};

}  // namespace uc
