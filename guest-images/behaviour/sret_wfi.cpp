// SPDX-License-Identifier: MIT
// sret's moves of SPP, SPIE, SIE and pc (Privileged 1.12, 3.3.2 and 4.1.1); sret, wfi and sfence.vma where not allowed.

#include "guest-images/behaviour/rt/rt.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_sret, "la t0, 1f\ncsrw sepc, t0\ncsrw sstatus, a0\nsret\n.balign 4\n1: csrr a1, sstatus\nli a2, 1");
SNIPPET(do_sret_half, "la t0, 1f\ncsrw sepc, t0\ncsrw sstatus, a0\nsret\n.balign 4\nc.nop\n1: c.nop");
SNIPPET(read_status, "csrr a0, sstatus");
SNIPPET(c_jump_sret, "la t0, 1f\ncsrw sepc, t0\nla t1, 2f\nc.jr t1\n2: sret\nebreak\n1: li a1, 7");

namespace {

constexpr u64 kStack = Sstatus::SPP.mask | Sstatus::SPIE.mask | Sstatus::SIE.mask;

void transitions() {
    for (u64 spp : {u64{0}, Sstatus::SPP.mask}) {
        for (u64 spie : {u64{0}, Sstatus::SPIE.mask}) {
            // SIE in the written value is what sret replaces; nothing is enabled in sie.
            for (u64 sie : {u64{0}, Sstatus::SIE.mask}) {
                const Frame frame = call(do_sret, Priv::S, {spp | spie | sie, 0, 0});
                const u64 at_trap = frame.sstatus & kStack;
                // In U the landing's csrr is illegal; in S it shows what sret left.
                say("sret with ", spp | spie | sie, ": cause ", frame.cause, " landed with ", frame.x[a1] & kStack,
                    " then trapped with ", at_trap);
                expect(at_trap == (spp | spie), "SPP and SPIE at the trap");
                if (spp) {
                    expect(frame.completed() &&
                               (frame.x[a1] & kStack) == (Sstatus::SPIE.mask | (spie ? Sstatus::SIE.mask : 0)),
                           "sret sets SPIE, moves it to SIE and clears SPP");
                } else {
                    expect(frame.trapped(Cause::IllegalInstruction), "landed in U");
                }
            }
        }
    }
}

void other_bits() {
    // sret and traps leave SUM, MXR and FS alone.
    for (u64 bits : {Sstatus::SUM.mask, Sstatus::MXR.mask, Sstatus::SUM.mask | Sstatus::MXR.mask, Sstatus::FS.mask}) {
        const Frame frame = call(do_sret, Priv::S, {bits | Sstatus::SPP.mask});
        const u64 mask = Sstatus::SUM.mask | Sstatus::MXR.mask | Sstatus::FS.mask;
        say("sret keeps ", bits, ": ", frame.x[a1] & mask, " trap keeps ", frame.sstatus & mask);
        expect((frame.x[a1] & mask) == bits && (frame.sstatus & mask) == bits, "kept");
    }
}

void not_allowed() {
    struct Insn {
        const char* name;
        u32 word;
    };
    static constexpr Insn kInsns[] = {{"sret", 0x10200073},
                                      {"wfi", 0x10500073},
                                      {"sfence.vma", 0x12000073},
                                      {"sfence.vma a0", 0x12050073},
                                      {"sfence.vma a0, a1", 0x12b50073},
                                      {"sfence.vma x0, a1", 0x12b00073},
                                      {"csrr satp", 0x18002573},
                                      {"csrr sstatus", 0x10002573},
                                      {"csrwi sscratch", 0x14005073},
                                      {"mret", 0x30200073}};
    for (const auto& [name, word] : kInsns) {
        const Frame frame = exec(Priv::U, {word});
        say("U ", name, ": ", Ended{frame, address(exec_slot)});
        expect(frame.trapped(Cause::IllegalInstruction) && frame.tval == word, name);
    }
}

}  // namespace

GUEST(sret_wfi) {
    csr_write<CsrNo::sie>(0);
    transitions();
    other_bits();
    const Frame half = call(do_sret_half, Priv::S, {Sstatus::SPP.mask});
    say("sret to a halfword boundary: ", Ended{half, 0}, " page offset bit ", half.pc & 2);
    expect(half.completed(), "halfword");
    const Frame jump = call(c_jump_sret, Priv::S, {}, 0);
    say("sret as a jump target: ", Ended{jump, 0}, " a1 ", jump.x[a1]);
    expect(jump.completed() && jump.x[a1] == 7, "jump target");
    not_allowed();

    // wfi with an interrupt pending and enabled does not wait, SIE or not; other pending bits do not matter.
    csr_write<CsrNo::sie>(irq_bit(Irq::SSI));
    csr_write<CsrNo::sip>(irq_bit(Irq::SSI));
    const Frame off = exec(Priv::S, {0x10500073});
    say("wfi, pending, SIE clear: ", Ended{off, address(exec_slot)});
    const Frame on = exec(Priv::S, {csr_insn(Csrrsi, CsrNo::sstatus, 0, 2), 0x10500073});
    say("SIE set before wfi: ", Ended{on, address(exec_slot)}, " at +", on.pc - address(exec_slot));
    csr_write<CsrNo::sie>(0);
    csr_write<CsrNo::sip>(0);
    expect(off.completed() && on.interrupted(Irq::SSI) && on.pc == address(exec_slot) + 4, "wfi");

    // A trap from S records SPP = S and SIE in SPIE; one from U records SPP = U.
    for (Priv priv : {Priv::S, Priv::U}) {
        for (u64 spie : {u64{0}, Sstatus::SPIE.mask}) {
            const Frame frame = call(read_status, priv, {}, spie);
            say(priv == Priv::U ? "U" : "S", " SPIE ", spie >> 5, ": sstatus ", frame.x[a0] & kStack, " at the trap ",
                frame.sstatus & kStack);
        }
    }
}
