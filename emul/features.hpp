// SPDX-License-Identifier: MIT
#pragma once
// What a guest's CPU has: the single source for its CSRs' legal values and for its device tree's ISA string.

#include "isa/csr.hpp"

namespace uc {

/// Extensions and sizes of a guest's hart. I, M, A, C, Zicsr, Zifencei, S and U are always there.
struct Features {
    SatpMode max_mode = SatpMode::Sv39;  ///< largest satp.MODE; the smaller ones are all available
    u16 asid_bits = 0;                   ///< implemented bits of satp.ASID, 0 to 16
    bool fpu = false;                    ///< F and D
    bool vector = false;                 ///< V
    bool sstc = false;                   ///< stimecmp
    bool svinval = false;                ///< sinval.vma and its two fences
    bool svadu_hw = false;               ///< page walks set A and D; otherwise they fault (Svade)
    bool svpbmt = false;                 ///< PTE bits 62:61 mean something
    bool svnapot = false;                ///< PTE bit 63 means something
    bool envcfg = false;                 ///< senvcfg exists (Privileged 1.12)
    bool zicbom = false;                 ///< senvcfg.CBIE and CBCFE are writable
    bool zicboz = false;                 ///< senvcfg.CBZE is writable
    bool sscofpmf = false;               ///< the counter-overflow interrupt, LCOFI
    u32 counters = 0x7;  ///< counters that exist, numbered as in scounteren: cycle, time, instret, hpmcounter3..31
};

}  // namespace uc
