// SPDX-License-Identifier: MIT
#include "hv/arch/host_memory_map.hpp"

#include "hv/arch/symbols.hpp"
#include "hv/arch/window.hpp"

namespace uc::arch {

namespace {

HostRange image_range() { return {window.image, static_cast<u64>(uc_image_end - uc_image_start)}; }

HostRange whole_pages(HostRange range) {
    const u64 base = align_down(range.base.raw, kPageSize);
    return {Hpa{base}, align_up(range.end().raw, kPageSize) - base};
}

}  // namespace

void collect_memory(const HostMachine& machine, HostRange fdt, HostMemory& memory) {
    for (const HostRange& range : machine.memory) memory.add(range);
    for (const HostRange& range : machine.reserved) memory.remove(range);
    memory.remove(image_range());
    memory.remove(fdt);
    if (machine.initrd) memory.remove(*machine.initrd);
    memory.remove({Hpa{0}, window.physmap_base.raw});
    memory.remove({physmap_end(), ~0ull - physmap_end().raw});
}

bool build_host_map(const HostMachine& machine, HostRange fdt, HostMemory& memory, HostMap& map) {
    // Table frames come out of the very ranges being mapped: work on a copy of what is free now.
    const HostMemory::Ranges all = memory.free_ranges();
    if (!map.init(memory) || !map.map_image()) return false;
    for (const HostRange& r : all) {
        if (!map.map(physmap(r.base), r.base, r.size, Rights::ReadWrite)) return false;
    }
    fdt = whole_pages(fdt);
    if (!map.map(physmap(fdt.base), fdt.base, fdt.size, Rights::Read)) return false;
    if (!machine.initrd) return true;
    const HostRange initrd = whole_pages(*machine.initrd);
    return map.map(physmap(initrd.base), initrd.base, initrd.size, Rights::Read);
}

}  // namespace uc::arch
