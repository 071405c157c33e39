// SPDX-License-Identifier: MIT
// What each supervisor CSR keeps of what is written: all ones, zero, each bit alone (Privileged 1.12, 4.1 and 4.1.11).

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

namespace {

/// Writes `value` and reads back in one run in S-mode.
u64 write_read(CsrNo csr, u64 value) {
    const Frame frame =
        exec(Priv::S, {csr_insn(Csrrw, csr, 0, a0), csr_insn(Csrrs, csr, a1, 0)}, {value}, csr_read<CsrNo::sstatus>());
    expect(frame.completed(), "access trapped: ", Ended{frame, address(exec_slot)});
    return frame.x[a1];
}

/// Prints what all ones and zero become, and which bits can be set alone, can be cleared, or move when another is
/// written. Only the bits of `compared` are the specification's to decide; the rest is written as it was and not shown.
void sweep(const char* name, CsrNo csr, u64 restore, u64 compared = ~0ull) {
    const auto access = [&](u64 value) {
        return write_read(csr, (value & compared) | (restore & ~compared)) & compared;
    };
    const u64 zero = access(0);
    const u64 ones = access(~0ull);
    u64 alone = 0;
    u64 cleared = 0;
    u64 others = 0;
    for (unsigned bit = 0; bit < 64; ++bit) {
        const u64 mask = 1ull << bit;
        access(0);
        const u64 one = access(mask);
        alone |= one & mask & ~zero;
        others |= (one ^ zero) & ~mask;
        access(~0ull);
        cleared |= ~access(~mask) & mask & ones;
    }
    access(restore);
    say(name, ": zero ", zero, " ones ", ones, " alone ", alone, " cleared ", cleared, " others ", others);
}

bool has_vector() { return exec(Priv::S, {csr_insn(Csrrs, CsrNo::vlenb, a0, 0)}, {}, Sstatus::VS.mask).completed(); }

void show_sstatus() {
    // How firmware leaves FS and VS is its own business.
    const u64 before = csr_read<CsrNo::sstatus>() & ~(Sstatus::FS.mask | Sstatus::VS.mask | Sstatus::SD.mask);
    // UXL may be writable; without V, VS may be too (3.1.6.6).
    const u64 ours = ~Sstatus::UXL.mask & (has_vector() ? ~0ull : ~Sstatus::VS.mask);
    sweep("sstatus", CsrNo::sstatus, before, ours);
    say("sstatus UXL ", Sstatus{{before}}.get(Sstatus::UXL));
    say("machine: sstatus all ones reads ", write_read(CsrNo::sstatus, ~Sstatus::UXL.mask | before));
    write_read(CsrNo::sstatus, before);
    // FS and SD move together (3.1.6.6).
    for (u64 fs = 0; fs < 4; ++fs) {
        const u64 value = write_read(CsrNo::sstatus, (before & ~Sstatus::FS.mask) | fs << Sstatus::FS.lsb);
        say("sstatus FS ", fs, ": reads ", Sstatus{{value}}.get(Sstatus::FS), " SD ", value >> 63);
    }
    write_read(CsrNo::sstatus, before);
}

void show_interrupts() {
    sweep("sie", CsrNo::sie, 0);
    sweep("sip", CsrNo::sip, 0);
    // csrrs and csrrc see the same bits as csrrw.
    csr_write<CsrNo::sie>(0);
    csr_set<CsrNo::sie>(~0ull);
    const u64 set = csr_read<CsrNo::sie>();
    csr_clear<CsrNo::sie>(0x20);
    say("sie: set all ", set, " clear STIE ", csr_read<CsrNo::sie>());
    csr_write<CsrNo::sie>(0);
}

/// Not with all ones: stvec must stay valid, so the write and its undoing share one run without a trap between.
void show_stvec() {
    const u64 base = address(trap_entry);
    u64 ones = 0;
    u64 kept = 0;
    const auto back = [&](u64 value) {
        return exec(Priv::S,
                    {csr_insn(Csrrw, CsrNo::stvec, a2, a0), csr_insn(Csrrs, CsrNo::stvec, a1, 0),
                     csr_insn(Csrrw, CsrNo::stvec, 0, a2)},
                    {value})
            .x[a1];
    };
    for (unsigned bit = 2; bit < 64; ++bit) kept |= back(1ull << bit);
    ones = back(~3ull);
    say("stvec: base bits ", kept, " all ones ", ones, " zero ", back(0));
    for (u64 mode = 0; mode < 4; ++mode) {
        // Modes 2 and 3 are reserved: any legal value may be read back.
        MachineLines mark(mode >= 2);
        say("stvec mode ", mode, ": reads ", back(base | mode) - base);
    }
}

void show_satp() {
    for (u64 mode = 0; mode < 16; ++mode) {
        const auto as_mode = static_cast<SatpMode>(mode);
        const bool ours = as_mode >= SatpMode::Sv39 && as_mode <= SatpMode::Sv57;
        MachineLines mark(as_mode == SatpMode::Sv57);
        if (ours) {
            say("satp mode ", mode, ": ", mode_available(as_mode) ? "kept" : "write ignored");
        } else if (mode != 0) {
            csr_write<CsrNo::satp>(mode << 60 | 0x12345);  // reserved modes leave the whole register alone (4.1.11)
            say("satp mode ", mode, ": reads ", csr_read<CsrNo::satp>());
            leave_space();
        }
    }
    Space space(SatpMode::Sv39);
    csr_write<CsrNo::satp>(space.satp(0xffff));
    const u64 satp = csr_read<CsrNo::satp>();
    leave_space();
    say("machine: satp ASID bits ", Satp{{satp}}.get(Satp::ASID));
    csr_write<CsrNo::satp>((1ull << 44) - 1);  // Bare with a PPN: 4.1.11 leaves the effect open
    say("machine: satp Bare with PPN reads ", csr_read<CsrNo::satp>());
    leave_space();
}

}  // namespace

