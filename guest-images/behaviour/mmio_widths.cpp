// SPDX-License-Identifier: MIT
// Device registers reached by every load and store that fits them: sign extension, compressed forms, FP registers,
// through page tables (the UART's scratch register, one byte; a PLIC priority register, four). What other widths and
// atomics do to a device is the machine's own business.

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

#define FP ".option push\n.option arch, +f, +d\n"
#define POP "\n.option pop"

SNIPPET(do_lb, "lb a1, 0(a0)");
SNIPPET(do_lbu, "lbu a1, 0(a0)");
SNIPPET(do_lh, "lh a1, 0(a0)");
SNIPPET(do_lhu, "lhu a1, 0(a0)");
SNIPPET(do_lw, "lw a1, 0(a0)");
SNIPPET(do_lw_x0, "lw x0, 0(a0)");
SNIPPET(do_lw_offset, "addi a0, a0, -2044\nlw a1, 2044(a0)");
SNIPPET(do_lw_far, "li t0, 2048\nadd a0, a0, t0\nlw a0, -2048(a0)\nmv a1, a0");
SNIPPET(do_lwu, "lwu a1, 0(a0)");
SNIPPET(do_ld, "ld a1, 0(a0)");
SNIPPET(do_c_lw, "c.lw a1, 0(a0)");
SNIPPET(do_c_lwsp, "mv t0, sp\nmv sp, a0\nc.lwsp a1, 0(sp)\nmv sp, t0");
SNIPPET(do_flw, FP "flw f1, 0(a0)\nfmv.x.d a1, f1" POP);
SNIPPET(do_sb, "sb a1, 0(a0)");
SNIPPET(do_sh, "sh a1, 0(a0)");
SNIPPET(do_sw, "sw a1, 0(a0)");
SNIPPET(do_sd, "sd a1, 0(a0)");
SNIPPET(do_c_sw, "c.sw a1, 0(a0)");
SNIPPET(do_c_swsp, "mv t0, sp\nmv sp, a0\nc.swsp a1, 0(sp)\nmv sp, t0");
SNIPPET(do_fsw, FP "fmv.w.x f1, a1\nfsw f1, 0(a0)" POP);
SNIPPET(do_sw_x0, "sw x0, 0(a0)");
SNIPPET(do_amo, "amoswap.w a1, a1, (a0)");
SNIPPET(do_lr, "lr.w a1, (a0)");

namespace {

constexpr u64 kScratch = 0x10000007;
constexpr u64 kPriority = 0x0c000000 + 4;  // of source 1
constexpr u64 kUartVa = 0x23'0000'0000;
constexpr u64 kPlicVa = 0x23'4000'0000;

struct Insn {
    const char* name;
    const char* code;
};

u64 offset;  // from physical to virtual for the device at hand
u64 alias;
Priv priv;

Frame on(const char* code, u64 pa, u64 value = 0) {
    return call(address(code) + alias, priv, {pa + offset, value}, Sstatus::FS.mask);
}
void show(const char* name, const Frame& frame, const char* code) {
    say(priv == Priv::U ? "U " : "S ", name, ": ", Ended{frame, address(code) + alias}, " value ", frame.x[a1], " FS ",
        Sstatus{{frame.sstatus}}.get(Sstatus::FS));
}

void scratch() {
    for (u64 value : {u64{0x5a}, u64{0x80}, u64{0xff}, u64{0x123}}) {
        expect(on(do_sb, kScratch, value).completed(), "sb");
        for (const Insn& load : {Insn{"lb", do_lb}, Insn{"lbu", do_lbu}}) {
            const Frame frame = on(load.code, kScratch);
            show(load.name, frame, load.code);
            const u64 byte = value & 0xff;
            expect(frame.completed() && frame.x[a1] == (load.code == do_lb ? sign_extend(byte, 8) : byte), load.name);
        }
    }
}

void priority() {
    const Insn stores[] = {{"sw", do_sw}, {"c.sw", do_c_sw}, {"c.swsp", do_c_swsp}, {"fsw", do_fsw}};
    const Insn loads[] = {
        {"lw", do_lw},          {"lwu", do_lwu}, {"c.lw", do_c_lw}, {"c.lwsp", do_c_lwsp}, {"lw above", do_lw_offset},
        {"lw below", do_lw_far}};
    u64 value = 0;
    for (const Insn& store : stores) {
        value = value % 7 + 1;  // priorities 1 to 7
        const Frame stored = on(store.code, kPriority, value);
        expect(stored.completed(), store.name, ": ", Ended{stored, address(store.code) + alias});
        for (const Insn& load : loads) {
            const Frame frame = on(load.code, kPriority);
            say(priv == Priv::U ? "U " : "S ", store.name, " then ", load.name, ": ",
                Ended{frame, address(load.code) + alias}, " value ", frame.x[a1]);
            expect(frame.completed() && frame.x[a1] == value, load.name);
        }
        const Frame fp = on(do_flw, kPriority);
        show("flw", fp, do_flw);
        expect(fp.completed() && fp.x[a1] == (0xffffffff'00000000 | value), "flw boxes its value");
    }
    const Frame none = on(do_lw_x0, kPriority);
    show("lw x0", none, do_lw_x0);
    on(do_sw_x0, kPriority);
    const Frame zero = on(do_lw, kPriority);
    show("sw x0, lw", zero, do_lw);
    expect(none.completed() && zero.x[a1] == 0, "x0");
    // A use of the FP registers without permission never reaches the device.
    const Frame off = call(address(do_flw) + alias, priv, {kPriority + offset, 0});
    say(priv == Priv::U ? "U " : "S ", "flw with FS Off: ", Ended{off, address(do_flw) + alias});
    expect(off.trapped(Cause::IllegalInstruction), "FS Off");
}

void the_machines_own() {
    MachineLines mark;
    for (const Insn& insn : {Insn{"lb", do_lb}, Insn{"lhu", do_lhu}, Insn{"ld", do_ld}, Insn{"sb", do_sb},
                             Insn{"sh", do_sh}, Insn{"sd", do_sd}, Insn{"amo", do_amo}, Insn{"lr", do_lr}}) {
        const Frame frame = on(insn.code, 0x0c000008);
        show(insn.name, frame, insn.code);
        expect(frame.completed() || ((frame.trapped(Cause::LoadAccess) || frame.trapped(Cause::StoreAccess)) &&
                                     frame.tval == 0x0c000008 + offset),
               "neither done nor an access fault");
    }
    for (const Insn& insn : {Insn{"lh", do_lh}, Insn{"lw", do_lw}, Insn{"ld", do_ld}}) {
        const Frame frame = on(insn.code, 0x10000000);
        show(insn.name, frame, insn.code);
        expect(frame.completed() || (frame.trapped(Cause::LoadAccess) && frame.tval == 0x10000000 + offset),
               "neither done nor an access fault");
    }
}

}  // namespace

GUEST(mmio_widths) {
    for (Priv p : {Priv::S, Priv::U}) {
        priv = p;
        scratch();
        priority();
        the_machines_own();
    }
    each_mode([](SatpMode mode) {
        for (Priv p : {Priv::S, Priv::U}) {
            priv = p;
            alias = p == Priv::U ? kUserAlias : 0;
            Space space(mode);
            space.map_snippets();
            space.map(kUartVa, 0x10000000, kRw | (p == Priv::U ? kU : 0));
            space.map(kPlicVa, 0x0c000000, kRw | (p == Priv::U ? kU : 0));
            space.enter();
            offset = kUartVa - 0x10000000;
            scratch();
            offset = kPlicVa - 0x0c000000;
            priority();
            leave_space();
        }
    });
}
