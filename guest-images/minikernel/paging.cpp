// SPDX-License-Identifier: MIT
#include "guest-images/minikernel/paging.hpp"

#include "guest-images/minikernel/console.hpp"
#include "guest-images/minikernel/csr.hpp"
#include "guest-images/minikernel/frames.hpp"
#include "guest-images/minikernel/machine.hpp"

#include <algorithm>

namespace uc::mini {

constinit Paging paging;

namespace {

/// Maps [start, end) of the direct map, each piece with the largest page that fits.
void map_direct(Pa start, Pa end, u64 flags) {
    while (start < end) {
        unsigned level = levels(paging.mode) - 1;
        while (!is_aligned(start.raw, level_size(level)) || end - start < level_size(level)) --level;
        Pte* pte = walk(paging.kernel_root, virtual_of(direct<void>(start)), level, true);
        if (pte == nullptr) panic("paging: no memory for the kernel's tables");
        *pte = pte_of(start, kKernel | flags);
        start += level_size(level);
    }
}

void build_kernel_half() {
    // All that the kernel will ever map of its half is mapped here, so that roots made later can simply copy the
    // entries.
    map_direct(physical(kernel_start), physical(kernel_rodata), kRead | kExecute);
    map_direct(physical(kernel_rodata), physical(kernel_data), kRead);
    map_direct(physical(kernel_data), machine.memory_end, kRead | kWrite);
}

/// A satp write with an unsupported MODE has no effect at all (Privileged 1.12, 4.1.11), so that reading back tells.
bool switch_to(Satp satp) {
    csr_write<CsrNo::satp>(satp.raw);
    if (csr_read<CsrNo::satp>() != satp.raw) return false;
    sfence_all();
    return true;
}

constexpr std::string_view name(SatpMode mode) {
    return mode == SatpMode::Sv57 ? "sv57" : mode == SatpMode::Sv48 ? "sv48" : "sv39";
}

}  // namespace

void paging_init(SatpMode wanted) {
    for (paging.mode = wanted;; paging.mode = static_cast<SatpMode>(static_cast<u8>(paging.mode) - 1)) {
        const auto root = frames::allocate();
        if (!root) panic("paging: no memory");
        paging.kernel_root = *root;
        build_kernel_half();
        if (switch_to(satp_of(paging.kernel_root, 0))) break;
        // The few tables of the mode that is not there are not worth the code that would free them.
        if (paging.mode == SatpMode::Sv39) panic("paging: not even sv39");
    }
    // ASIDLEN is found by writing ones (Privileged 1.12, 4.1.11).
    csr_write<CsrNo::satp>(satp_of(paging.kernel_root, Satp::ASID.max).raw);
    paging.max_asid = Satp{{csr_read<CsrNo::satp>()}}.get(Satp::ASID);
    csr_write<CsrNo::satp>(satp_of(paging.kernel_root, 0).raw);
    sfence_all();

    if (paging.mode != wanted) print("machine: paging: ", name(wanted), " not offered, using ", name(paging.mode));
    print("machine: paging: ", name(paging.mode), ", ASIDs up to ", paging.max_asid);
}

Pte* walk(Pa root, Va va, unsigned level, bool create) {
    Pte* table = direct<Pte>(root);
    for (unsigned l = levels(paging.mode) - 1; l > level; --l) {
        Pte& pte = table[pte_index(va.raw, l)];
        if (pte.get(Pte::V) == 0) {
            const auto next = create ? frames::allocate() : std::nullopt;
            if (!next) return nullptr;
            pte = pte_of(*next, Pte::V.mask);
        } else if (pte.is_leaf()) {
            return nullptr;
        }
        table = direct<Pte>(frame_of(pte));
    }
    return &table[pte_index(va.raw, level)];
}

std::optional<Pa> new_root() {
    const auto root = frames::allocate();
    if (!root) return std::nullopt;
    constexpr unsigned half = kPtesPerTable / 2;
    std::copy_n(direct<Pte>(paging.kernel_root) + half, half, direct<Pte>(*root) + half);
    return root;
}

}  // namespace uc::mini
