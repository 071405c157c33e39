// SPDX-License-Identifier: MIT
// What makes a page-table entry fault, at every level of every mode (Privileged 1.12, 4.3.2 and 4.4 to 4.6).

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_load, "ld a1, 0(a0)");
SNIPPET(do_store, "sd a1, 0(a0)");

namespace {

u64 page;  // filled with ebreaks: a fetch from it "completes"

/// An address with a root entry of its own; a leaf of any level there reaches `page` when its address is rounded down.
u64 probe_va(SatpMode mode) { return (1ull << (va_bits(mode) - 2)) + page; }

enum class Expect { Works, PageFault, AccessFault, Machine };

/// Load, store and fetch in S-mode at `va`.
void probe(const char* what, unsigned level, u64 detail, u64 va, Expect want) {
    sfence();
    const Frame frames[] = {call(va, Priv::S), call(do_load, Priv::S, {va}), call(do_store, Priv::S, {va + 0x800, 0})};
    const u64 vas[] = {va, va, va + 0x800};
    constexpr Access kAccess[] = {Access::Fetch, Access::Load, Access::Store};
    MachineLines mark(want == Expect::Machine);
    say("level ", level, " ", what, " ", detail, ": fetch ", frames[0].cause, " load ", frames[1].cause, " store ",
        frames[2].cause);
    for (unsigned i = 0; i < 3 && want != Expect::Machine; ++i) {
        const Cause fault = want == Expect::PageFault ? page_fault(kAccess[i]) : access_fault(kAccess[i]);
        expect(want == Expect::Works ? frames[i].completed() : frames[i].trapped(fault) && frames[i].tval == vas[i],
               "access ", i, " cause ", frames[i].cause, " tval ", frames[i].tval);
    }
}

void leaf(Space& space, unsigned level) {
    const u64 va = probe_va(space.mode());
    volatile u64& pte = space.entry(va, level);
    const u64 good = make_pte(align_down(page, level_size(level)), kRwx);
    const auto with = [&](const char* what, u64 detail, u64 value, Expect want) {
        pte = value;
        probe(what, level, detail, va, want);
    };
    with("good", 0, good, Expect::Works);
    with("global", 0, good | kG, Expect::Works);
    with("RSW", 3, good | 3 << 8, Expect::Works);
    with("all but V", 0, good & ~kV, Expect::PageFault);
    with("W without R", 0, good & ~(kR | kX), Expect::PageFault);
    with("WX without R", 0, good & ~kR, Expect::PageFault);
    for (unsigned bit = 54; bit <= 60; ++bit) with("reserved bit", bit, good | 1ull << bit, Expect::PageFault);
    // With Svpbmt or Svnapot these mean something; a guest's ISA string may have less than the machine's.
    for (u64 bits : {1ull << 61, 1ull << 62, 3ull << 61, 1ull << 63})
        with("PBMT, N", bits, good | bits, Expect::Machine);
    for (unsigned bit = 12; bit < level_shift(level); ++bit)
        with("misaligned by bit", bit, (good & ~(level_size(level) - kPageSize) >> 2) | 1ull << (bit - 2),
             Expect::PageFault);
    // The largest physical address: nothing is there.
    with("top of physical memory", 0, make_pte(align_down((1ull << kPhysicalAddressBits) - 1, level_size(level)), kRwx),
         Expect::AccessFault);
    pte = 0;
}

void table(Space& space, unsigned level) {
    const u64 va = probe_va(space.mode());
    space.map(va, page, kRwx);
    volatile u64& pte = space.entry(va, level);
    const u64 good = pte;
    const auto with = [&](const char* what, u64 detail, u64 value, Expect want) {
        pte = value;
        probe(what, level, detail, va, want);
    };
    with("table", 0, good, Expect::Works);
    with("table RSW", 3, good | 3 << 8, Expect::Works);
    with("table global", 0, good | kG, Expect::Works);
    with("table not valid", 0, good & ~kV, Expect::PageFault);
    with("table U", 0, good | kU, Expect::PageFault);
    with("table A", 0, good | kA, Expect::PageFault);
    with("table D", 0, good | kD, Expect::PageFault);
    for (unsigned bit = 54; bit <= 63; ++bit) with("table reserved bit", bit, good | 1ull << bit, Expect::PageFault);
    // A walk that leaves memory is an access fault (4.3.2 step 2); QEMU 7.2 says page fault.
    with("table in a hole", 0, make_pte(0x18000000, kTable), Expect::Machine);
    with("table at the top", 0, make_pte((1ull << kPhysicalAddressBits) - kPageSize, kTable), Expect::Machine);
    pte = good;
    probe("table again", level, 0, va, Expect::Works);
}

void canonical(Space& space, SatpMode mode) {
    // The same walk through addresses whose upper bits are not copies of the topmost translated one.
    const u64 va = probe_va(space.mode());
    space.map(va, page, kRwx);
    for (unsigned bit = va_bits(mode); bit < 64; ++bit) probe("upper bit", 0, bit, va ^ 1ull << bit, Expect::PageFault);
    probe("upper bits all set", 0, 0, va | ~0ull << va_bits(mode), Expect::PageFault);
    const u64 high = va | ~0ull << (va_bits(mode) - 1);
    probe("upper half unmapped", 0, 0, high, Expect::PageFault);
    space.map(high, page, kRwx);
    probe("upper half", 0, 0, high, Expect::Works);
    probe("upper half, bit 63 clear", 0, 0, high & ~(1ull << 63), Expect::PageFault);
    const u64 last = 0 - kPageSize;
    space.map(last, page, kRwx);
    probe("last page", 0, 0, last, Expect::Works);
}

}  // namespace

GUEST(pte_rules) {
    page = new_page();
    for (unsigned i = 0; i < 1024; ++i) reinterpret_cast<volatile u32*>(page)[i] = kEbreak;
    fence_i();
    each_mode([](SatpMode mode) {
        for (unsigned level = 0; level < levels(mode); ++level) {
            Space space(mode);
            space.enter();
            leaf(space, level);
            leave_space();
        }
        for (unsigned level = 1; level < levels(mode); ++level) {
            Space space(mode);
            space.enter();
            table(space, level);
            leave_space();
        }
        Space space(mode);
        space.enter();
        // A pointer at the lowest level is no leaf: the walk has nowhere to go (4.3.2 step 4).
        space.map(probe_va(mode), page, kTable);
        probe("pointer", 0, 0, probe_va(mode), Expect::PageFault);
        canonical(space, mode);
    });
}
