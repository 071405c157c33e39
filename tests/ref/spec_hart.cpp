// SPDX-License-Identifier: MIT
#include "tests/ref/spec_hart.hpp"

// Section numbers: Privileged Architecture 1.12 unless another document is named. Written from its text and figures.

namespace uc::ref {
namespace {

bool bit(u64 value, unsigned n) { return ((value >> n) & 1) == 1; }

u64 at(unsigned n, bool value) { return value ? u64{1} << n : 0; }

// Bits high..low of value, shifted down.
u64 slice(u64 value, unsigned high, unsigned low) {
    u64 result = 0;
    for (unsigned n = low; n <= high; ++n) result += at(n - low, bit(value, n));
    return result;
}

}  // namespace

SpecHart::SpecHart(const GuestHart& hart, const Features& f) : features(f), x(hart.x), pc(hart.pc) {
    supervisor = hart.priv == Priv::S;
    const u64 s = hart.sstatus.raw;
    sie = bit(s, 1);
    spie = bit(s, 5);
    spp = bit(s, 8);
    vs = static_cast<unsigned>(slice(s, 10, 9));
    fs = static_cast<unsigned>(slice(s, 14, 13));
    sum = bit(s, 18);
    mxr = bit(s, 19);
    ssie = bit(hart.sie.raw, 1);
    stie = bit(hart.sie.raw, 5);
    seie = bit(hart.sie.raw, 9);
    lcofie = bit(hart.sie.raw, 13);
    ssip = bit(hart.sip.raw, 1);
    lcofip = bit(hart.sip.raw, 13);
    stvec_base = slice(hart.stvec.raw, 63, 2) * 4;
    stvec_mode = static_cast<unsigned>(slice(hart.stvec.raw, 1, 0));
    for (unsigned n = 0; n < 32; ++n) scounteren[n] = bit(hart.scounteren.raw, n);
    fiom = bit(hart.senvcfg.raw, 0);
    cbie = static_cast<unsigned>(slice(hart.senvcfg.raw, 5, 4));
    cbcfe = bit(hart.senvcfg.raw, 6);
    cbze = bit(hart.senvcfg.raw, 7);
    sscratch = hart.sscratch;
    sepc = hart.sepc;
    scause_interrupt = bit(hart.scause.raw, 63);
    scause_code = slice(hart.scause.raw, 62, 0);
    stval = hart.stval;
    satp_mode = static_cast<unsigned>(slice(hart.satp.raw, 63, 60));
    satp_asid = static_cast<unsigned>(slice(hart.satp.raw, 59, 44));
    satp_ppn = slice(hart.satp.raw, 43, 0);
    stimecmp = hart.stimecmp;
}

GuestHart SpecHart::to_guest_hart() const {
    GuestHart hart;
    hart.x = x;
    hart.pc = pc;
    hart.priv = supervisor ? Priv::S : Priv::U;
    hart.sstatus.raw =
        at(1, sie) + at(5, spie) + at(8, spp) + vs * 0x200ull + fs * 0x2000ull + at(18, sum) + at(19, mxr);
    hart.sie.raw = at(1, ssie) + at(5, stie) + at(9, seie) + at(13, lcofie);
    hart.sip.raw = at(1, ssip) + at(13, lcofip);
    hart.stvec.raw = stvec_base + stvec_mode;
    for (unsigned n = 0; n < 32; ++n) hart.scounteren.raw += at(n, scounteren[n]);
    hart.senvcfg.raw = at(0, fiom) + cbie * 16ull + at(6, cbcfe) + at(7, cbze);
    hart.sscratch = sscratch;
    hart.sepc = sepc;
    hart.scause.raw = at(63, scause_interrupt) + scause_code;
    hart.stval = stval;
    hart.satp.raw = (u64{satp_mode} << 60) + (u64{satp_asid} << 44) + satp_ppn;
    hart.stimecmp = stimecmp;
    return hart;
}

// 3.1.6.1: "When a trap is taken from privilege mode y into privilege mode x ..."; 4.1.2, 4.1.7 to 4.1.9.
void SpecHart::take_trap(bool interrupt, u64 code, u64 value) {
    spie = sie;
    sie = false;
    spp = supervisor;
    supervisor = true;
    sepc = pc;
    scause_interrupt = interrupt;
    scause_code = code;
    stval = value;
    if (stvec_mode == 0) pc = stvec_base;
    if (stvec_mode == 1) pc = interrupt ? stvec_base + 4 * code : stvec_base;
}

// 3.1.9 and 4.1.3: supervisor interrupts are globally enabled below S-mode, or in S-mode with SIE; external, software,
// timer, overflow.
std::optional<unsigned> SpecHart::interrupt_to_take(bool stip, bool seip) const {
    const bool globally_enabled = !supervisor || sie;
    if (!globally_enabled) return {};
    if (seip && seie) return 9;
    if (ssip && ssie) return 1;
    if (stip && stie) return 5;
    if (lcofip && lcofie) return 13;
    return {};
}

// 2.2, tables 2.2 and 2.3, less what needs M-mode or H; Sstc; Unprivileged, chapters on counters, F and V.
bool SpecHart::csr_exists_and_is_accessible(unsigned number) const {
    if (number == 0x001 || number == 0x002 || number == 0x003) return features.fpu && fs != 0;
    if (number == 0x008 || number == 0x009 || number == 0x00a || number == 0x00f) return features.vector && vs != 0;
    if (number == 0xc20 || number == 0xc21 || number == 0xc22) return features.vector && vs != 0;
    if (number >= 0xc00 && number <= 0xc1f) {
        const unsigned counter = number - 0xc00;
        if (!bit(features.counters, counter)) return false;
        return supervisor || scounteren[counter];
    }
    if (!supervisor) return false;
    if (number == 0x10a) return features.envcfg;
    if (number == 0x14d) return features.sstc;
    for (const unsigned supervisor_csr : {0x100, 0x104, 0x105, 0x106, 0x140, 0x141, 0x142, 0x143, 0x144, 0x180})
        if (number == supervisor_csr) return true;
    return false;
}

// Figure 4.2.
u64 SpecHart::read_sstatus() const {
    const bool sd = fs == 3 || vs == 3;
    const u64 uxl = 2;
    return at(1, sie) | at(5, spie) | at(8, spp) | (u64{vs} << 9) | (u64{fs} << 13) | at(18, sum) | at(19, mxr) |
           (uxl << 32) | at(63, sd);
}

u64 SpecHart::read_csr(unsigned number, bool stip, bool seip, const Outside& outside) const {
    switch (number) {
        case 0x100: return read_sstatus();
        case 0x104: return at(1, ssie) | at(5, stie) | at(9, seie) | at(13, lcofie);
        case 0x105: return stvec_base | stvec_mode;
        case 0x106: {
            u64 value = 0;
            for (unsigned n = 0; n < 32; ++n) value |= at(n, scounteren[n]);
            return value;
        }
        case 0x10a: return at(0, fiom) | (u64{cbie} << 4) | at(6, cbcfe) | at(7, cbze);
        case 0x140: return sscratch;
        case 0x141: return sepc;
        case 0x142: return at(63, scause_interrupt) | scause_code;
        case 0x143: return stval;
        case 0x144: return at(1, ssip) | at(5, stip) | at(9, seip) | at(13, lcofip);
        case 0x14d: return stimecmp;
        case 0x180: return (u64{satp_mode} << 60) | (u64{satp_asid} << 44) | satp_ppn;
        default: return outside.at(number);
    }
}

// 4.1.1: UXL, XS, UBE and SD are not writable here.
void SpecHart::write_sstatus(u64 value) {
    sie = bit(value, 1);
    spie = bit(value, 5);
    spp = bit(value, 8);
    if (features.vector) vs = static_cast<unsigned>(slice(value, 10, 9));
    if (features.fpu) fs = static_cast<unsigned>(slice(value, 14, 13));
    sum = bit(value, 18);
    mxr = bit(value, 19);
}

// 4.1.10 and the CMO extensions.
void SpecHart::write_senvcfg(u64 value) {
    fiom = bit(value, 0);
    if (features.zicbom) {
        const auto wanted = static_cast<unsigned>(slice(value, 5, 4));
        if (wanted != 2) cbie = wanted;
        cbcfe = bit(value, 6);
    }
    if (features.zicboz) cbze = bit(value, 7);
}

// 4.1.11: "if satp is written with an unsupported MODE, the entire write has no effect".
void SpecHart::write_satp(u64 value, Happened& happened) {
    const auto mode = static_cast<unsigned>(slice(value, 63, 60));
    bool supported = mode == 0;
    if (mode == 8) supported = features.max_mode >= SatpMode::Sv39;
    if (mode == 9) supported = features.max_mode >= SatpMode::Sv48;
    if (mode == 10) supported = features.max_mode >= SatpMode::Sv57;
    if (!supported) {
        happened.satp_refused = true;
        return;
    }
    satp_mode = mode;
    satp_asid = 0;
    for (unsigned n = 0; n < features.asid_bits; ++n) satp_asid += bit(value, 44 + n) ? 1u << n : 0;
    satp_ppn = slice(value, 43, 0);
}

void SpecHart::write_csr(unsigned number, u64 value, Outside& outside, Happened& happened) {
    happened.wrote = number;
    switch (number) {
        case 0x001: outside[number] = slice(value, 4, 0), fs = 3; break;
        case 0x002: outside[number] = slice(value, 2, 0), fs = 3; break;
        case 0x003: outside[number] = slice(value, 7, 0), fs = 3; break;
        case 0x008: outside[number] = value, vs = 3; break;
        case 0x009: outside[number] = slice(value, 0, 0), vs = 3; break;
        case 0x00a: outside[number] = slice(value, 1, 0), vs = 3; break;
        case 0x00f: outside[number] = slice(value, 2, 0), vs = 3; break;
        case 0x100: write_sstatus(value); break;
        case 0x104:
            ssie = bit(value, 1);
            stie = bit(value, 5);
            seie = bit(value, 9);
            if (features.sscofpmf) lcofie = bit(value, 13);
            break;
        case 0x105:
            if (slice(value, 1, 0) < 2) {
                stvec_mode = static_cast<unsigned>(slice(value, 1, 0));
                stvec_base = value - stvec_mode;
            }
            break;
        case 0x106:
            for (unsigned n = 0; n < 32; ++n) scounteren[n] = bit(features.counters, n) && bit(value, n);
            break;
        case 0x10a: write_senvcfg(value); break;
        case 0x140: sscratch = value; break;
        case 0x141: sepc = slice(value, 63, 1) * 2; break;
        case 0x142:
            scause_interrupt = bit(value, 63);
            scause_code = slice(value, 62, 0);
            break;
        case 0x143: stval = value; break;
        case 0x144:
            ssip = bit(value, 1);
            if (features.sscofpmf) lcofip = bit(value, 13);
            break;
        case 0x14d: stimecmp = value; break;
        case 0x180: write_satp(value, happened); break;
    }
}

// Unprivileged, "Zicsr", with its table of which forms read and which write. False: illegal instruction.
bool SpecHart::execute_csr_instruction(u32 instruction, bool stip, bool seip, Outside& outside, Happened& happened) {
    const auto number = static_cast<unsigned>(slice(instruction, 31, 20));
    const auto rs1 = static_cast<unsigned>(slice(instruction, 19, 15));
    const auto rd = static_cast<unsigned>(slice(instruction, 11, 7));
    enum { CSRRW = 1, CSRRS = 2, CSRRC = 3, CSRRWI = 5, CSRRSI = 6, CSRRCI = 7 };
    const auto funct3 = slice(instruction, 14, 12);

    bool writes = true;
    if ((funct3 == CSRRS || funct3 == CSRRC || funct3 == CSRRSI || funct3 == CSRRCI) && rs1 == 0) writes = false;
    const bool read_only = slice(number, 11, 10) == 3;
    if (!csr_exists_and_is_accessible(number)) return false;
    if (writes && read_only) return false;

    const u64 before = read_csr(number, stip, seip, outside);
    const u64 zimm = rs1;
    if (writes) {
        u64 after = 0;
        switch (funct3) {
            case CSRRW: after = x[rs1]; break;
            case CSRRS: after = before | x[rs1]; break;
            case CSRRC: after = before & ~x[rs1]; break;
            case CSRRWI: after = zimm; break;
            case CSRRSI: after = before | zimm; break;
            case CSRRCI: after = before & ~zimm; break;
        }
        write_csr(number, after, outside, happened);
    }
    if (rd != 0) x[rd] = before;
    pc += 4;
    return true;
}

// 3.3.2, 3.3.3, 4.2.1 and chapter 8 (Svinval). False: illegal instruction.
bool SpecHart::execute_privileged_instruction(u32 instruction, Happened& happened) {
    const auto funct7 = slice(instruction, 31, 25);
    const auto rs2 = static_cast<unsigned>(slice(instruction, 24, 20));
    const auto rs1 = static_cast<unsigned>(slice(instruction, 19, 15));
    const auto rd = slice(instruction, 11, 7);
    if (!supervisor || rd != 0) return false;

    if (funct7 == 0b0001000 && rs2 == 0b00010 && rs1 == 0) {  // sret
        happened.returned = true;
        sie = spie;
        supervisor = spp;
        spie = true;
        spp = false;
        pc = sepc;
        return true;
    }
    if (funct7 == 0b0001000 && rs2 == 0b00101 && rs1 == 0) {  // wfi
        happened.slept = true;
        pc += 4;
        return true;
    }
    if (funct7 == 0b0001001 || (features.svinval && funct7 == 0b0001011)) {  // sfence.vma, sinval.vma
        happened.fenced = true;
        if (rs1 != 0) happened.fence_address = x[rs1];
        if (rs2 != 0) {
            happened.fence_asid = 0;
            for (unsigned n = 0; n < features.asid_bits; ++n) *happened.fence_asid += bit(x[rs2], n) ? 1u << n : 0;
        }
        pc += 4;
        return true;
    }
    if (features.svinval && funct7 == 0b0001100 && rs1 == 0 && rs2 < 2) {  // sfence.w.inval, sfence.inval.ir
        pc += 4;
        return true;
    }
    return false;
}

Happened SpecHart::execute(u32 instruction, bool stip, bool seip, Outside& outside) {
    Happened happened;
    bool legal = false;
    if (slice(instruction, 6, 0) == 0b1110011) {
        const auto funct3 = slice(instruction, 14, 12);
        if (funct3 == 0) legal = execute_privileged_instruction(instruction, happened);
        if (funct3 != 0 && funct3 != 4) legal = execute_csr_instruction(instruction, stip, seip, outside, happened);
    }
    if (!legal) {
        const bool sixteen_bits = slice(instruction, 1, 0) != 3;
        happened.trapped = true;
        take_trap(false, 2, sixteen_bits ? slice(instruction, 15, 0) : instruction);
    }
    return happened;
}

}  // namespace uc::ref
