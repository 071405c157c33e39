// SPDX-License-Identifier: MIT
// Misaligned loads and stores of every width, inside a page and across two that are not neighbours in physical memory.
// The bare machine does them or has its firmware do them; either way the bytes are the same.

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

#define FP ".option push\n.option arch, +f, +d\n"
#define POP "\n.option pop"

SNIPPET(do_lh, "lh a1, 0(a0)");
SNIPPET(do_lhu, "lhu a1, 0(a0)");
SNIPPET(do_lw, "lw a1, 0(a0)");
SNIPPET(do_lwu, "lwu a1, 0(a0)");
SNIPPET(do_ld, "ld a1, 0(a0)");
SNIPPET(do_c_lw, "c.lw a1, 0(a0)");
SNIPPET(do_c_ld, "c.ld a1, 0(a0)");
SNIPPET(do_c_ldsp, "mv t0, sp\nmv sp, a0\nc.ldsp a1, 0(sp)\nmv sp, t0");
SNIPPET(do_flw, FP "flw f1, 0(a0)\nfmv.x.w a1, f1" POP);
SNIPPET(do_fld, FP "fld f1, 0(a0)\nfmv.x.d a1, f1" POP);
SNIPPET(do_sh, "sh a1, 0(a0)");
SNIPPET(do_sw, "sw a1, 0(a0)");
SNIPPET(do_sd, "sd a1, 0(a0)");
SNIPPET(do_c_sw, "c.sw a1, 0(a0)");
SNIPPET(do_c_sd, "c.sd a1, 0(a0)");
SNIPPET(do_c_sdsp, "mv t0, sp\nmv sp, a0\nc.sdsp a1, 0(sp)\nmv sp, t0");
SNIPPET(do_fsw, FP "fmv.w.x f1, a1\nfsw f1, 0(a0)" POP);
SNIPPET(do_fsd, FP "fmv.d.x f1, a1\nfsd f1, 0(a0)" POP);

namespace {

constexpr u64 kVa = 0x21'0000'0000;

struct Insn {
    const char* name;
    const char* code;
    unsigned size;
    bool sign;
};
const Insn kLoads[] = {{"lh", do_lh, 2, true},     {"lhu", do_lhu, 2, false},      {"lw", do_lw, 4, true},
                       {"lwu", do_lwu, 4, false},  {"ld", do_ld, 8, true},         {"c.lw", do_c_lw, 4, true},
                       {"c.ld", do_c_ld, 8, true}, {"c.ldsp", do_c_ldsp, 8, true}, {"flw", do_flw, 4, true},
                       {"fld", do_fld, 8, true}};
const Insn kStores[] = {{"sh", do_sh, 2, true},     {"sw", do_sw, 4, true},     {"sd", do_sd, 8, true},
                        {"c.sw", do_c_sw, 4, true}, {"c.sd", do_c_sd, 8, true}, {"c.sdsp", do_c_sdsp, 8, true},
                        {"fsw", do_fsw, 4, true},   {"fsd", do_fsd, 8, true}};

u64 pages[2];

u8& byte(u64 offset) { return *reinterpret_cast<u8*>(pages[offset / kPageSize] + offset % kPageSize); }

u64 expected(u64 offset, const Insn& insn) {
    u64 value = 0;
    for (unsigned i = 0; i < insn.size; ++i) value |= static_cast<u64>(byte(offset + i)) << 8 * i;
    return insn.sign ? sign_extend(value, 8 * insn.size) : value;
}

void fill() {
    Random random(99);
    for (u64 i = 0; i < 2 * kPageSize; ++i) byte(i) = static_cast<u8>(random.next());
}

/// Offsets around a place in the middle of a page, then around the boundary.
void exercise(u64 base, Priv priv, u64 alias) {
    for (u64 middle : {u64{0x800}, kPageSize}) {
        for (const Insn& insn : kLoads) {
            fill();
            u64 digest = 0;
            for (u64 offset = middle - 8; offset <= middle + 8; ++offset) {
                const Frame frame = call(address(insn.code) + alias, priv, {base + offset}, Sstatus::FS.mask);
                expect(frame.completed() && frame.x[a1] == expected(offset, insn), insn.name, " at ", offset, " gives ",
                       frame.x[a1], " cause ", frame.cause);
                digest = digest * 31 + frame.x[a1];
            }
            say(priv == Priv::U ? "U " : "S ", insn.name, " around ", middle, ": ", digest);
        }
        for (const Insn& insn : kStores) {
            u64 digest = 0;
            for (u64 offset = middle - 8; offset <= middle + 8; ++offset) {
                fill();
                const u8 below = byte(offset - 1);
                const u8 above = byte(offset + insn.size);
                const u64 value = 0x8182838485868788 + offset;
                const Frame frame = call(address(insn.code) + alias, priv, {base + offset, value}, Sstatus::FS.mask);
                const u64 stored = expected(offset, insn);
                expect(frame.completed() && stored == sign_extend(value, 8 * insn.size) && byte(offset - 1) == below &&
                           byte(offset + insn.size) == above,
                       insn.name, " at ", offset, " cause ", frame.cause);
                digest = digest * 31 + stored;
            }
            say(priv == Priv::U ? "U " : "S ", insn.name, " around ", middle, ": ", digest);
        }
    }
}

}  // namespace

GUEST(misaligned) {
    pages[0] = new_page();
    pages[1] = new_page();
    exercise(pages[0], Priv::S, 0);
    exercise(pages[0], Priv::U, 0);
    pages[1] = new_page();
    each_mode([](SatpMode mode) {
        // The two pages in reverse, with a hole between them.
        const u64 low = pages[0] < pages[1] ? pages[1] : pages[0];
        pages[1] = pages[0] < pages[1] ? pages[0] : pages[1];
        pages[0] = low;
        for (Priv priv : {Priv::S, Priv::U}) {
            Space space(mode);
            space.map_snippets();
            space.map(kVa, pages[0], kRw | (priv == Priv::U ? kU : 0));
            space.map(kVa + kPageSize, pages[1], kRw | (priv == Priv::U ? kU : 0));
            space.enter();
            exercise(kVa, priv, priv == Priv::U ? kUserAlias : 0);
            leave_space();
        }
    });
}
