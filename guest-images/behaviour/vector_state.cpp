// SPDX-License-Identifier: MIT
// Vectors, where the hart has V: sstatus.VS and SD, and that the registers survive (Privileged 1.12, 3.1.6.6).

#include "guest-images/behaviour/rt/rt.hpp"

using namespace uc;
using namespace uc::rt;

#define V ".option push\n.option arch, +v\n"
#define POP "\n.option pop"

SNIPPET(v_length, V "csrr a0, vlenb" POP);
SNIPPET(v_config, V "vsetvli a0, x0, e8, m8, ta, ma\ncsrr a1, vl\ncsrr a2, vtype" POP);
SNIPPET(v_load_all, V
        "vl8re8.v v0, (a0)\nadd a0, a0, a1\nvl8re8.v v8, (a0)\nadd a0, a0, a1\nvl8re8.v v16, (a0)\n"
        "add a0, a0, a1\nvl8re8.v v24, (a0)" POP);
SNIPPET(v_store_all, V
        "vs8r.v v0, (a0)\nadd a0, a0, a1\nvs8r.v v8, (a0)\nadd a0, a0, a1\nvs8r.v v16, (a0)\n"
        "add a0, a0, a1\nvs8r.v v24, (a0)" POP);
SNIPPET(v_start, V "csrw vstart, a0\ncsrr a1, vstart\ncsrw vstart, x0" POP);
SNIPPET(v_csr, V "csrw vcsr, a0\ncsrr a1, vcsr\ncsrr a2, vxsat\ncsrr a3, vxrm" POP);
SNIPPET(do_spin, "1: j 1b");
SNIPPET(do_illegal, ".word 0");

namespace {

constexpr unsigned kBytes = 32 * 128;  // VLEN up to 1024
alignas(16) u8 values[kBytes];
alignas(16) u8 seen[kBytes];

constexpr u64 vs(ExtState state) { return static_cast<u64>(state) << Sstatus::VS.lsb; }
u64 vs_of(const Frame& frame) { return Sstatus{{frame.sstatus}}.get(Sstatus::VS); }

void states(u64 step) {
    struct Op {
        const char* name;
        const char* code;
        u64 arg;
    };
    const Op ops[] = {{"vlenb", v_length, 0},
                      {"vsetvli", v_config, 0},
                      {"loads", v_load_all, address(values)},
                      {"stores", v_store_all, address(seen)},
                      {"vstart", v_start, 1},
                      {"vcsr", v_csr, 7}};
    for (Priv priv : {Priv::S, Priv::U}) {
        for (const Op& op : ops) {
            for (ExtState state : {ExtState::Off, ExtState::Initial, ExtState::Clean, ExtState::Dirty}) {
                const Frame frame = call(op.code, priv, {op.arg, step}, vs(state));
                say(priv == Priv::U ? "U " : "S ", op.name, " VS ", static_cast<u64>(state), ": cause ", frame.cause,
                    " tval ", frame.tval, " VS ", vs_of(frame), " SD ", frame.sstatus >> 63);
                expect(state == ExtState::Off ? frame.trapped(Cause::IllegalInstruction) : frame.completed(), op.name);
            }
        }
    }
}

void check_values(const char* what, u64 step) {
    for (u8& v : seen) v = 0;
    const Frame frame = call(v_store_all, Priv::S, {address(seen), step}, vs(ExtState::Clean));
    u64 wrong = 0;
    for (u64 i = 0; i < 4 * step; ++i) wrong += seen[i] != values[i];
    say(what, ": wrong bytes ", wrong);
    expect(frame.completed() && wrong == 0, what);
}

}  // namespace

GUEST(vector_state) {
    const Frame probe = call(v_length, Priv::S, {}, vs(ExtState::Initial));
    if (!probe.completed()) return say("no vectors: ", Ended{probe, address(v_length)});
    const u64 step = probe.x[a0] * 8;
    say("vlenb ", probe.x[a0]);
    if (!expect(4 * step <= kBytes, "VLEN")) return;
    Random random(7);
    for (u8& v : values) v = static_cast<u8>(random.next());
    states(step);

    expect(call(v_load_all, Priv::U, {address(values), step}, vs(ExtState::Initial)).completed(), "load");
    check_values("after loading in U", step);
    const Frame config = call(v_config, Priv::U, {}, vs(ExtState::Clean));
    say("vl ", config.x[a1], " vtype ", config.x[a2]);
    for (Priv priv : {Priv::S, Priv::U}) {
        for (ExtState state : {ExtState::Off, ExtState::Clean, ExtState::Dirty}) {
            call(do_illegal, priv, {}, vs(state));
            check_values("after an illegal instruction", step);
            csr_write<CsrNo::sie>(irq_bit(Irq::STI));
            for (unsigned i = 0; i < 10; ++i) {
                set_timer(rdtime() + 1000);
                expect(call(do_spin, priv, {}, vs(state) | Sstatus::SPIE.mask).interrupted(Irq::STI), "tick");
            }
            csr_write<CsrNo::sie>(0);
            set_timer(kNever);
            check_values("after ten timer interrupts", step);
        }
    }
}
