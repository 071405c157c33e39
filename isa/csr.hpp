// SPDX-License-Identifier: MIT
#pragma once
// Supervisor CSRs: numbers and fields (Privileged 1.12, chapter 4; Sstc; Unprivileged, Zicntr).

#include "isa/field.hpp"

namespace uc {

/// CSR addresses (Privileged 1.12, 2.2). Bits 11:10 = 3 mean read-only, bits 9:8 the lowest privilege.
enum class CsrNo : u16 {
    fflags = 0x001,
    frm = 0x002,
    fcsr = 0x003,
    vstart = 0x008,
    vxsat = 0x009,
    vxrm = 0x00a,
    vcsr = 0x00f,
    sstatus = 0x100,
    sie = 0x104,
    stvec = 0x105,
    scounteren = 0x106,
    senvcfg = 0x10a,
    sscratch = 0x140,
    sepc = 0x141,
    scause = 0x142,
    stval = 0x143,
    sip = 0x144,
    stimecmp = 0x14d,
    satp = 0x180,
    scontext = 0x5a8,
    cycle = 0xc00,
    time = 0xc01,
    instret = 0xc02,
    hpmcounter3 = 0xc03,
    hpmcounter31 = 0xc1f,
    vl = 0xc20,
    vtype = 0xc21,
    vlenb = 0xc22,
};

/// Extension state of sstatus.FS, VS and XS (Privileged 1.12, 3.1.6.6).
enum class ExtState : u8 { Off = 0, Initial = 1, Clean = 2, Dirty = 3 };

struct Sstatus : Reg<Sstatus> {
    static constexpr Field<Sstatus, 1> SIE{};
    static constexpr Field<Sstatus, 5> SPIE{};
    static constexpr Field<Sstatus, 6> UBE{};
    static constexpr Field<Sstatus, 8> SPP{};
    static constexpr Field<Sstatus, 9, 2> VS{};
    static constexpr Field<Sstatus, 13, 2> FS{};
    static constexpr Field<Sstatus, 15, 2> XS{};
    static constexpr Field<Sstatus, 18> SUM{};
    static constexpr Field<Sstatus, 19> MXR{};
    static constexpr Field<Sstatus, 32, 2> UXL{};
    static constexpr Field<Sstatus, 63> SD{};
};

/// Interrupt numbers: bit positions in sie and sip, codes in scause.
enum class Irq : u8 { SSI = 1, STI = 5, SEI = 9, LCOFI = 13 };
[[nodiscard]] constexpr u64 irq_bit(Irq irq) { return 1ull << static_cast<unsigned>(irq); }

struct Sie : Reg<Sie> {
    static constexpr Field<Sie, 1> SSIE{};
    static constexpr Field<Sie, 5> STIE{};
    static constexpr Field<Sie, 9> SEIE{};
};

struct Sip : Reg<Sip> {
    static constexpr Field<Sip, 1> SSIP{};
    static constexpr Field<Sip, 5> STIP{};
    static constexpr Field<Sip, 9> SEIP{};
};

struct Stvec : Reg<Stvec> {
    static constexpr Field<Stvec, 0, 2> MODE{};  ///< 0 direct, 1 vectored
    static constexpr u64 kDirect = 0;
    static constexpr u64 kVectored = 1;
    /// The address part: BASE with its two implied zero bits.
    [[nodiscard]] constexpr u64 base() const { return raw & ~3ull; }
};

/// satp.MODE encodings (Privileged 1.12, table 4.4).
enum class SatpMode : u8 { Bare = 0, Sv39 = 8, Sv48 = 9, Sv57 = 10 };

struct Satp : Reg<Satp> {
    static constexpr Field<Satp, 0, 44> PPN{};
    static constexpr Field<Satp, 44, 16> ASID{};
    static constexpr Field<Satp, 60, 4> MODE{};
    [[nodiscard]] constexpr SatpMode mode() const { return static_cast<SatpMode>(get(MODE)); }
};

struct Senvcfg : Reg<Senvcfg> {
    static constexpr Field<Senvcfg, 0> FIOM{};
    static constexpr Field<Senvcfg, 4, 2> CBIE{};
    static constexpr Field<Senvcfg, 6> CBCFE{};
    static constexpr Field<Senvcfg, 7> CBZE{};
};

struct Scounteren : Reg<Scounteren> {
    static constexpr Field<Scounteren, 0> CY{};
    static constexpr Field<Scounteren, 1> TM{};
    static constexpr Field<Scounteren, 2> IR{};
};

}  // namespace uc
