// SPDX-License-Identifier: MIT
// Supervisor CSRs: what can be written and what reads back (Privileged 1.12, 4.1).

#include "guest-images/minikernel/checks.hpp"
#include "guest-images/minikernel/csr.hpp"
#include "guest-images/minikernel/machine.hpp"
#include "guest-images/minikernel/paging.hpp"
#include "guest-images/minikernel/trap.hpp"

namespace uc::mini {

namespace {

template <CsrNo N>
u64 written(u64 value) {
    csr_write<N>(value);
    return csr_read<N>();
}

void sscratch_holds_all_bits(Check& c) {
    // No trap may come while sscratch is not zero; none does.
    const u64 ones = written<CsrNo::sscratch>(~0ull);
    const u64 pattern = written<CsrNo::sscratch>(0x0123'4567'89ab'cdef);
    csr_write<CsrNo::sscratch>(0);
    c.equal("ones", ones, ~0ull);
    c.equal("pattern", pattern, 0x0123'4567'89ab'cdef);
}

void sepc_holds_addresses(Check& c) {
    // Bit 0 always reads zero (4.1.7), but QEMU 7.2 stores it, so that it is not looked at.
    c.equal("high half", written<CsrNo::sepc>(kDirectMap + 0x1357) & ~1ull, kDirectMap + 0x1356);
    c.equal("low half", written<CsrNo::sepc>(0x2468), 0x2468);
}

void scause_holds_every_code(Check& c) {
    for (u64 code = 0; code < 16; ++code) c.equal("exception", written<CsrNo::scause>(code), code);
    for (const Irq irq : {Irq::SSI, Irq::STI, Irq::SEI})
        c.equal("interrupt", written<CsrNo::scause>(Scause::of(irq).raw), Scause::of(irq).raw);
}

void stval_holds_addresses(Check& c) {
    c.equal("kernel address", written<CsrNo::stval>(kDirectMap + 1), kDirectMap + 1);
    c.equal("user address", written<CsrNo::stval>(0x3f'ffff'ffff), 0x3f'ffff'ffff);
    c.equal("zero", written<CsrNo::stval>(0), 0);
}

void stvec_mode_is_warl(Check& c) {
    const Stvec before{{csr_read<CsrNo::stvec>()}};
    const u64 vectored = written<CsrNo::stvec>(before.base() | Stvec::kVectored);
    const Stvec reserved{{written<CsrNo::stvec>(before.base() | 2)}};
    c.equal("direct again", written<CsrNo::stvec>(before.raw), before.raw);
    c.that(vectored == before.raw || vectored == (before.raw | Stvec::kVectored), "vectored");
    c.that(reserved.get(Stvec::MODE) <= Stvec::kVectored, "reserved mode");
}

void satp_ignores_unknown_modes(Check& c) {
    // A write of an unsupported mode changes nothing, PPN and ASID included (4.1.11). Modes 1 to 7 and 11 to 15 are
    // reserved.
    const u64 before = csr_read<CsrNo::satp>();
    for (const u64 mode : {1, 7, 11, 15})
        c.equal("satp", written<CsrNo::satp>(Satp{{0x1234}}.set(Satp::MODE, mode).raw), before);
}

void sstatus_fields(Check& c) {
    const u64 before = csr_read<CsrNo::sstatus>();
    const u64 plain = Sstatus::SPIE.mask | Sstatus::SPP.mask | Sstatus::SUM.mask | Sstatus::MXR.mask;
    // Bits that no extension has defined (4.1.1). UBE, and bits 23 and 24, which are younger, may be writable.
    const u64 wpri = 0x7fff'fffc'fe72'189d;
    csr_set<CsrNo::sstatus>(plain | wpri);
    const Sstatus set{{csr_read<CsrNo::sstatus>()}};
    csr_clear<CsrNo::sstatus>(plain);
    const Sstatus cleared{{csr_read<CsrNo::sstatus>()}};
    csr_write<CsrNo::sstatus>(before);
    c.equal("set", set.raw & plain, plain);
    c.equal("cleared", cleared.raw & plain, 0);
    c.equal("reserved bits", set.raw & wpri & ~Sstatus::SD.mask, 0);
    c.equal("UXL", set.get(Sstatus::UXL), 2);
    c.equal("SIE", set.get(Sstatus::SIE), 0);
}

void sstatus_fs_governs_fp(Check& c) {
    if (!machine.fp) return;
    const auto fp_instruction = [] {
        asm volatile(".option push\n.option arch, +d\nfmv.d.x f0, zero\n.option pop" ::: "memory");
    };
    const auto fs_after = [&](ExtState state) {
        csr_clear<CsrNo::sstatus>(Sstatus::FS.mask | Sstatus::VS.mask);  // SD sums up both
        csr_set<CsrNo::sstatus>(Sstatus{}.set(Sstatus::FS, static_cast<u64>(state)).raw);
        return Sstatus{{csr_read<CsrNo::sstatus>()}};
    };
    const auto off = fs_after(ExtState::Off);
    const auto trap = catch_trap(fp_instruction);
    const auto clean = fs_after(ExtState::Clean);
    fp_instruction();
    const Sstatus used{{csr_read<CsrNo::sstatus>()}};
    csr_clear<CsrNo::sstatus>(Sstatus::FS.mask);
    c.equal("off", off.get(Sstatus::FS), 0);
    c.equal("off: SD", off.get(Sstatus::SD), 0);
    c.that(trap.trapped && trap.cause == Scause::of(Cause::IllegalInstruction), "off: FP instruction is illegal");
    c.that(clean.get(Sstatus::FS) == static_cast<u64>(ExtState::Clean) && clean.get(Sstatus::SD) == 0, "clean");
    // A hart may keep FS at Dirty all the time, but may not miss a write (3.1.6.6).
    c.equal("used", used.get(Sstatus::FS), static_cast<u64>(ExtState::Dirty));
    c.equal("used: SD", used.get(Sstatus::SD), 1);
}

void sie_and_sip_masks(Check& c) {
    const u64 standard = irq_bit(Irq::SSI) | irq_bit(Irq::STI) | irq_bit(Irq::SEI);
    const u64 before = csr_read<CsrNo::sie>();
    const u64 all = written<CsrNo::sie>(~0ull);
    const u64 none = written<CsrNo::sie>(0);
    csr_write<CsrNo::sie>(before);
    c.equal("sie ones", all & 0xffff & ~irq_bit(Irq::LCOFI), standard);
    c.equal("sie zero", none, 0);

    csr_set<CsrNo::sip>(standard);
    const u64 pending = csr_read<CsrNo::sip>();
    csr_clear<CsrNo::sip>(irq_bit(Irq::SSI));
    // Only SSIP is the supervisor's to write (4.1.3).
    c.equal("sip set", pending & standard, irq_bit(Irq::SSI));
    c.equal("sip cleared", csr_read<CsrNo::sip>() & standard, 0);
}

void scounteren_is_warl(Check& c) {
    const u64 before = csr_read<CsrNo::scounteren>();
    csr_write<CsrNo::scounteren>(~0ull);
    const u64 none = written<CsrNo::scounteren>(0);
    c.equal("restored", written<CsrNo::scounteren>(before), before);
    c.equal("zero", none, 0);
}

template <class Access>
void expect_illegal(Check& c, std::string_view what, Access access) {
    const auto trap = catch_trap(access);
    c.that(trap.trapped && trap.cause == Scause::of(Cause::IllegalInstruction), what);
    // stval is the instruction or zero (4.1.9).
    if (trap.trapped) c.that(trap.tval == 0 || trap.tval == *reinterpret_cast<const volatile u32*>(trap.pc), what);
}

void forbidden_csrs_are_illegal(Check& c) {
    expect_illegal(c, "mstatus", [] { asm volatile("csrr t0, mstatus" ::: "t0", "memory"); });
    expect_illegal(c, "mscratch written", [] { asm volatile("csrw mscratch, zero" ::: "memory"); });
    expect_illegal(c, "time written", [] { asm volatile("csrw 0xc01, zero" ::: "memory"); });
    expect_illegal(c, "time set by immediate", [] { asm volatile("csrsi 0xc01, 1" ::: "memory"); });
    expect_illegal(c, "dcsr", [] { asm volatile("csrr t0, dcsr" ::: "t0", "memory"); });
    expect_illegal(c, "no such CSR", [] { asm volatile("csrr t0, 0x1c0" ::: "t0", "memory"); });
    // Its stval is not looked at: QEMU 10.0 leaves an earlier instruction's word there.
    const auto mret = catch_trap([] { asm volatile("mret" ::: "memory"); });
    c.that(mret.trapped && mret.cause == Scause::of(Cause::IllegalInstruction), "mret");
    // Set and clear with x0 do not write: reading a read-only CSR so is legal (Unprivileged, Zicsr).
    const auto read = catch_trap([] { asm volatile("csrrs t0, 0xc01, zero" ::: "t0", "memory"); });
    c.that(!read.trapped, "time read by csrrs");
}

constexpr NamedCheck kChecks[] = {
    {"csr-sscratch", sscratch_holds_all_bits},
    {"csr-sepc", sepc_holds_addresses},
    {"csr-scause", scause_holds_every_code},
    {"csr-stval", stval_holds_addresses},
    {"csr-stvec", stvec_mode_is_warl},
    {"csr-satp", satp_ignores_unknown_modes},
    {"csr-sstatus", sstatus_fields},
    {"csr-sstatus-fs", sstatus_fs_governs_fp},
    {"csr-sie-sip", sie_and_sip_masks},
    {"csr-scounteren", scounteren_is_warl},
    {"csr-forbidden", forbidden_csrs_are_illegal},
};

}  // namespace

std::span<const NamedCheck> csr_checks() { return kChecks; }

}  // namespace uc::mini
