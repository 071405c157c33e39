// SPDX-License-Identifier: MIT
#include "hv/fdt_bus.hpp"

namespace uc {

namespace {

/// The number in `count` (0 to 2) cells from `at` on.
u64 number_at(const FdtProperty& property, usize at, unsigned count) {
    u64 number = 0;
    for (unsigned i = 0; i < count; ++i) number = number << 32 | property.cell_at(at + i);
    return number;
}

bool is_sound(const HostRange& range) { return range.size != 0 && range.base.raw + (range.size - 1) >= range.base.raw; }

/// Moves `range` from the addresses of `bus` to those of `above`, its parent.
std::optional<HostRange> translate(FdtNode bus, FdtNode above, HostRange range) {
    const std::optional<FdtProperty> ranges = bus.property("ranges");
    if (!ranges) return std::nullopt;
    if (ranges->value.empty()) return range;
    const std::optional<unsigned> child_cells = bus.address_cells();
    const std::optional<unsigned> parent_cells = above.address_cells();
    const std::optional<unsigned> size_cells = bus.size_cells();
    if (!child_cells || !parent_cells || !size_cells) return std::nullopt;
    const usize stride = *child_cells + *parent_cells + *size_cells;
    if (stride == 0) return std::nullopt;
    for (usize at = 0; at + stride <= ranges->cells(); at += stride) {
        const u64 child = number_at(*ranges, at, *child_cells);
        const u64 parent = number_at(*ranges, at + *child_cells, *parent_cells);
        const u64 length = number_at(*ranges, at + *child_cells + *parent_cells, *size_cells);
        const u64 offset = range.base.raw - child;
        if (range.base.raw >= child && offset < length && range.size <= length - offset) {
            return HostRange{Hpa{parent + offset}, range.size};
        }
    }
    return std::nullopt;
}

/// The node that a device's `interrupts` refers to: named by the nearest interrupt-parent on the way up.
std::optional<FdtNode> interrupt_parent(FdtNode device) {
    for (std::optional<FdtNode> node = device; node; node = node->parent()) {
        const std::optional<FdtProperty> phandle = node->property("interrupt-parent");
        if (phandle) return phandle->cell() ? node->by_phandle(*phandle->cell()) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

std::optional<HostRange> fdt_reg(FdtNode node, usize index) {
    const std::optional<FdtProperty> reg = node.property("reg");
    const std::optional<FdtNode> bus = node.parent();
    if (!reg || !bus) return std::nullopt;
    const std::optional<unsigned> address_cells = bus->address_cells();
    const std::optional<unsigned> size_cells = bus->size_cells();
    if (!address_cells || !size_cells || *address_cells == 0) return std::nullopt;
    const usize stride = *address_cells + *size_cells;
    if (index >= reg->cells() / stride) return std::nullopt;
    return HostRange{Hpa{number_at(*reg, index * stride, *address_cells)},
                     number_at(*reg, index * stride + *address_cells, *size_cells)};
}

std::optional<HostRange> fdt_registers(FdtNode node, usize index) {
    std::optional<HostRange> range = fdt_reg(node, index);
    std::optional<FdtNode> bus = node.parent();
    while (range && is_sound(*range)) {
        const std::optional<FdtNode> above = bus->parent();
        if (!above) return range;
        range = translate(*bus, *above, *range);
        bus = above;
    }
    return std::nullopt;
}

std::optional<u32> fdt_interrupt(FdtNode device, FdtNode controller) {
    if (const std::optional<FdtProperty> extended = device.property("interrupts-extended")) {
        if (extended->cells() < 2 || device.by_phandle(extended->cell_at(0)) != controller) return std::nullopt;
        return extended->cell_at(1);
    }
    const std::optional<FdtProperty> interrupts = device.property("interrupts");
    if (!interrupts || interrupts->cells() == 0 || interrupt_parent(device) != controller) return std::nullopt;
    return interrupts->cell_at(0);
}

}  // namespace uc
