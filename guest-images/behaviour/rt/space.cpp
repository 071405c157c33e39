// SPDX-License-Identifier: MIT
#include "guest-images/behaviour/rt/space.hpp"

extern "C" char image_end[];
extern "C" const char snippets_start[], snippets_end[];

namespace uc::rt {

u64 new_page() {
    static u64 used;
    if (used == kPoolPages) {
        expect(false, "out of pages");
        finish();
    }
    auto* page = reinterpret_cast<volatile u64*>(address(image_end) + used++ * kPageSize);
    for (unsigned i = 0; i < kPtesPerTable; ++i) page[i] = 0;
    return address(const_cast<u64*>(page));
}

Space::Space(SatpMode mode) : mode_(mode), root_(new_page()) { map(kRam, kRam, kRwx | kG, 2); }

volatile u64& Space::entry(u64 va, unsigned level) {
    u64 table = root_;
    for (unsigned l = levels(mode_) - 1; l > level; --l) {
        auto& pte = reinterpret_cast<volatile u64*>(table)[pte_index(va, l)];
        if ((pte & kV) == 0) pte = make_pte(new_page(), kTable);
        table = pte >> 10 << 12;
    }
    return reinterpret_cast<volatile u64*>(table)[pte_index(va, level)];
}

void Space::map_snippets() {
    for (u64 page = address(snippets_start); page < address(snippets_end); page += kPageSize)
        map(page + kUserAlias, page, kRwx | kU);
}

bool mode_available(SatpMode mode) {
    static u64 satps[3];
    u64& satp = satps[static_cast<unsigned>(mode) - static_cast<unsigned>(SatpMode::Sv39)];
    if (satp == 0) satp = Space(mode).satp();
    csr_write<CsrNo::satp>(satp);
    const bool available = csr_read<CsrNo::satp>() == satp;
    leave_space();
    return available;
}

const char* mode_name(SatpMode mode) {
    switch (mode) {
        case SatpMode::Bare: return "Bare";
        case SatpMode::Sv39: return "Sv39";
        case SatpMode::Sv48: return "Sv48";
        case SatpMode::Sv57: return "Sv57";
    }
    return "?";
}

}  // namespace uc::rt