GUEST(csr_warl) {
    show_sstatus();
    show_interrupts();
    show_stvec();
    // Bits of counters that the hart lacks may be read-only zero (4.1.5).
    sweep("scounteren", CsrNo::scounteren, 0, Scounteren::CY.mask | Scounteren::TM.mask | Scounteren::IR.mask);
    say("machine: scounteren all ones reads ", write_read(CsrNo::scounteren, ~0ull));
    csr_write<CsrNo::scounteren>(0);
    if (csr_exists(CsrNo::senvcfg)) {
        sweep("senvcfg", CsrNo::senvcfg, 0, Senvcfg::FIOM.mask);
        say("machine: senvcfg all ones reads ", write_read(CsrNo::senvcfg, ~0ull));
        csr_write<CsrNo::senvcfg>(0);
    } else {
        say("senvcfg: absent");
    }
    // Outside run(), or the runtime's own use of these would show.
    u64 bits = 0;
    u64 sepc = 0;
    u64 scause = 0;
    u64 stval = 0;
    for (unsigned bit = 0; bit < 64; ++bit) {
        const u64 mask = 1ull << bit;
        csr_write<CsrNo::sscratch>(mask);
        bits |= csr_read<CsrNo::sscratch>() & mask;
        csr_write<CsrNo::sepc>(mask);
        sepc |= csr_read<CsrNo::sepc>() & mask;
        csr_write<CsrNo::scause>(mask);
        scause |= csr_read<CsrNo::scause>() & mask;
        csr_write<CsrNo::stval>(mask);
        stval |= csr_read<CsrNo::stval>() & mask;
    }
    csr_write<CsrNo::sscratch>(0);
    say("sscratch bits ", bits);
    say("sepc bits ", sepc & ~1ull);
    say("machine: sepc bit 0 ", sepc & 1);  // always zero (4.1.7); QEMU 7.2 keeps it
    say("stval bits ", stval);
    // WLRL: only legal causes need be kept (4.1.8); the interrupt bit and codes 0 to 15 are.
    say("scause legal bits ", scause & (kCauseInterrupt | 15));
    say("machine: scause bits ", scause);
    expect(bits == ~0ull && stval == ~0ull, "sscratch and stval hold any value");
    show_satp();
}
