// SPDX-License-Identifier: MIT
#pragma once
// The privileged specification transcribed: slow, one named bit at a time, in the order of its chapters. It shares
// nothing with the code it judges but the shape of GuestHart; keep it so, and never make it clever.

#include <array>
#include <map>
#include <optional>

#include "emul/features.hpp"
#include "emul/guest_hart.hpp"

namespace uc::ref {

/// Registers that are not part of GuestHart (time, counters, those of F and V), by CSR number.
using Outside = std::map<unsigned, u64>;

/// What an instruction did besides changing registers.
struct Happened {
    bool trapped = false;
    bool slept = false;                  ///< wfi
    bool returned = false;               ///< sret
    bool fenced = false;                 ///< sfence.vma or sinval.vma
    std::optional<u64> fence_address;    ///< empty: rs1 was x0
    std::optional<unsigned> fence_asid;  ///< empty: rs2 was x0
    std::optional<unsigned> wrote;       ///< number of the CSR that was written, whether or not the value was taken
    bool satp_refused = false;
};

/// A hart as the manual's figures draw it: every field a variable.
class SpecHart {
  public:
    SpecHart(const GuestHart& hart, const Features& features);
    [[nodiscard]] GuestHart to_guest_hart() const;

    /// Executes one instruction that is not a load, store or computation; `stip` and `seip` are the interrupt inputs.
    Happened execute(u32 instruction, bool stip, bool seip, Outside& outside);

    /// Takes a trap into S-mode.
    void take_trap(bool interrupt, u64 code, u64 value);

    /// Code of the interrupt that is to be taken before the next instruction.
    [[nodiscard]] std::optional<unsigned> interrupt_to_take(bool stip, bool seip) const;

  private:
    [[nodiscard]] bool csr_exists_and_is_accessible(unsigned number) const;
    [[nodiscard]] u64 read_csr(unsigned number, bool stip, bool seip, const Outside& outside) const;
    void write_csr(unsigned number, u64 value, Outside& outside, Happened& happened);
    [[nodiscard]] bool execute_csr_instruction(u32 instruction, bool stip, bool seip, Outside& outside,
                                               Happened& happened);
    [[nodiscard]] bool execute_privileged_instruction(u32 instruction, Happened& happened);
    [[nodiscard]] u64 read_sstatus() const;
    void write_sstatus(u64 value);
    void write_senvcfg(u64 value);
    void write_satp(u64 value, Happened& happened);

    const Features& features;
    std::array<u64, 32> x{};
    u64 pc = 0;
    bool supervisor = true;
    bool sie = false, spie = false, spp = false, sum = false, mxr = false;  // sstatus
    unsigned fs = 0, vs = 0;
    bool ssie = false, stie = false, seie = false, lcofie = false;  // sie
    bool ssip = false, lcofip = false;                              // sip
    u64 stvec_base = 0;                                             // address, low two bits zero
    unsigned stvec_mode = 0;
    std::array<bool, 32> scounteren{};
    bool fiom = false, cbcfe = false, cbze = false;  // senvcfg
    unsigned cbie = 0;
    u64 sscratch = 0, sepc = 0, stval = 0, stimecmp = 0;
    bool scause_interrupt = false;
    u64 scause_code = 0;
    unsigned satp_mode = 0, satp_asid = 0;
    u64 satp_ppn = 0;
};

}  // namespace uc::ref
