// SPDX-License-Identifier: MIT
// Page-table entries written in every way an instruction can: parts of an entry, two at once, atomically, from FP
// registers, by user code. A hypervisor that watches its guest's tables has to understand each.

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

#define FP ".option push\n.option arch, +f, +d\n"
#define POP "\n.option pop"

// a0 = where the entry is, a1 = the new entry. Each leaves the entry equal to a1.
SNIPPET(by_sd, "sd a1, 0(a0)");
SNIPPET(by_c_sd, "c.sd a1, 0(a0)");
SNIPPET(by_c_sdsp, "mv t0, sp\naddi sp, a0, -16\nc.sdsp a1, 16(sp)\nmv sp, t0");
SNIPPET(by_sw, "sw a1, 0(a0)\nsrli a1, a1, 32\nsw a1, 4(a0)");
SNIPPET(by_c_sw, "c.sw a1, 0(a0)\nsrli a1, a1, 32\nc.sw a1, 4(a0)");
SNIPPET(by_c_swsp, "mv t0, sp\nmv sp, a0\nc.swsp a1, 0(sp)\nsrli a1, a1, 32\nc.swsp a1, 4(sp)\nmv sp, t0");
SNIPPET(by_sh, "li t0, 4\n1: sh a1, 0(a0)\nsrli a1, a1, 16\naddi a0, a0, 2\naddi t0, t0, -1\nbnez t0, 1b");
SNIPPET(by_sb, "li t0, 8\n1: sb a1, 0(a0)\nsrli a1, a1, 8\naddi a0, a0, 1\naddi t0, t0, -1\nbnez t0, 1b");
SNIPPET(by_fsd, FP "fmv.d.x f1, a1\nfsd f1, 0(a0)" POP);
SNIPPET(by_c_fsd, FP "fmv.d.x fa1, a1\nc.fsd fa1, 0(a0)" POP);
SNIPPET(by_c_fsdsp, FP "mv t0, sp\nmv sp, a0\nfmv.d.x fa1, a1\nc.fsdsp fa1, 0(sp)\nmv sp, t0" POP);
SNIPPET(by_fsw, FP "fmv.w.x f1, a1\nfsw f1, 0(a0)\nsrli a1, a1, 32\nfmv.w.x f1, a1\nfsw f1, 4(a0)" POP);
SNIPPET(by_amoswap, "amoswap.d a2, a1, (a0)");
SNIPPET(by_amoor, "amoand.d a2, x0, (a0)\namoor.d a2, a1, (a0)");
SNIPPET(by_amoadd, "ld a2, 0(a0)\nsub a2, a1, a2\namoadd.d a3, a2, (a0)");
SNIPPET(by_amoxor, "ld a2, 0(a0)\nxor a2, a1, a2\namoxor.d a3, a2, (a0)");
SNIPPET(by_amomaxu, "sd x0, 0(a0)\namomaxu.d a3, a1, (a0)");
SNIPPET(by_amo_w, "amoswap.w a2, a1, (a0)\nsrli a1, a1, 32\naddi a0, a0, 4\namoswap.w a2, a1, (a0)");
SNIPPET(by_lr_sc, "li t0, 1000\n1: lr.d a2, (a0)\nsc.d a3, a1, (a0)\nbeqz a3, 2f\naddi t0, t0, -1\nbnez t0, 1b\n2:");
SNIPPET(by_lr_sc_w,
        "li t0, 1000\n1: lr.w a2, (a0)\nsc.w a3, a1, (a0)\nbeqz a3, 2f\naddi t0, t0, -1\nbnez t0, 1b\n"
        "2: srli a1, a1, 32\nsw a1, 4(a0)");
// Misaligned: the neighbours' bytes are fetched first and written back unchanged.
SNIPPET(by_straddling,
        "ld t0, -8(a0)\nsrli t0, t0, 32\nslli t1, a1, 32\nor t0, t0, t1\nsd t0, -4(a0)\n"
        "srli t1, a1, 32\nlwu t0, 8(a0)\nslli t0, t0, 32\nor t0, t0, t1\nsd t0, 4(a0)");
SNIPPET(do_load, "ld a1, 0(a0)");

