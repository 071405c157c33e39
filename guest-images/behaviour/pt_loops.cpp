// SPDX-License-Identifier: MIT
// Page tables that contain themselves, their parents and each other. The specification gives each walk a plain answer:
// after the last level a pointer is a page fault. The hart is compared with a transcription of it.

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_load, "ld a1, 0(a0)");

namespace {

constexpr u64 kPageFault = ~0ull;

/// 4.3.2 for an S-mode load, with A and D ignored: the physical address, or kPageFault.
u64 walk(SatpMode mode, u64 root, u64 va) {
    u64 table = root;
    for (unsigned level = levels(mode); level-- > 0;) {
        const u64 pte = reinterpret_cast<const volatile u64*>(table)[pte_index(va, level)];
        const u64 pa = pte >> 10 << 12;
        if ((pte & kV) == 0) return kPageFault;
        if (pte & (kR | kW | kX)) {
            if ((pte & kR) == 0 || (pte & kU)) return kPageFault;
            const u64 offset = level_size(level) - 1;
            return pa & offset ? kPageFault : pa | (va & offset);
        }
        if (pte & (kU | kA | kD)) return kPageFault;
        table = pa;
    }
    return kPageFault;
}

}  // namespace

GUEST(pt_loops) {
    each_mode([](SatpMode mode) {
        Space space(mode);
        const unsigned n = levels(mode);
        const u64 base = 1ull << (va_bits(mode) - 2);
        const u64 page = new_page();
        for (u64 i = 0; i < kPtesPerTable; ++i) reinterpret_cast<u64*>(page)[i] = 0x7000 + i;

        // One table per level under `base`; entry 0 leads down, the last to the page. Entries 1.. loop.
        space.map(base, page, kRw);
        u64 tables[5];
        u64 table = space.root();
        for (unsigned level = n; level-- > 0;) {
            tables[level] = table;
            table = reinterpret_cast<u64*>(table)[pte_index(base, level)] >> 10 << 12;
        }
        for (unsigned level = 0; level < n; ++level) {
            const unsigned first = level == n - 1 ? pte_index(base, level) + 1 : 1;
            auto* entries = reinterpret_cast<volatile u64*>(tables[level]);
            entries[first] = make_pte(tables[level], kTable);                // itself
            entries[first + 1] = make_pte(space.root(), kTable);             // the root
            entries[first + 2] = make_pte(tables[(level + 1) % n], kTable);  // its parent; the root's is the last level
            entries[first + 3] = make_pte(page, kRw);                        // a leaf, aligned only at the lowest level
        }
        space.enter();
        Random random(mode == SatpMode::Sv39 ? 39 : 48);
        u64 faults = 0;
        u64 values = 0;
        u64 sum = 0;
        for (unsigned i = 0; i < 4000; ++i) {
            u64 va = base & (level_size(n - 1) * kPtesPerTable - 1);
            // Indices from the interesting entries of every level, the root's included.
            for (unsigned level = 0; level < n; ++level) {
                // Half of the time straight down, or few walks would arrive.
                const u64 down = level == n - 1 ? pte_index(base, level) : 0;
                const u64 choice = random.next() % 16;
                const u64 index = choice < 8 ? down : choice < 12 ? choice - 7 : pte_index(base, n - 1) + choice - 11;
                va = (va & ~((kPtesPerTable - 1) * level_size(level))) | index * level_size(level);
            }
            va |= (random.next() & 0x1ff) * 8;
            const u64 pa = walk(mode, space.root(), va);
            if (pa != kPageFault && (pa < kRam + 2 * kMiB || pa >= kRam + 64 * kMiB))
                continue;  // firmware's, or nothing
            const Frame frame = call(do_load, Priv::S, {va});
            if (pa == kPageFault) {
                ++faults;
                expect(frame.trapped(Cause::LoadPageFault) && frame.tval == va, "va ", va, " cause ", frame.cause);
            } else {
                ++values;
                sum = sum * 31 + frame.x[a1];
                expect(frame.completed() && frame.x[a1] == *reinterpret_cast<volatile u64*>(pa), "va ", va, " cause ",
                       frame.cause);
            }
        }
        leave_space();
        say("faults ", faults, " values ", values, " digest ", sum);
        expect(faults > 100 && values > 100, "the mixture is worth nothing");
    });
}
