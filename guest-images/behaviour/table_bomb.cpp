// SPDX-License-Identifier: MIT
// More page tables than any budget for shadow tables holds: two thousand address spaces, thousands of tables under one
// root, every view of them, all revisited. Every answer must still be right. Needs 128 MiB of RAM.

#include "guest-images/behaviour/rt/machine.hpp"
#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_load, "ld a1, 0(a0)");
SNIPPET(do_store, "sd a1, 0(a0)");

namespace {

constexpr u64 kVa = 0x10'0000'0000;
constexpr unsigned kSpaces = 2000;
constexpr unsigned kTables = 4000;

u64 satps[kSpaces];

u64 load(u64 va, Priv priv = Priv::S, u64 status = 0) {
    const u64 alias = priv == Priv::U ? kUserAlias : 0;
    const Frame frame = call(address(do_load) + alias, priv, {va}, status);
    return frame.completed() ? frame.x[a1] : ~frame.cause;
}

/// Each space has tables of its own and a page at kVa that holds its number.
void many_spaces() {
    for (unsigned i = 0; i < kSpaces; ++i) {
        Space space(SatpMode::Sv39);
        const u64 page = new_page();
        *reinterpret_cast<u64*>(page) = i;
        space.map(kVa, page, kRw);
        satps[i] = space.satp(i % 16);
    }
    Random random(11);
    u64 good = 0;
    for (unsigned i = 0; i < 3 * kSpaces; ++i) {
        const u64 n = i < kSpaces ? i : random.next() % kSpaces;
        csr_write<CsrNo::satp>(satps[n]);
        sfence();
        good += load(kVa) == n;
    }
    leave_space();
    say("spaces: good ", good);
    expect(good == 3 * kSpaces, "spaces");
}

/// One root over thousands of lowest-level tables, each seen by S, by S with SUM, by S with MXR and by U.
void wide_space() {
    Space space(SatpMode::Sv39);
    space.map_snippets();
    const u64 page = new_page();
    *reinterpret_cast<u64*>(page) = 0x77;
    space.enter();
    u64 good = 0;
    for (unsigned i = 0; i < kTables; ++i) {
        const u64 va = kVa + i * 2 * kMiB;
        space.map(va, page, kRw | (i & 1 ? kU : 0));
        const bool user_page = i & 1;
        good += load(va, Priv::S, Sstatus::SUM.mask) == 0x77;
        good += load(va, Priv::S, Sstatus::MXR.mask) == (user_page ? ~13ull : 0x77);
        good += load(va, Priv::U) == (user_page ? 0x77 : ~13ull);
        if (i % 16 == 0) sfence();
    }
    say("wide: good ", good);
    expect(good == 3 * kTables, "wide");
    // All of them again, then all of them replaced.
    const u64 other = new_page();
    *reinterpret_cast<u64*>(other) = 0x88;
    good = 0;
    for (unsigned i = 0; i < kTables; ++i) good += load(kVa + i * 2 * kMiB, Priv::S, Sstatus::SUM.mask) == 0x77;
    for (unsigned i = 0; i < kTables; ++i) space.map(kVa + i * 2 * kMiB, other, kRw);
    sfence();
    for (unsigned i = 0; i < kTables; ++i) good += load(kVa + i * 2 * kMiB) == 0x88;
    leave_space();
    say("wide again: good ", good);
    expect(good == 2 * kTables, "wide again");
}

/// The same memory as a table at every level of ever new roots, the entries rewritten under way.
void churn() {
    Random random(23);
    const u64 roots = new_page();
    constexpr unsigned kRoots = 64;
    for (unsigned i = 1; i < kRoots; ++i) new_page();
    u64 good = 0;
    for (unsigned round = 0; round < 5000; ++round) {
        const u64 root = roots + random.next() % kRoots * kPageSize;
        auto* entries = reinterpret_cast<volatile u64*>(root);
        for (unsigned i = 0; i < 8; ++i) {
            const u64 pick = random.next();
            entries[256 + i] = make_pte(roots + pick % kRoots * kPageSize, pick & 64 ? kTable : kRwx);
        }
        entries[kRam >> 30] = make_pte(kRam, kRwx | kG);
        csr_write<CsrNo::satp>(static_cast<u64>(SatpMode::Sv39) << 60 | root >> 12);
        sfence();
        const u64 va = ~0ull << 38 | (random.next() & 7) << 30 | (random.next() & 0x3fff'fff8);
        const Frame frame = call(do_load, Priv::S, {va});
        good += frame.completed() || frame.trapped(Cause::LoadPageFault) || frame.trapped(Cause::LoadAccess);
        leave_space();
    }
    say("churn: survived ", good);
    expect(good == 5000, "churn");
}

}  // namespace

GUEST(table_bomb) {
    if (!expect(ram_end() - kRam >= 128 * kMiB, "needs 128 MiB")) return;
    many_spaces();
    wide_space();
    churn();
}
