// SPDX-License-Identifier: MIT
#include "hv/arch/host_map.hpp"

#include <algorithm>
#include <cstring>

#include "hv/arch/csr_access.hpp"
#include "hv/arch/symbols.hpp"
#include "hv/arch/window.hpp"

namespace uc::arch {

namespace {

unsigned root_level() { return levels(window.mode) - 1; }

Pte leaf(Hpa pa, Rights rights) {
    u64 bits = Pte::V.mask | Pte::R.mask | Pte::G.mask | Pte::A.mask | Pte::D.mask;
    if (rights == Rights::ReadWrite) bits |= Pte::W.mask;
    if (rights == Rights::ReadExecute) bits |= Pte::X.mask;
    return {{pa.frame() << Pte::PPN.lsb | bits}};
}

u64 va(const char* symbol) { return reinterpret_cast<u64>(symbol); }

}  // namespace

Pte* HostMap::new_table() {
    const auto frame = memory_->allocate(kPageSize, kPageSize);
    if (!frame) return nullptr;
    auto* table = reinterpret_cast<Pte*>(memory_->pointer(*frame));
    std::memset(static_cast<void*>(table), 0, kPageSize);
    return table;
}

bool HostMap::init(HostMemory& memory) {
    memory_ = &memory;
    root_ = new_table();
    next_apart_ = window.base + kMmioOffset;
    return root_ != nullptr;
}

Pte* HostMap::entry_for(u64 va, unsigned level) {
    Pte* table = root_;
    for (unsigned l = root_level(); l > level; --l) {
        Pte& entry = table[pte_index(va, l)];
        if (entry.raw == 0) {
            const Pte* below = new_table();
            if (below == nullptr) return nullptr;
            entry = {{physical(Hva{reinterpret_cast<u64>(below)}).frame() << Pte::PPN.lsb | Pte::V.mask}};
        }
        table = reinterpret_cast<Pte*>(physmap(Hpa{entry.get(Pte::PPN) << kPageShift}).raw);
    }
    return &table[pte_index(va, level)];
}

bool HostMap::map(Hva va, Hpa pa, u64 size, Rights rights) {
    while (size != 0) {
        unsigned level = 2;
        while (level > 0 && (!is_aligned(va.raw | pa.raw, level_size(level)) || size < level_size(level))) --level;
        Pte* entry = entry_for(va.raw, level);
        if (entry == nullptr) return false;
        *entry = leaf(pa, rights);
        highest_va_ = std::max(highest_va_, va.raw);
        va += level_size(level);
        pa += level_size(level);
        size -= level_size(level);
    }
    return true;
}

Hva HostMap::map_apart(Hpa pa, u64 size) {
    const u64 offset = pa.page_offset();
    size = align_up(size + offset, kPageSize);
    const Hva at = next_apart_;
    const u64 end = (window.base + kPhysmapOffset).raw;
    if (size > end - at.raw || !map(at, pa.page(), size, Rights::ReadWrite)) return Hva{};
    next_apart_ += align_up(size, 2 * kMiB);
    return at + offset;
}

bool HostMap::map_image() {
    const u64 start = va(uc_image_start);
    const auto section = [&](u64 from, u64 to, Rights rights) {
        return map(Hva{from}, window.image + (from - start), to - from, rights);
    };
    // A page below each stack stays unmapped: running over the end traps instead of corrupting.
    const u64 guard = va(uc_boot_stack_guard), second_guard = va(uc_emergency_stack_guard);
    return section(start, va(uc_text_end), Rights::ReadExecute) &&
           section(va(uc_text_end), va(uc_rodata_end), Rights::Read) &&
           section(va(uc_rodata_end), guard, Rights::ReadWrite) &&
           section(guard + kPageSize, second_guard, Rights::ReadWrite) &&
           section(second_guard + kPageSize, align_up(va(uc_image_end), kPageSize), Rights::ReadWrite);
}

u64 HostMap::satp() const {
    const u64 root = physical(Hva{reinterpret_cast<u64>(root_)}).frame();
    return static_cast<u64>(window.mode) << Satp::MODE.lsb | root;
}

void HostMap::install() const {
    sfence_all();
    csr_write<CsrNo::satp>(satp());
    sfence_all();
}

unsigned HostMap::window_slot() const { return pte_index(window.base.raw, root_level()); }

std::span<const Pte> HostMap::window_entries() const {
    const unsigned first = window_slot();
    return {root_ + first, pte_index(highest_va_, root_level()) - first + 1};
}

}  // namespace uc::arch
