// SPDX-License-Identifier: MIT
// All 4096 CSR numbers, read and written, from S-mode and U-mode: which exist, which are read-only, what the others
// raise (Privileged 1.12, 2.1). An existing CSR is written with the value it had.

#include "guest-images/behaviour/rt/rt.hpp"

using namespace uc;
using namespace uc::rt;

namespace {

constexpr u64 kScontext = 0x5a8;  // trigger module: not part of the guest's machine

/// Blocks that hold only hypervisor and virtual-supervisor CSRs: there when the bare machine has H, never in a guest.
bool hypervisor_block(u32 block) { return block == 0x2 || block == 0x6 || block == 0xa || block == 0xe; }

/// `time` without scounteren.TM is illegal in U-mode, but firmware before OpenSBI 1.6 answers it.
bool firmware_answers(u32 csr, Priv priv) { return priv == Priv::U && csr == static_cast<u32>(CsrNo::time); }

enum class Answer : u64 { Works, Illegal, Other };

u64 value;  // what the last successful read gave

Answer attempt(Priv priv, u32 insn, u64 arg) {
    const Frame frame = exec(priv, {insn}, {0, arg}, Sstatus::FS.mask | Sstatus::VS.mask);
    value = frame.x[a0];
    if (frame.completed()) return Answer::Works;
    // stval holds the instruction word, on every firmware that forwards this trap.
    if (frame.trapped(Cause::IllegalInstruction) && frame.tval == insn && frame.pc == address(exec_slot))
        return Answer::Illegal;
    expect(false, "insn ", insn, ": ", Ended{frame, address(exec_slot)});
    return Answer::Other;
}

void sweep(u32 block, Priv priv) {
    MachineLines mark(hypervisor_block(block));
    const char* from = priv == Priv::U ? "U" : "S";
    u64 readable = 0;
    u64 writable = 0;
    u64 digest = 0;
    for (u32 csr = block << 8; csr < (block + 1) << 8; ++csr) {
        if (csr == kScontext || firmware_answers(csr, priv)) continue;
        const Answer read = attempt(priv, csr_insn(Csrrs, csr, a0, 0), 0);
        const Answer write = attempt(priv, csr_insn(Csrrw, csr, 0, a1), value);
        readable += read == Answer::Works;
        writable += write == Answer::Works;
        digest = digest * 31 + static_cast<u64>(read) * 3 + static_cast<u64>(write);
        if (read == Answer::Works) {
            say(from, " reads ", csr, write == Answer::Works ? " rw" : " ro");
        } else {
            expect(write != Answer::Works, "write-only CSR ", csr);
        }
    }
    say(from, " block ", block << 8, ": readable ", readable, " writable ", writable, " digest ", digest);
}

}  // namespace

GUEST(csr_absent) {
    csr_write<CsrNo::scounteren>(0);
    for (Priv priv : {Priv::S, Priv::U}) {
        for (u32 block = 0; block < 16; ++block) sweep(block, priv);
    }
}
