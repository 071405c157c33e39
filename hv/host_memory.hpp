// SPDX-License-Identifier: MIT
#pragma once
// The machine's free memory: physical ranges, handed out at boot and when guests come and go.

#include <array>
#include <optional>

#include "hv/host_range.hpp"

namespace uc {

/// Free physical ranges, sorted by address and never touching each other. Allocates from the top, so that what firmware
/// and loaders like to use at the bottom stays free longest. Ranges that no longer fit the fixed table are given up.
class HostMemory {
  public:
    static constexpr unsigned kCapacity = 64;

    /// `view_offset` plus a physical address is where the hypervisor sees it.
    explicit constexpr HostMemory(u64 view_offset = 0) : view_offset_(view_offset) {}

    /// Where `pa`, allocated here, can be accessed.
    [[nodiscard]] std::byte* pointer(Hpa pa) const { return reinterpret_cast<std::byte*>(pa.raw + view_offset_); }

    /// Adds memory, whole pages of it; merges with its neighbours. Adding what is free already adds it once.
    void add(HostRange range);
    /// Takes [range) out, whether it is free or not: reserved memory.
    void remove(HostRange range);
    /// `size` bytes, a multiple of 4 KiB, aligned to `align` (a power of two, at least 4 KiB); nullopt when no range
    /// has them.
    [[nodiscard]] std::optional<Hpa> allocate(u64 size, u64 align);
    void free(HostRange range) { add(range); }

    [[nodiscard]] u64 available() const;
    /// The largest block that allocate() would grant at `align`.
    [[nodiscard]] u64 largest(u64 align) const;
    [[nodiscard]] unsigned count() const { return count_; }
    [[nodiscard]] HostRange range(unsigned i) const { return ranges_[i]; }

  private:
    void erase(unsigned i);
    void insert(unsigned i, HostRange range);

    u64 view_offset_;
    std::array<HostRange, kCapacity> ranges_{};
    unsigned count_ = 0;
};

}  // namespace uc
