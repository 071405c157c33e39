// SPDX-License-Identifier: MIT
// Every kind of exception from S-mode and U-mode: cause, stval, sepc (Privileged 1.12, 4.1.8, 4.1.9 and table 3.7).

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_lb, "lb a1, 0(a0)");
SNIPPET(do_lhu, "lhu a1, 0(a0)");
SNIPPET(do_lw, "lw a1, 0(a0)");
SNIPPET(do_ld, "ld a1, 0(a0)");
SNIPPET(do_c_ld, "c.ld a1, 0(a0)");
SNIPPET(do_sb, "sb a1, 0(a0)");
SNIPPET(do_sh, "sh a1, 0(a0)");
SNIPPET(do_sw, "sw a1, 0(a0)");
SNIPPET(do_sd, "sd a1, 0(a0)");
SNIPPET(do_c_sd, "c.sd a1, 0(a0)");
SNIPPET(do_amo, "amoadd.d a2, a1, (a0)");
SNIPPET(do_amo_w, "amoswap.w a2, a1, (a0)");
SNIPPET(do_lr, "lr.d a1, (a0)");
SNIPPET(do_sc, "1: lr.d a1, (a2)\nsc.d a3, a1, (a0)");
SNIPPET(do_jump, "jr a0");
SNIPPET(do_ecall, "ecall");
SNIPPET(do_ebreak, "ebreak");
SNIPPET(do_c_ebreak, "c.ebreak");

