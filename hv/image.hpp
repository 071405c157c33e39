// SPDX-License-Identifier: MIT
#pragma once
// Where a guest's images go in its memory. Planning is pure, so that every guest is checked before any starts; loading
// can be repeated at each reset.

#include <expected>
#include <span>

#include "hv/guest_config.hpp"
#include "hv/guest_layout.hpp"
#include "hv/load_error.hpp"

namespace uc {

/// Header of a RISC-V Linux `Image` (Linux, arch/riscv/boot-image-header).
struct LinuxImageHeader {
    u64 text_offset = 0;  ///< from the start of RAM
    u64 image_size = 0;   ///< bytes in memory, bss included; 0 in very old kernels
    bool big_endian = false;
};
/// nullopt: not such an image.
[[nodiscard]] std::optional<LinuxImageHeader> linux_image_header(Bytes file);

/// Guest-physical bytes [base, base + size).
struct GuestRange {
    Gpa base;
    u64 size = 0;
    [[nodiscard]] constexpr Gpa end() const { return base + size; }
    [[nodiscard]] constexpr bool overlaps(GuestRange other) const { return base < other.end() && other.base < end(); }
    friend bool operator==(const GuestRange&, const GuestRange&) = default;
};

struct Placement {
    GuestRange kernel;
    GuestRange ramdisk;  ///< empty: none
    GuestRange fdt;      ///< room for the device tree, at the top of RAM
    Gpa entry;           ///< where vCPU 0 begins
};

/// Places kernel, ramdisk and device tree in the guest's RAM, which begins at kGuestRamBase and is `guest.memory` bytes
/// long. Errors name the guest, the image and the addresses when one is malformed, linked elsewhere, too big, or in
/// another's way.
[[nodiscard]] std::expected<Placement, LoadError> plan_guest(const GuestConfig& guest);

/// Copies kernel and ramdisk to where `placement` has them, and zeroes the kernel's memory beyond its file. `ram` is
/// all of the guest's RAM.
void load_images(const GuestConfig& guest, const Placement& placement, std::span<std::byte> ram);

}  // namespace uc