namespace {

struct Way {
    const char* name;
    const char* code;
};
const Way kWays[] = {{"sd", by_sd},           {"c.sd", by_c_sd},       {"c.sdsp", by_c_sdsp},
                     {"sw", by_sw},           {"c.sw", by_c_sw},       {"c.swsp", by_c_swsp},
                     {"sh", by_sh},           {"sb", by_sb},           {"fsd", by_fsd},
                     {"c.fsd", by_c_fsd},     {"c.fsdsp", by_c_fsdsp}, {"fsw", by_fsw},
                     {"amoswap", by_amoswap}, {"amoor", by_amoor},     {"amoadd", by_amoadd},
                     {"amoxor", by_amoxor},   {"amomaxu", by_amomaxu}, {"amoswap.w", by_amo_w},
                     {"lr/sc", by_lr_sc},     {"lr/sc.w", by_lr_sc_w}, {"straddling", by_straddling}};

/// What the written entry maps: not by the first entry of any table, for the straddling store touches its neighbours.
constexpr u64 mapped_va(SatpMode mode) { return 0x21'00a0'7000 | (mode == SatpMode::Sv39 ? 0 : 3ull << 39); }
constexpr u64 kWindow = 0x22'0000'0000;  // where user code sees the tables

u64 data[2];

/// Rewrites the entry at `where` (as the code sees it) back and forth; what `va` shows must follow.
void rewrite(const Way& way, Space& space, unsigned level, u64 where, Priv priv) {
    const u64 va = mapped_va(space.mode());
    volatile u64& pte = space.entry(va, level);
    const u64 alias = priv == Priv::U ? kUserAlias : 0;
    // At level 0 the two leaves; above, two tables that differ.
    static u64 choices[2];
    if (level == 0) {
        for (unsigned i = 0; i < 2; ++i) choices[i] = make_pte(data[i], kRw);
    } else {
        choices[0] = pte;
        const u64 copy = new_page();
        for (unsigned i = 0; i < kPtesPerTable; ++i)
            reinterpret_cast<u64*>(copy)[i] = reinterpret_cast<u64*>(choices[0] >> 10 << 12)[i];
        choices[1] = make_pte(copy, kTable);
        if (level == 1) reinterpret_cast<u64*>(copy)[pte_index(va, 0)] = make_pte(data[1], kRw);
    }
    u64 good = 0;
    for (unsigned round = 1; round <= 6; ++round) {
        const u64 value = choices[round & 1];
        const Frame frame = call(address(way.code) + alias, priv, {where, value}, Sstatus::FS.mask);
        expect(frame.completed(), way.name, ": ", Ended{frame, address(way.code) + alias});
        asm volatile("sfence.vma %0" ::"r"(va) : "memory");
        const Frame load = call(do_load, Priv::S, {va});
        const u64 want = level <= 1 ? 0xda7a0 + (round & 1) : 0xda7a0;
        good += pte == value && load.completed() && load.x[a1] == want;
    }
    say("level ", level, priv == Priv::U ? " U " : " S ", way.name, ": good ", good);
    expect(good == 6, way.name);
    pte = choices[0];
    sfence();
}

/// One store whose halves lie in two tables that are neighbours in memory.
void across_tables(SatpMode mode) {
    Space space(mode);
    const u64 pair = new_page();
    const u64 second = new_page();
    if (!expect(second == pair + kPageSize, "pages are not neighbours")) return;
    constexpr u64 kVa = 0x21'0000'0000;
    space.entry(kVa, 1) = make_pte(pair, kTable);
    space.entry(kVa + 2 * kMiB, 1) = make_pte(second, kTable);
    const u64 last_va = kVa + 2 * kMiB - kPageSize;
    const u64 next_va = kVa + 2 * kMiB;
    u64 good = 0;
    space.enter();
    for (unsigned round = 0; round < 6; ++round) {
        const u64 low = make_pte(data[round & 1], kRw);
        const u64 high = make_pte(data[~round & 1], kRw);
        // Bytes 4..11 of the pair (low, high) by one misaligned store, the rest before it.
        *reinterpret_cast<u32*>(second - 8) = static_cast<u32>(low);
        *reinterpret_cast<u32*>(second + 4) = static_cast<u32>(high >> 32);
        const Frame frame = call(by_sd, Priv::S, {second - 4, low >> 32 | high << 32});
        sfence();
        const Frame one = call(do_load, Priv::S, {last_va});
        const Frame two = call(do_load, Priv::S, {next_va});
        good += frame.completed() && one.x[a1] == 0xda7a0 + (round & 1) && two.x[a1] == 0xda7a0 + (~round & 1);
    }
    leave_space();
    say("one store across two tables: good ", good);
    expect(good == 6, "across two tables");
}

}  // namespace

GUEST(table_stores) {
    for (u64 i = 0; i < 2; ++i) {
        data[i] = new_page();
        *reinterpret_cast<u64*>(data[i]) = 0xda7a0 + i;
    }
    each_mode([](SatpMode mode) {
        for (unsigned level = 0; level < levels(mode) - 1; ++level) {
            Space space(mode);
            space.map_snippets();
            space.map(mapped_va(mode), data[0], kRw);
            const u64 entry = address(const_cast<u64*>(&space.entry(mapped_va(mode), level)));
            space.map(kWindow, align_down(entry, kPageSize), kRw | kU);
            space.enter();
            for (const Way& way : kWays) {
                rewrite(way, space, level, entry, Priv::S);
                rewrite(way, space, level, kWindow + entry % kPageSize, Priv::U);
            }
            leave_space();
        }
        across_tables(mode);
    });
}
