// SPDX-License-Identifier: MIT
#include "hv/image.hpp"

#include <algorithm>
#include <cstring>

#include "hv/elf.hpp"

namespace uc {

namespace {

constexpr usize kImageHeaderSize = 64;
constexpr usize kTextOffsetAt = 0x08;
constexpr usize kImageSizeAt = 0x10;
constexpr usize kFlagsAt = 0x18;
constexpr usize kMagic2At = 0x38;
constexpr std::string_view kMagic2{"RSC\x05", 4};

constexpr u64 kRawOffset = 2 * kMiB;
/// Room for a device tree: the generated one and some bootargs, or a given one and as much again for what is set in it.
constexpr u64 kFdtRoom = 64 * kKiB;
/// Linux maps two superpages from the one that the tree begins in.
constexpr u64 kMaxFdtRoom = 2 * kMiB;

u64 word_at(Bytes file, usize at) {
    u64 word;
    std::memcpy(&word, file.data() + at, sizeof word);
    return word;
}

GuestRange ram_of(const GuestConfig& guest) { return {kGuestRamBase, guest.memory}; }

bool within(GuestRange inner, GuestRange outer) {
    return inner.base >= outer.base && inner.size <= outer.size && inner.base - outer.base <= outer.size - inner.size;
}

/// "0x80000000 to 0x80200000", for errors.
Text<48> span_of(GuestRange range) { return Text<48>(Hex{range.base.raw}, " to ", Hex{range.end().raw}); }

using Planned = std::expected<GuestRange, LoadError>;

/// `size` bytes at `base` for the image called `what`, unless they exceed the RAM.
Planned in_ram(const GuestConfig& guest, std::string_view what, Gpa base, u64 size) {
    const GuestRange ram = ram_of(guest);
    if (within({base, size}, ram)) return GuestRange{base, size};
    return load_error("guest ", guest.name, ": ", what, ": ", size, " bytes at ", Hex{base.raw}, " exceed the RAM, ",
                      span_of(ram).view());
}

struct PlannedKernel {
    GuestRange range;
    Gpa entry;
};
using KernelResult = std::expected<PlannedKernel, LoadError>;

KernelResult plan_elf_kernel(const GuestConfig& guest) {
    const auto plan = plan_elf(guest.kernel.data, kGuestRamBase, guest.memory);
    if (!plan) return load_error("guest ", guest.name, ": kernel: ", plan.error().text.view());
    return PlannedKernel{{plan->base, plan->size}, plan->entry};
}

KernelResult plan_flat_kernel(const GuestConfig& guest) {
    const GuestImage& kernel = guest.kernel;
    u64 size = kernel.data.size();
    Gpa base = kernel.load.value_or(kGuestRamBase + kRawOffset);
    if (const auto header = linux_image_header(kernel.data)) {
        if (header->big_endian) return load_error("guest ", guest.name, ": kernel: Image is big-endian");
        // An offset beyond the RAM would wrap around in the sum.
        if (header->text_offset > guest.memory) {
            return load_error("guest ", guest.name, ": kernel: text_offset ", Hex{header->text_offset},
                              " is beyond the RAM");
        }
        base = kGuestRamBase + header->text_offset;
        size = std::max(size, header->image_size);
    }
    const Planned range = in_ram(guest, "kernel", base, size);
    if (!range) return std::unexpected(range.error());
    const Gpa entry = kernel.entry.value_or(base);
    if (!within({entry, 2}, *range) || !is_aligned(entry.raw, 2)) {
        return load_error("guest ", guest.name, ": kernel: entry ", Hex{entry.raw}, " is not in the kernel, ",
                          span_of(*range).view());
    }
    return PlannedKernel{*range, entry};
}

/// At the top of RAM, where it is in nobody's way; aligned to its room, so that it lies within one superpage.
Planned plan_fdt(const GuestConfig& guest) {
    const u64 given = guest.fdt.data.size();
    if (given > kMaxFdtRoom) {
        return load_error("guest ", guest.name, ": fdt: ", given, " bytes are more than ", kMaxFdtRoom / kMiB, " MiB");
    }
    if (guest.bootargs.size() > kMaxFdtRoom - given) {
        return load_error("guest ", guest.name, ": bootargs: ", guest.bootargs.size(),
                          " bytes do not fit into the device tree, at most ", kMaxFdtRoom / kMiB, " MiB");
    }
    u64 room = kFdtRoom;
    while (room < kMaxFdtRoom && room < given + kFdtRoom / 2 + guest.bootargs.size()) room *= 2;
    if (guest.fdt.load) {
        if (is_aligned(guest.fdt.load->raw, 8)) return in_ram(guest, "fdt", *guest.fdt.load, room);
        return load_error("guest ", guest.name, ": fdt: load ", Hex{guest.fdt.load->raw}, " is not 8-byte aligned");
    }
    return GuestRange{Gpa{align_down(ram_of(guest).end().raw - room, room)}, room};
}

/// Below the device tree if that is on top, as high as it fits.
Planned plan_ramdisk(const GuestConfig& guest, GuestRange fdt) {
    const u64 size = guest.ramdisk.data.size();
    if (size == 0) return GuestRange{};
    if (guest.ramdisk.load) return in_ram(guest, "ramdisk", *guest.ramdisk.load, size);
    const Gpa end = guest.fdt.load ? ram_of(guest).end() : fdt.base;
    if (size > end - kGuestRamBase) {
        return load_error("guest ", guest.name, ": ramdisk: ", size, " bytes do not fit into the RAM, ",
                          span_of(ram_of(guest)).view());
    }
    return GuestRange{(end - size).page(), size};
}

LoadStatus check_apart(const GuestConfig& guest, std::string_view one, GuestRange a, std::string_view other,
                       GuestRange b) {
    if (a.size == 0 || b.size == 0 || !a.overlaps(b)) return {};
    return load_error("guest ", guest.name, ": ", one, " (", span_of(a).view(), ") overlaps ", other, " (",
                      span_of(b).view(), "): give it more undercroft,memory");
}

void copy_to(Bytes data, GuestRange range, std::span<std::byte> ram) {
    const std::span<std::byte> memory = ram.subspan(range.base - kGuestRamBase, range.size);
    std::copy(data.begin(), data.end(), memory.begin());
    std::fill(memory.begin() + static_cast<std::ptrdiff_t>(data.size()), memory.end(), std::byte{0});
}

}  // namespace

std::optional<LinuxImageHeader> linux_image_header(Bytes file) {
    if (file.size() < kImageHeaderSize || std::memcmp(file.data() + kMagic2At, kMagic2.data(), kMagic2.size()) != 0) {
        return std::nullopt;
    }
    return LinuxImageHeader{word_at(file, kTextOffsetAt), word_at(file, kImageSizeAt),
                            (word_at(file, kFlagsAt) & 1) != 0};
}

std::expected<Placement, LoadError> plan_guest(const GuestConfig& guest) {
    if (const auto wrong = memory_problem(guest.memory)) {
        return load_error("guest ", guest.name, ": undercroft,memory: ", *wrong);
    }
    const KernelResult kernel = is_elf(guest.kernel.data) ? plan_elf_kernel(guest) : plan_flat_kernel(guest);
    if (!kernel) return std::unexpected(kernel.error());
    const Planned fdt = plan_fdt(guest);
    if (!fdt) return std::unexpected(fdt.error());
    const Planned ramdisk = plan_ramdisk(guest, *fdt);
    if (!ramdisk) return std::unexpected(ramdisk.error());

    LoadStatus status = check_apart(guest, "kernel", kernel->range, "device tree", *fdt);
    if (status) status = check_apart(guest, "kernel", kernel->range, "ramdisk", *ramdisk);
    if (status) status = check_apart(guest, "ramdisk", *ramdisk, "device tree", *fdt);
    if (!status) return std::unexpected(status.error());
    return Placement{kernel->range, *ramdisk, *fdt, kernel->entry};
}

void load_images(const GuestConfig& guest, const Placement& placement, std::span<std::byte> ram) {
    if (is_elf(guest.kernel.data)) {
        load_elf(guest.kernel.data, kGuestRamBase, ram);
    } else {
        copy_to(guest.kernel.data, placement.kernel, ram);
    }
    if (placement.ramdisk.size != 0) copy_to(guest.ramdisk.data, placement.ramdisk, ram);
}

}  // namespace uc
