// SPDX-License-Identifier: MIT
// Floating point: sstatus.FS and SD (Privileged 1.12, 3.1.6.6) and that the registers survive whatever else happens.

#include "guest-images/behaviour/rt/rt.hpp"

using namespace uc;
using namespace uc::rt;

#define FP ".option push\n.option arch, +f, +d\n"
#define POP "\n.option pop"
#define EACH_F ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"

SNIPPET(f_load_all, FP EACH_F "fld f\\n, 8*\\n(a0)\n.endr" POP);
SNIPPET(f_store_all, FP EACH_F "fsd f\\n, 8*\\n(a0)\n.endr" POP);
SNIPPET(f_load, FP "fld f1, 0(a0)" POP);
SNIPPET(f_load_w, FP "flw f1, 0(a0)" POP);
SNIPPET(f_store, FP "fsd f1, 0(a0)" POP);
SNIPPET(f_move_out, FP "fmv.x.d a0, f1" POP);
SNIPPET(f_move_in, FP "fmv.d.x f1, a0" POP);
SNIPPET(f_add, FP "fadd.d f1, f2, f3" POP);
SNIPPET(f_compare, FP "feq.d a0, f1, f2" POP);
SNIPPET(f_csr_read, FP "csrr a0, fcsr" POP);
SNIPPET(f_csr_write, FP "csrw fcsr, a0\ncsrr a1, fcsr\ncsrr a2, frm\ncsrr a3, fflags" POP);
SNIPPET(f_flags_write, FP "csrw fflags, a0" POP);
SNIPPET(f_rm_set, FP "csrsi frm, 1" POP);
SNIPPET(f_c_load, FP "c.fld fa0, 0(a0)" POP);
SNIPPET(f_dynamic, FP "fadd.d f1, f2, f3, dyn" POP);
SNIPPET(f_divide, FP "fdiv.d f1, f2, f3\ncsrr a0, fflags" POP);
SNIPPET(do_ecall, "ecall");
SNIPPET(do_spin, "1: j 1b");
SNIPPET(do_illegal, ".word 0");

namespace {

u64 values[32];
u64 seen[32];
u64 word;

constexpr u64 fs(ExtState state) { return static_cast<u64>(state) << Sstatus::FS.lsb; }
u64 fs_of(const Frame& frame) { return Sstatus{{frame.sstatus}}.get(Sstatus::FS); }

struct Op {
    const char* name;
    const char* code;
    u64 arg;
};

/// Each kind of use under each FS. From U and from S the rules are the same.
void states() {
    const Op ops[] = {{"fld", f_load, address(&word)},
                      {"flw", f_load_w, address(&word)},
                      {"c.fld", f_c_load, address(&word)},
                      {"fsd", f_store, address(&word)},
                      {"fmv.x.d", f_move_out, 0},
                      {"fmv.d.x", f_move_in, 0x3ff0'0000'0000'0000},
                      {"fadd.d", f_add, 0},
                      {"feq.d", f_compare, 0},
                      {"csrr fcsr", f_csr_read, 0},
                      {"csrw fcsr", f_csr_write, 0},
                      {"csrw fflags", f_flags_write, 0},
                      {"csrsi frm", f_rm_set, 0}};
    for (Priv priv : {Priv::S, Priv::U}) {
        for (const Op& op : ops) {
            for (ExtState state : {ExtState::Off, ExtState::Initial, ExtState::Clean, ExtState::Dirty}) {
                const Frame frame = call(op.code, priv, {op.arg}, fs(state));
                say(priv == Priv::U ? "U " : "S ", op.name, " FS ", static_cast<u64>(state), ": cause ", frame.cause,
                    " tval ", frame.tval, " FS ", fs_of(frame), " SD ", frame.sstatus >> 63);
                expect(state == ExtState::Off ? frame.trapped(Cause::IllegalInstruction) : frame.completed(), op.name);
                expect((fs_of(frame) == 3) == (frame.sstatus >> 63 != 0), "SD follows FS");
            }
        }
    }
}

void check_values(const char* what) {
    for (u64& v : seen) v = 0;
    const Frame frame = call(f_store_all, Priv::S, {address(seen)}, fs(ExtState::Clean));
    u64 wrong = 0;
    for (unsigned i = 0; i < 32; ++i) wrong += seen[i] != values[i];
    say(what, ": wrong registers ", wrong, " FS ", fs_of(frame));
    expect(frame.completed() && wrong == 0, what);
}

void survival() {
    Random random(42);
    for (u64& v : values) v = random.next();
    expect(call(f_load_all, Priv::U, {address(values)}, fs(ExtState::Initial)).completed(), "load");
    check_values("after loading in U");
    for (Priv priv : {Priv::S, Priv::U}) {
        for (ExtState state : {ExtState::Off, ExtState::Initial, ExtState::Clean, ExtState::Dirty}) {
            call(do_illegal, priv, {}, fs(state));
            check_values("after an illegal instruction");
            if (priv == Priv::U) call(do_ecall, priv, {}, fs(state));
            check_values("after a call from U");
            csr_write<CsrNo::sie>(irq_bit(Irq::STI));
            for (unsigned i = 0; i < 10; ++i) {
                set_timer(rdtime() + 1000);
                expect(call(do_spin, priv, {}, fs(state) | Sstatus::SPIE.mask).interrupted(Irq::STI), "tick");
            }
            csr_write<CsrNo::sie>(0);
            set_timer(kNever);
            check_values("after ten timer interrupts");
        }
    }
    // Changing FS changes nothing else.
    for (u64 state = 0; state < 4; ++state) {
        csr_write<CsrNo::sstatus>(state << Sstatus::FS.lsb);
        sbi_call(sbi::Ext::Base, sbi::base::SpecVersion);
    }
    csr_write<CsrNo::sstatus>(0);
    check_values("after FS went through all states");
}

void control() {
    for (u64 value : {0ull, 0x1full, 0xe0ull, 0xffull, ~0ull, 0x45ull}) {
        const Frame frame = call(f_csr_write, Priv::U, {value}, fs(ExtState::Initial));
        say("fcsr written ", value, ": fcsr ", frame.x[a1], " frm ", frame.x[a2], " fflags ", frame.x[a3]);
        expect(frame.completed() && frame.x[a1] == (value & 0xff), "fcsr");
    }
    // A reserved dynamic rounding mode makes the instruction illegal (Unprivileged, 11.2).
    for (u64 mode = 0; mode < 8; ++mode) {
        call(f_csr_write, Priv::U, {mode << 5}, fs(ExtState::Initial));
        const Frame frame = call(f_dynamic, Priv::U, {}, fs(ExtState::Initial));
        say("rounding mode ", mode, ": ", Ended{frame, address(f_dynamic)});
        expect(mode < 5 ? frame.completed() : frame.trapped(Cause::IllegalInstruction), "rounding mode");
    }
    // One divided by zero sets DZ and traps nowhere.
    values[2] = 0x3ff0'0000'0000'0000;
    values[3] = 0;
    call(f_load_all, Priv::U, {address(values)}, fs(ExtState::Initial));
    call(f_csr_write, Priv::U, {0}, fs(ExtState::Initial));
    const Frame frame = call(f_divide, Priv::U, {}, fs(ExtState::Clean));
    say("1.0 / 0.0: ", Ended{frame, address(f_divide)}, " fflags ", frame.x[a0], " FS ", fs_of(frame));
    expect(frame.completed() && frame.x[a0] == 8 && fs_of(frame) == 3, "divide by zero");
}

}  // namespace

GUEST(fp_state) {
    word = 0x4000'0000'0000'0000;
    states();
    survival();
    control();
}