namespace {

constexpr u64 kHole = 0x18000000;       // no device and no RAM, here or on a bare virt or sifive_u
constexpr u64 kPages = 0x21'0000'0000;  // a mapped page, then nothing
constexpr u64 kNowhere = 0x21'4000'0000;
constexpr u64 kToHole = 0x21'8000'0000;

/// QEMU 7.2 reports an AMO's fault as a load's, and lets an sc to a foreign address fail without looking at it: lines
/// about atomics are the machine's, and either kind will do.
bool is_atomic(const char* code) { return code == do_amo || code == do_amo_w || code == do_lr; }

struct Way {
    const char* name;
    const char* code;
    u64 size;
    Access access;
};
const Way kAccesses[] = {
    {"lb", do_lb, 1, Access::Load},      {"lhu", do_lhu, 2, Access::Load},   {"lw", do_lw, 4, Access::Load},
    {"ld", do_ld, 8, Access::Load},      {"c.ld", do_c_ld, 8, Access::Load}, {"sb", do_sb, 1, Access::Store},
    {"sh", do_sh, 2, Access::Store},     {"sw", do_sw, 4, Access::Store},    {"sd", do_sd, 8, Access::Store},
    {"c.sd", do_c_sd, 8, Access::Store}, {"amo", do_amo, 8, Access::Store},  {"amo.w", do_amo_w, 4, Access::Store},
    {"lr", do_lr, 8, Access::Load},
};

const char* prefix(Priv priv) { return priv == Priv::U ? "U " : "S "; }

/// Accesses `va` in every way; each must raise `fault` of its kind with stval = va.
void touch(const char* what, u64 va, Priv priv, bool paged, Cause (*fault)(Access)) {
    const u64 alias = paged && priv == Priv::U ? kUserAlias : 0;
    for (const auto& [name, code, size, access] : kAccesses) {
        const u64 pc = address(code) + alias;
        const Frame frame = call(pc, priv, {va, 0});
        MachineLines mark(is_atomic(code));
        say(prefix(priv), what, " ", name, ": ", Ended{frame, pc});
        const bool as_load = is_atomic(code) && frame.trapped(fault(Access::Load));
        expect((frame.trapped(fault(access)) || as_load) && frame.tval == va && frame.pc == pc, name);
    }
    const Frame frame = call(address(do_jump) + alias, priv, {va});
    say(prefix(priv), what, " fetch: ", Ended{frame, va});
    expect(frame.trapped(fault(Access::Fetch)) && frame.tval == va && frame.pc == va, "fetch");
}

/// Two bytes on the mapped page, the rest on the missing one: stval is where the missing part begins (3.1.16).
void cross_page(Priv priv, u64 user_bit, Space& space) {
    const u64 alias = priv == Priv::U ? kUserAlias : 0;
    const u64 page = new_page();
    space.map(kPages, page, kRwx | user_bit);
    sfence();
    const u64 second = kPages + kPageSize;
    for (const auto& [name, code, size, access] : kAccesses) {
        if (size == 1) continue;
        const u64 va = second - size / 2;
        const u64 pc = address(code) + alias;
        const Frame frame = call(pc, priv, {va, ~0ull});
        MachineLines mark(is_atomic(code));
        say(prefix(priv), "crossing ", name, ": ", Ended{frame, pc});
        if (is_atomic(code)) {
            // A misaligned atomic is never split; which exception wins is the machine's choice.
            expect(!frame.completed() && (frame.tval == va || frame.tval == second), name);
        } else {
            expect(frame.trapped(page_fault(access)) && frame.tval == second, name);
        }
    }
    for (unsigned i = 0; i < kPtesPerTable; ++i)
        expect(reinterpret_cast<u64*>(page)[i] == 0, "a faulting store left bytes at ", i);

    // A four-byte instruction whose second half is missing.
    reinterpret_cast<u16*>(page)[2047] = 0x0013;
    fence_i();
    const Frame frame = call(second - 2, priv);
    say(prefix(priv), "crossing fetch: ", Ended{frame, second - 2});
    expect(frame.trapped(Cause::FetchPageFault) && frame.tval == second && frame.pc == second - 2, "crossing fetch");
}

void misaligned_atomics(Priv priv) {
    const u64 page = new_page();
    for (const char* code : {do_amo, do_amo_w, do_lr}) {
        const Frame frame = call(code, priv, {page + 2, 0});
        say("machine: ", prefix(priv), "misaligned atomic: ", Ended{frame, address(code)});
        expect(frame.trapped(Cause::LoadMisaligned) || frame.trapped(Cause::StoreMisaligned), "cause");
        expect(frame.tval == page + 2, "stval");
    }
    const Frame frame = call(do_sc, priv, {page + 4, 0, page});
    say("machine: ", prefix(priv), "misaligned sc: ", Ended{frame, address(do_sc)});
    expect(frame.completed() ? frame.x[a3] != 0 : frame.trapped(Cause::StoreMisaligned) && frame.tval == page + 4,
           "sc");
}

void illegal(Priv priv) {
    struct Insn {
        const char* name;
        u32 word;
    };
    static constexpr Insn kIllegal[] = {
        {"all zero", 0x00000000},
        {"c.unimp with junk above", 0x12340000},
        {"all ones", 0xffffffff},
        {"c.addi4spn zero", 0x0073'0004},
        {"c.lwsp x0", 0x0073'4002},
        {"c.jr x0", 0x0073'8002},
        {"mret", 0x30200073},
        {"uret", 0x00200073},
        {"dret", 0x7b200073},
        {"csrr mstatus", 0x30002573},
        {"csrr mhartid", 0xf1402573},
        {"csrw mtvec", 0x30551073},
        {"csrr pmpaddr0", 0x3b002573},
        {"csrr vsatp", 0x28002573},
        {"csrw cycle", 0xc0051073},
        {"custom-0", 0x0000000b},
        {"custom-3", 0x0000007b},
        {"amo width 1", 0x0005152f},
        {"load funct3 7", 0x00057583},
        {"store funct3 7", 0x00b57023},
        {"op funct7", 0x80b50533},
        {"system funct3 4", 0x00004073},
        {"ecall with rd", 0x000000f3},
        {"48-bit", 0x0000001f},
        {"branch funct3 2", 0x00002063},
        {"jalr funct3 1", 0x00001067},
    };
    for (const auto& [name, word] : kIllegal) {
        const bool compressed = (word & 3) != 3;
        // With H, a supervisor may touch vsatp.
        MachineLines mark(word == 0x28002573 && priv == Priv::S);
        const Frame frame = exec(priv, {word});
        say(prefix(priv), "illegal ", name, ": ", Ended{frame, address(exec_slot)});
        if (word == 0x28002573 && priv == Priv::S) continue;
        expect(frame.trapped(Cause::IllegalInstruction) && frame.tval == (compressed ? word & 0xffff : word), name);
    }
    // hlv.d, hsv.d, hfence.gvma, hfence.vvma: only a bare machine with H may take them.
    for (u32 word : {0x6c054573u, 0x6eb54073u, 0x62000073u, 0x22000073u}) {
        MachineLines mark;
        const Frame frame = exec(priv, {word}, {address(exec_slot)});
        say(prefix(priv), "hypervisor ", word, ": ", Ended{frame, address(exec_slot)});
    }
}

void calls(Priv priv) {
    for (const char* code : {do_ebreak, do_c_ebreak}) {
        const Frame frame = call(code, priv);
        say(prefix(priv), "ebreak: cause ", frame.cause, " at +", frame.pc - address(code));
        expect(frame.trapped(Cause::Breakpoint) && frame.pc == address(code), "ebreak");
        say("machine: ebreak stval ", frame.tval == 0 ? "zero" : "address");  // either is allowed (3.1.16)
    }
    if (priv == Priv::S) return;  // an ecall from S is an SBI call
    const Frame frame = call(do_ecall, priv);
    say("U ecall: ", Ended{frame, address(do_ecall)});
    expect(frame.trapped(Cause::EcallFromU) && frame.tval == 0, "ecall");
}

}  // namespace

GUEST(faults) {
    for (Priv priv : {Priv::S, Priv::U}) {
        calls(priv);
        illegal(priv);
        misaligned_atomics(priv);
        touch("hole", kHole, priv, false, access_fault);
    }
    each_mode([](SatpMode mode) {
        Space space(mode);
        space.map_snippets();
        space.enter();
        for (Priv priv : {Priv::S, Priv::U}) {
            const u64 user_bit = priv == Priv::U ? kU : 0;
            touch("unmapped", kNowhere, priv, true, page_fault);
            touch("non-canonical", 1ull << 62, priv, true, page_fault);
            space.map(kToHole, kHole, kRwx | user_bit);
            sfence();
            touch("mapped hole", kToHole, priv, true, access_fault);
            cross_page(priv, user_bit, space);
        }
    });
}
