// SPDX-License-Identifier: MIT
#pragma once
// The hypervisor's own page tables: the window, with each page's rights as narrow as its use.

#include <span>

#include "hv/host_memory.hpp"
#include "isa/pte.hpp"

namespace uc::arch {

/// Rights of a mapping in the window; nothing is ever both writable and executable.
enum class Rights : u8 { Read, ReadWrite, ReadExecute };

class HostMap {
  public:
    /// Starts an empty tree in the mode that the boot code found. Table frames come out of `memory`.
    /// Fails when there is not even memory for that.
    [[nodiscard]] bool init(HostMemory& memory);
    /// Maps [va, va + size) to `pa`, all page aligned, with the largest pages that fit. False when out of memory for
    /// tables.
    [[nodiscard]] bool map(Hva va, Hpa pa, u64 size, Rights rights);
    /// Maps a device's registers, or a stack, in a place of its own with nothing around it, and returns where; a null
    /// address when out of memory or of room.
    [[nodiscard]] Hva map_apart(Hpa pa, u64 size);
    /// Maps the image: code, read-only data, data, and the stacks without their guard pages.
    [[nodiscard]] bool map_image();
    /// Switches to these tables.
    void install() const;

    [[nodiscard]] u64 satp() const;
    /// The entries of the root that shadow tables must carry, and the slot of the first.
    [[nodiscard]] std::span<const Pte> window_entries() const;
    [[nodiscard]] unsigned window_slot() const;

  private:
    [[nodiscard]] Pte* new_table();
    [[nodiscard]] Pte* entry_for(u64 va, unsigned level);

    HostMemory* memory_ = nullptr;
    Pte* root_ = nullptr;
    Hva next_apart_;
    u64 highest_va_ = 0;
};

}  // namespace uc::arch
