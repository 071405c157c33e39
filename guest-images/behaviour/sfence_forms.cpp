// SPDX-License-Identifier: MIT
// sfence.vma in its four forms, ASIDs, changed leaves and tables, tables that become data and back, many address spaces
// (Privileged 1.12, 4.2.1). Only what a fence promises is looked at; a stale answer without one is allowed.

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_load, "ld a1, 0(a0)");
SNIPPET(do_store, "sd a1, 0(a0)");

namespace {

constexpr u64 kVa = 0x21'0000'0000;
constexpr u64 kSize2M = 2 * kMiB;

u64& at(u64 pa) { return *reinterpret_cast<u64*>(pa); }

enum class Form { All, Va, Asid, VaAsid };

void fence(Form form, u64 va, u64 asid) {
    switch (form) {
        case Form::All: asm volatile("sfence.vma" ::: "memory"); return;
        case Form::Va: asm volatile("sfence.vma %0" ::"r"(va) : "memory"); return;
        case Form::Asid: asm volatile("sfence.vma x0, %0" ::"r"(asid) : "memory"); return;
        case Form::VaAsid: asm volatile("sfence.vma %0, %1" ::"r"(va), "r"(asid) : "memory"); return;
    }
}

u64 load(u64 va) {
    const Frame frame = call(do_load, Priv::S, {va});
    return frame.completed() ? frame.x[a1] : frame.cause;
}
bool stores(u64 va, u64 value) { return call(do_store, Priv::S, {va, value}).completed(); }

u64 marked_page(u64 mark) {
    const u64 page = new_page();
    at(page) = mark;
    return page;
}

void forms(Space& space, u64 asid, u64 first, u64 second) {
    space.enter(asid);
    for (Form form : {Form::All, Form::Va, Form::Asid, Form::VaAsid}) {
        u64 good = 0;
        for (unsigned round = 0; round < 50; ++round) {
            const u64 page = round & 1 ? first : second;
            space.map(kVa, page, kRw);
            fence(form, kVa + 8 * (round % 512), asid);  // any address in the page names it
            good += load(kVa) == at(page);
        }
        space.map(kVa, first, kV | kR | kA);
        fence(form, kVa, asid);
        const bool downgraded = !stores(kVa, 1);
        space.map(kVa, first, kRw);
        fence(form, kVa, asid);
        const bool upgraded = stores(kVa, at(first));
        space.entry(kVa) = 0;
        fence(form, kVa, asid);
        const u64 gone = load(kVa);
        say("asid ", asid, " form ", static_cast<u64>(form), ": remapped ", good, " downgraded ", downgraded,
            " upgraded ", upgraded, " unmapped ", gone);
        expect(good == 50 && downgraded && upgraded && gone == 13, "form ", static_cast<u64>(form));
    }
}

/// Switching between known address spaces needs no fence where ASIDs are told apart.
void asids(SatpMode mode, u64 first, u64 second) {
    Space one(mode);
    Space two(mode);
    one.enter(1);
    const bool have_asids = Satp{{csr_read<CsrNo::satp>()}}.get(Satp::ASID) == 1;
    // Not global: the runtime's own mapping is, and is the same in both.
    one.map(kVa, first, kRw);
    two.map(kVa, second, kRw);
    sfence();
    u64 good = 0;
    for (unsigned round = 0; round < 200; ++round) {
        const bool second_turn = round & 1;
        csr_write<CsrNo::satp>(second_turn ? two.satp(2) : one.satp(1));
        if (!have_asids) sfence();
        good += load(kVa) == at(second_turn ? second : first);
        good += stores(kVa + 8, round) && at((second_turn ? second : first) + 8) == round;
    }
    say("switched by satp alone: good ", good);
    expect(good == 400, "switched");

    // The root of one moves to another ASID, whose old entries are fenced away.
    csr_write<CsrNo::satp>(one.satp(2));
    fence(Form::Asid, 0, have_asids ? 2 : 0);
    if (!have_asids) sfence();
    say("ASID reused: ", load(kVa) == at(first));
    expect(load(kVa) == at(first), "ASID reused");

    // A change made while the space is not current, fenced by its ASID, is seen when it comes back.
    two.map(kVa, first, kRw);
    fence(Form::VaAsid, kVa, have_asids ? 2 : 0);
    csr_write<CsrNo::satp>(two.satp(2));
    fence(Form::Asid, 0, have_asids ? 2 : 0);
    if (!have_asids) sfence();
    say("changed while away: ", load(kVa) == at(first));
    expect(load(kVa) == at(first), "changed while away");
    leave_space();
}

/// 2 MiB as one leaf, as a table of 4 KiB leaves with one of them different, and back.
void superpages(SatpMode mode, u64 other) {
    Space space(mode);
    const u64 big = kRam + 96 * kMiB;
    for (u64 offset = 0; offset < kSize2M; offset += kPageSize) at(big + offset) = offset;
    volatile u64& pte = space.entry(kVa, 1);
    u64 good = 0;
    space.enter();
    for (unsigned round = 0; round < 4; ++round) {
        pte = make_pte(big, kRw);
        fence(round & 1 ? Form::All : Form::Va, kVa, 0);
        for (u64 offset = 0; offset < kSize2M; offset += 16 * kPageSize) good += load(kVa + offset) == offset;
        const u64 table = new_page();
        for (u64 i = 0; i < kPtesPerTable; ++i) (&at(table))[i] = make_pte(big + i * kPageSize, kRw);
        (&at(table))[16] = make_pte(other, kRw);
        pte = make_pte(table, kTable);
        // The architecture lets a fence of one address leave the old superpage to other addresses: fence all.
        sfence();
        for (u64 offset = 0; offset < kSize2M; offset += 16 * kPageSize)
            good += load(kVa + offset) == (offset == 16 * kPageSize ? at(other) : offset);
    }
    leave_space();
    say("superpage and split: good ", good);
    expect(good == 4 * 2 * 32, "superpage and split");
}

/// A table taken out of the tree is plain memory; put back, it maps again.
void tables_as_data(SatpMode mode, u64 first, u64 second) {
    Space space(mode);
    space.map(kVa, first, kRw);
    volatile u64& upper = space.entry(kVa, 1);
    const u64 linked = upper;
    const u64 table = linked >> 10 << 12;
    space.enter();
    u64 good = 0;
    for (u64 round = 1; round <= 20; ++round) {
        good += load(kVa) == at(first);
        upper = 0;
        sfence();
        good += load(kVa) == 13;
        for (u64 i = 0; i < kPtesPerTable; ++i) (&at(table))[i] = round * i;
        for (u64 i = 0; i < kPtesPerTable; ++i) good += (&at(table))[i] == round * i;
        for (u64 i = 0; i < kPtesPerTable; ++i) (&at(table))[i] = 0;
        at(table) = make_pte(round & 1 ? second : first, kRw);
        upper = linked;
        sfence();
        good += load(kVa) == at(round & 1 ? second : first);
        at(table) = make_pte(first, kRw);
        fence(Form::Va, kVa, 0);
    }
    // The table mapped into the space that uses it, and changed through that.
    space.map(kVa + kPageSize, table, kRw);
    sfence();
    for (u64 round = 1; round <= 20; ++round) {
        good += stores(kVa + kPageSize, make_pte(round & 1 ? second : first, kRw));
        fence(Form::Va, kVa, 0);
        good += load(kVa) == at(round & 1 ? second : first);
    }
    leave_space();
    say("tables as data: good ", good);
    expect(good == 20 * (3 + kPtesPerTable) + 40, "tables as data");
}

/// The same few tables under many roots, visited again and again.
void many_spaces(SatpMode mode) {
    constexpr unsigned kSpaces = 60;
    static u64 satps[kSpaces];
    static u64 pages[kSpaces];
    for (unsigned i = 0; i < kSpaces; ++i) {
        Space space(mode);
        pages[i] = marked_page(1000 + i);
        space.map(kVa, pages[i], kRw);
        satps[i] = space.satp();
    }
    u64 good = 0;
    for (unsigned round = 0; round < 5; ++round) {
        for (unsigned i = 0; i < kSpaces; ++i) {
            csr_write<CsrNo::satp>(satps[i]);
            sfence();
            good += load(kVa) == 1000 + i;
        }
    }
    leave_space();
    say("many spaces: good ", good);
    expect(good == 5 * kSpaces, "many spaces");
}

}  // namespace

GUEST(sfence_forms) {
    const u64 first = marked_page(0x1111);
    const u64 second = marked_page(0x2222);
    each_mode([&](SatpMode mode) {
        Space space(mode);
        forms(space, 0, first, second);
        space.enter(5);
        const u64 asid = Satp{{csr_read<CsrNo::satp>()}}.get(Satp::ASID);
        leave_space();
        if (asid == 5) forms(space, 5, first, second);
        asids(mode, first, second);
        superpages(mode, first);
        tables_as_data(mode, first, second);
        many_spaces(mode);
    });
}
