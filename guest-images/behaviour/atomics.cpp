// SPDX-License-Identifier: MIT
// Every AMO, and LR/SC, on plain memory: results, memory, reservations (Unprivileged, chapter 8).

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(lr_sc_w, "1: lr.w a2, (a0)\nadd a3, a2, a1\nsc.w a4, a3, (a0)\nbnez a4, 1b");
SNIPPET(lr_sc_d, "1: lr.d a2, (a0)\nadd a3, a2, a1\nsc.d a4, a3, (a0)\nbnez a4, 1b");
SNIPPET(sc_twice, "1: lr.d a2, (a0)\nsc.d a3, a1, (a0)\nbnez a3, 1b\nsc.d a4, a1, (a0)");
SNIPPET(sc_alone, "addi a3, a0, 64\n1: lr.d a2, (a3)\nsc.d a4, a2, (a3)\nbnez a4, 1b\nsc.d a4, a1, (a0)");

namespace {

constexpr u64 kVa = 0x21'0000'0000;

struct Amo {
    const char* name;
    u32 funct5;
};
constexpr Amo kAmos[] = {{"swap", 1}, {"add", 0},  {"xor", 4},   {"and", 12}, {"or", 8},
                         {"min", 16}, {"max", 20}, {"minu", 24}, {"maxu", 28}};

u64 apply(u32 funct5, u64 memory, u64 operand) {
    const auto m = static_cast<i64>(memory);
    const auto o = static_cast<i64>(operand);
    switch (funct5) {
        case 1: return operand;
        case 0: return memory + operand;
        case 4: return memory ^ operand;
        case 12: return memory & operand;
        case 8: return memory | operand;
        case 16: return m < o ? memory : operand;
        case 20: return m > o ? memory : operand;
        case 24: return memory < operand ? memory : operand;
        default: return memory > operand ? memory : operand;
    }
}

/// amoOP.{w,d}{,.aq,.rl,.aqrl} a2, a1, (a0)
constexpr u32 amo_insn(u32 funct5, bool wide, u32 order) {
    return funct5 << 27 | order << 25 | a1 << 20 | a0 << 15 | (wide ? 3u : 2u) << 12 | a2 << 7 | 0x2f;
}

void amos(u64& memory, u64 va, Priv priv) {
    Random random(5);
    for (const auto& [name, funct5] : kAmos) {
        for (bool wide : {false, true}) {
            u64 digest = 0;
            for (u32 order = 0; order < 4; ++order) {
                for (unsigned i = 0; i < 8; ++i) {
                    const u64 before = random.next();
                    const u64 operand = i < 2 ? before : random.next();
                    memory = before;
                    const Frame frame = exec(priv, {amo_insn(funct5, wide, order)}, {va, operand});
                    const u64 old = wide ? before : sign_extend(before, 32);
                    u64 want = wide ? apply(funct5, before, operand)
                                    : apply(funct5, sign_extend(before, 32), sign_extend(operand, 32));
                    if (!wide) want = (before >> 32 << 32) | (want & 0xffffffff);
                    expect(frame.completed() && frame.x[a2] == old && memory == want, name, " cause ", frame.cause);
                    digest = digest * 31 + frame.x[a2] + memory;
                }
            }
            say(priv == Priv::U ? "U amo" : "S amo", name, wide ? ".d: " : ".w: ", digest);
        }
    }
}

void reservations(u64& memory, u64 va, Priv priv, u64 alias) {
    const char* from = priv == Priv::U ? "U " : "S ";
    memory = 0x1'0000'0000;
    u64 done = 0;
    for (u64 i = 0; i < 100; ++i) {
        done += call(address(lr_sc_w) + alias, priv, {va, i}).completed();
        done += call(address(lr_sc_d) + alias, priv, {va, i << 32}).completed();
    }
    say(from, "lr/sc loops: done ", done, " memory ", memory);
    expect(done == 200 && memory == 0x1'0000'0000 + 4950 + (4950ull << 32), "lr/sc");
    memory = 3;
    const Frame twice = call(address(sc_twice) + alias, priv, {va, 4});
    say(from, "second sc: ", Ended{twice, address(sc_twice) + alias}, " first ", twice.x[a3], " second fails ",
        twice.x[a4] != 0);
    expect(twice.completed() && twice.x[a3] == 0 && twice.x[a4] != 0 && memory == 4, "second sc");
    const Frame alone = call(address(sc_alone) + alias, priv, {va, 9});
    say(from, "sc without lr: fails ", alone.x[a4] != 0, " memory ", memory);
    expect(alone.completed() && alone.x[a4] != 0 && memory == 4, "sc without lr");
}

}  // namespace

GUEST(atomics) {
    u64& memory = *reinterpret_cast<u64*>(new_page());
    const u64 pa = address(&memory);
    for (Priv priv : {Priv::S, Priv::U}) {
        amos(memory, pa, priv);
        reservations(memory, pa, priv, 0);
    }
    each_mode([&](SatpMode mode) {
        for (Priv priv : {Priv::S, Priv::U}) {
            Space space(mode);
            space.map_snippets();
            space.map(kVa, pa, kRw | (priv == Priv::U ? kU : 0));
            space.enter();
            if (priv == Priv::S) amos(memory, kVa, priv);
            reservations(memory, kVa, priv, priv == Priv::U ? kUserAlias : 0);
            leave_space();
        }
    });
}
