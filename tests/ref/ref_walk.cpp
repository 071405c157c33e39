// SPDX-License-Identifier: MIT
#include "tests/ref/ref_walk.hpp"

namespace ref {

namespace {

using u64 = std::uint64_t;

u64 bits(u64 value, int high, int low) { return (value << (63 - high)) >> (63 - high + low); }
bool bit(u64 value, int n) { return (value >> n) % 2 == 1; }

}  // namespace

Result translate(const Read& read, u64 satp, bool user, bool sum, bool mxr, u64 va, What what, const Config& config) {
    const Result page_fault{.kind = Result::PageFault};
    const Result access_fault{.kind = Result::AccessFault};

    int LEVELS = 0;
    switch (bits(satp, 63, 60)) {
        case 0:
            // Bare: the address is the physical address; those have 56 bits.
            return va < (u64{1} << 56) ? Result{.kind = Result::Ok, .pa = va} : access_fault;
        case 8: LEVELS = 3; break;
        case 9: LEVELS = 4; break;
        case 10: LEVELS = 5; break;
        default: return page_fault;
    }
    const u64 PAGESIZE = 4096;
    const u64 PTESIZE = 8;

    // "bits 63-39 must all be equal to bit 38, or else a page-fault exception will occur", and so for 48 and 57.
    const int top = 12 + 9 * LEVELS - 1;
    for (int n = top + 1; n <= 63; ++n) {
        if (bit(va, n) != bit(va, top)) return page_fault;
    }

    // 1.
    u64 a = bits(satp, 43, 0) * PAGESIZE;
    int i = LEVELS - 1;
    u64 pte = 0;
    u64 where = 0;
    for (;;) {
        // 2.
        const u64 vpn_i = bits(va, 12 + 9 * i + 8, 12 + 9 * i);
        where = a + vpn_i * PTESIZE;
        const auto value = read(where);
        if (!value) return access_fault;
        pte = *value;
        // 3.
        const bool v = bit(pte, 0), r = bit(pte, 1), w = bit(pte, 2), x = bit(pte, 3);
        if (!v || (!r && w)) return page_fault;
        if (bits(pte, 60, 54) != 0) return page_fault;
        if (bit(pte, 63) && !config.svnapot) return page_fault;
        if (bits(pte, 62, 61) != 0 && !config.svpbmt) return page_fault;
        if (bits(pte, 62, 61) == 3) return page_fault;
        // 4.
        if (r || x) break;
        if (bit(pte, 4) || bit(pte, 6) || bit(pte, 7)) return page_fault;  // U, A, D of a pointer
        if (bit(pte, 63) || bits(pte, 62, 61) != 0) return page_fault;     // N, PBMT of a pointer
        i = i - 1;
        if (i < 0) return page_fault;
        a = bits(pte, 53, 10) * PAGESIZE;
    }
    const bool r = bit(pte, 1), w = bit(pte, 2), x = bit(pte, 3), u = bit(pte, 4);
    if (bit(pte, 63)) {
        // Svnapot: only ppn[0] = xxxxx1000 at i = 0 is not reserved.
        if (i != 0 || bits(pte, 13, 10) != 8) return page_fault;
    }
    // 5.
    if (user && !u) return page_fault;
    if (!user && u && !sum) return page_fault;
    if (!user && u && what == What::Fetch) return page_fault;
    if (what == What::Load && !(r || (mxr && x))) return page_fault;
    if (what == What::Store && !w) return page_fault;
    if (what == What::Fetch && !x) return page_fault;
    // 6.
    if (i > 0 && bits(pte, 10 + 9 * i - 1, 10) != 0) return page_fault;
    // 7.
    if (!bit(pte, 6) || (what == What::Store && !bit(pte, 7))) {
        if (!config.svadu) return page_fault;
        pte |= 1u << 6;
        if (what == What::Store) pte |= 1u << 7;
    }
    // 8.
    Result result{.kind = Result::Ok, .level = static_cast<unsigned>(i), .pte = pte, .pte_pa = where};
    const int offset_bits = bit(pte, 63) ? 16 : 12 + 9 * i;  // a NAPOT range is 64 KiB
    const u64 ppn_pa = bits(pte, 53, 10) * PAGESIZE;
    result.pa = (ppn_pa >> offset_bits << offset_bits) | bits(va, offset_bits - 1, 0);
    return result;
}

}  // namespace ref
