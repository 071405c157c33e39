// SPDX-License-Identifier: MIT
#include "guest-images/minikernel/machine.hpp"

#include "guest-images/minikernel/console.hpp"

#include <algorithm>
#include <bit>

extern "C" {
#include <libfdt.h>
}

namespace uc::mini {

constinit Machine machine;

namespace {

const void* fdt;

/// A property's bytes; empty if it does not exist.
std::string_view property(int node, const char* name) {
    int size = 0;
    const auto* data = static_cast<const char*>(fdt_getprop(fdt, node, name, &size));
    return data == nullptr ? std::string_view{} : std::string_view{data, static_cast<usize>(size)};
}

/// Takes a big-endian number of `cells` 32-bit cells off the front; 0 if there are too few bytes.
u64 take_cells(std::string_view& bytes, int cells) {
    const usize size = std::min<usize>(bytes.size(), static_cast<usize>(cells) * 4);
    u64 value = 0;
    for (const char c : bytes.substr(0, size)) value = value << 8 | static_cast<u8>(c);
    bytes.remove_prefix(size);
    return value;
}

u64 number(int node, const char* name) {
    auto bytes = property(node, name);
    return take_cells(bytes, static_cast<int>(bytes.size() / 4));
}

template <usize N>
void copy_string(char (&to)[N], std::string_view bytes) {
    bytes = bytes.substr(0, std::min(bytes.find('\0'), N - 1));
    std::copy_n(bytes.data(), bytes.size(), to);
}

/// Whether `name` is one of the words in `list`, parted by underscores or zero bytes.
bool has_word(std::string_view list, std::string_view name) {
    constexpr std::string_view separators{"_\0", 2};
    while (!list.empty()) {
        const auto word = list.substr(0, list.find_first_of(separators));
        if (word == name) return true;
        list.remove_prefix(std::min(word.size() + 1, list.size()));
    }
    return false;
}

void read_cpu() {
    const int cpus = fdt_path_offset(fdt, "/cpus");
    machine.timebase = number(cpus, "timebase-frequency");
    int node;
    fdt_for_each_subnode(node, fdt, cpus) {
        if (property(node, "device_type") != std::string_view{"cpu\0", 4} || number(node, "reg") != machine.hart)
            continue;
        const auto isa = property(node, "riscv,isa");
        const auto list = property(node, "riscv,isa-extensions");
        copy_string(machine.isa, isa);
        if (machine.timebase == 0) machine.timebase = number(node, "timebase-frequency");
        // rv64imafdc_zicsr_sstc: single letters up to the first underscore, then names (Unprivileged, chapter 27).
        const auto letters = isa.substr(0, isa.find('_'));
        machine.sstc = has_word(isa, "sstc") || has_word(list, "sstc");
        machine.fp = letters.find_first_of("dg") != letters.npos || has_word(list, "d");
        return;
    }
    panic("device tree: no cpu node for the boot hart");
}

/// Calls `visit(start, end)` for each entry of a node's reg.
template <class Visit>
void for_each_range(int node, Visit visit) {
    const int address_cells = fdt_address_cells(fdt, 0);
    const int size_cells = fdt_size_cells(fdt, 0);
    auto reg = property(node, "reg");
    while (!reg.empty()) {
        const Pa start{take_cells(reg, address_cells)};
        visit(start, start + take_cells(reg, size_cells));
    }
}

void read_memory() {
    const Pa first = physical(kernel_start);
    int node = -1;
    while ((node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory", 7)) >= 0) {
        for_each_range(node, [&](Pa start, Pa end) {
            if (start > first || first >= end) return;
            machine.memory_start = start;
            machine.memory_end = Pa{align_down(end.raw, kPageSize)};
        });
    }
    const auto cut = [&](Pa start, Pa end) {
        if (end > physical(kernel_end) && start < machine.memory_end) machine.memory_end = start.page();
    };
    const int reserved = fdt_path_offset(fdt, "/reserved-memory");
    fdt_for_each_subnode(node, fdt, reserved) for_each_range(node, cut);
    if (machine.memory_end < physical(kernel_end) + 4 * kMiB) panic("device tree: too little memory");
}

void read_option(std::string_view word) {
    auto& options = machine.options;
    if (word == "mode=sv48") options.mode = SatpMode::Sv48;
    if (word == "mode=sv57") options.mode = SatpMode::Sv57;
    if (word == "quiet") options.quiet = true;
    if (word == "then=reboot") options.reboot = true;
    if (word.starts_with("repeat=")) {
        options.repeat = 0;
        word.remove_prefix(std::string_view{"repeat="}.size());
        for (const char c : word) options.repeat = options.repeat * 10 + static_cast<u64>(c - '0');
    }
}

void read_options(std::string_view list) {
    while (!list.empty()) {
        const auto word = list.substr(0, list.find(' '));
        read_option(word);
        list.remove_prefix(std::min(word.size() + 1, list.size()));
    }
}

}  // namespace

void read_device_tree(u64 hart, Pa tree) {
    // boot.S maps four GiB from here.
    if (tree.raw < 2 * kGiB || tree.raw >= 6 * kGiB) panic("device tree: out of reach");
    fdt = direct<void>(tree);
    if (fdt_check_header(fdt) != 0) panic("device tree: bad header");
    machine.hart = hart;
    read_cpu();
    read_memory();
    copy_string(machine.bootargs, property(fdt_path_offset(fdt, "/chosen"), "bootargs"));
    read_options(machine.bootargs);
    if (machine.timebase == 0) panic("device tree: no timebase-frequency");
}

}  // namespace uc::mini
