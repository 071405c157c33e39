// SPDX-License-Identifier: MIT
// cycle, time and instret under every scounteren (Privileged 1.12, 4.1.5), and that they move forward.

#include "guest-images/behaviour/rt/rt.hpp"

using namespace uc;
using namespace uc::rt;

namespace {

struct Counter {
    const char* name;
    CsrNo csr;
};
constexpr Counter kCounters[] = {{"cycle", CsrNo::cycle}, {"time", CsrNo::time}, {"instret", CsrNo::instret}};

void read_all(u64 enabled) {
    csr_write<CsrNo::scounteren>(enabled);
    expect((csr_read<CsrNo::scounteren>() & 7) == enabled, "scounteren keeps ", enabled);
    for (unsigned i = 0; i < 3; ++i) {
        const auto& [name, csr] = kCounters[i];
        const u32 twice[] = {csr_insn(Csrrs, csr, a0, 0), csr_insn(Csrrs, csr, a1, 0)};
        for (Priv priv : {Priv::S, Priv::U}) {
            const bool allowed = priv == Priv::S || (enabled >> i & 1) != 0;
            // OpenSBI before 1.6 answers a U-mode rdtime whatever scounteren says.
            const bool by_firmware = !allowed && csr == CsrNo::time;
            MachineLines mark(by_firmware);
            const Frame frame = exec(priv, {twice[0], twice[1]});
            say("scounteren ", enabled, " ", name, priv == Priv::S ? " S: " : " U: ", Ended{frame, address(exec_slot)});
            if (by_firmware) continue;
            expect(allowed ? frame.completed() : frame.trapped(Cause::IllegalInstruction) && frame.tval == twice[0],
                   "access");
            if (allowed) expect(frame.x[a1] >= frame.x[a0], name, " goes back");
        }
    }
}

}  // namespace

GUEST(counters_scounteren) {
    for (u64 enabled = 0; enabled < 8; ++enabled) read_all(enabled);

    // Read-only for everyone (2.1): any instruction that would write is illegal, csrrs and csrrc with x0 are not
    // writes.
    csr_write<CsrNo::scounteren>(7);
    for (const auto& [name, csr] : kCounters) {
        for (CsrOp op : {Csrrw, Csrrs, Csrrc, Csrrwi, Csrrsi, Csrrci}) {
            for (u32 source : {0u, static_cast<u32>(a1)}) {
                for (Priv priv : {Priv::S, Priv::U}) {
                    const u32 insn = csr_insn(op, csr, a0, source);
                    const Frame frame = exec(priv, {insn}, {0, ~0ull});
                    const bool writes = source != 0 || op == Csrrw || op == Csrrwi;
                    say(name, " op ", op, " source ", source,
                        priv == Priv::S ? " S: " : " U: ", Ended{frame, address(exec_slot)});
                    expect(writes ? frame.trapped(Cause::IllegalInstruction) && frame.tval == insn : frame.completed(),
                           "access");
                }
            }
        }
    }
    // A register other than x0 makes csrrs a write even if it holds 0; QEMU 7.2 looks at the value.
    const Frame zero = exec(Priv::S, {csr_insn(Csrrs, CsrNo::cycle, a0, a1)});
    say("machine: csrrs cycle with a register of value 0: ", Ended{zero, address(exec_slot)});
    csr_write<CsrNo::scounteren>(0);

    u64 last = rdtime();
    for (unsigned i = 0; i < 10000; ++i) {
        const u64 now = rdtime();
        if (!expect(now >= last, "time went back")) break;
        last = now;
    }
    say("time moves forward");
}
