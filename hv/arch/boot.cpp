// SPDX-License-Identifier: MIT
// The C++ that runs before translation is on: it maps the window coarsely and relocates the image into it. It executes
// at the load address, so it must not touch a pointer stored in memory.

#include "hv/arch/sbi_call.hpp"
#include "hv/arch/symbols.hpp"
#include "hv/arch/window.hpp"

namespace uc::arch {

constinit WindowPlace window;

namespace {

using Table = Pte[kPtesPerTable];
alignas(kPageSize) Table early_root;    // the root of Sv48 and Sv57
alignas(kPageSize) Table early_middle;  // between root and gigapages on Sv57
alignas(kPageSize) Table early_gigapages;
alignas(kPageSize) Table early_image_2m;
alignas(kPageSize) Table early_image_4k[4];  // 2 MiB each: room for an image of 8 MiB

constexpr u64 kLinkBase = 0x8020'0000;  // linker/undercroft.ld
constexpr u64 kRelative = 3;            // R_RISCV_RELATIVE (RISC-V ELF psABI)

struct Rela {
    u64 offset;
    u64 info;
    u64 addend;
};

u64 address(const void* p) { return reinterpret_cast<u64>(p); }

Pte link_to(const Table& table) { return {{address(table) >> 12 << 10 | Pte::V.mask}}; }

// Readable, writable and executable until HostMap builds the final tables.
Pte early_leaf(u64 pa) {
    return {{(pa >> 12 << 10) | Pte::V.mask | Pte::R.mask | Pte::W.mask | Pte::X.mask | Pte::G.mask | Pte::A.mask |
             Pte::D.mask}};
}

void relocate(u64 load, u64 target) {
    const auto* end = reinterpret_cast<const Rela*>(uc_rela_end);
    for (const auto* r = reinterpret_cast<const Rela*>(uc_rela_start); r != end; ++r) {
        if ((r->info & 0xffff'ffff) != kRelative) continue;  // the link script leaves no other kind
        *reinterpret_cast<u64*>(r->offset - kLinkBase + load) = r->addend - kLinkBase + target;
    }
}

}  // namespace

/// satp to install and where _start will be then.
struct Prepared {
    u64 satp;
    u64 start;
};

extern "C" [[gnu::visibility("hidden")]] Prepared uc_prepare_window(u64 mode_number, u64 fdt) {
    const auto mode = static_cast<SatpMode>(mode_number);
    const u64 base = window_base(mode);
    const u64 load = address(uc_image_start);
    window.mode = mode;
    window.base = Hva{base};
    window.image = Hpa{load};
    window.physmap_base = Hpa{align_down(load < fdt ? load : fdt, kGiB)};

    // The table whose entries are gigapages is the root itself on Sv39.
    Table& root = mode == SatpMode::Sv39 ? early_gigapages : early_root;
    for (auto& entry : early_root) entry = {};
    for (auto& entry : early_gigapages) entry = {};
    if (mode == SatpMode::Sv57) {
        early_root[pte_index(base, 4)] = link_to(early_middle);
        early_middle[pte_index(base, 3)] = link_to(early_gigapages);
    } else if (mode == SatpMode::Sv48) {
        early_root[pte_index(base, 3)] = link_to(early_gigapages);
    }

    early_gigapages[pte_index(base, 2)] = link_to(early_image_2m);
    unsigned page = 0;
    for (u64 pa = load; pa < address(uc_image_end); pa += kPageSize, ++page) {
        Table& leaves = early_image_4k[page / kPtesPerTable];
        leaves[page % kPtesPerTable] = early_leaf(pa);
        early_image_2m[page / kPtesPerTable] = link_to(leaves);
    }
    for (u64 gib = 0; gib < kWindowGiB - 1; ++gib) {
        early_gigapages[pte_index(base + kPhysmapOffset, 2) + gib] = early_leaf(window.physmap_base.raw + gib * kGiB);
    }

    relocate(load, base);
    return {mode_number << 60 | address(root) >> 12, base};
}

extern "C" [[noreturn, gnu::visibility("hidden")]] void uc_die_without_mmu() {
    early_die("[uc] error: this hart offers no paged address translation (Sv39, Sv48 or Sv57)\n");
}

}  // namespace uc::arch
