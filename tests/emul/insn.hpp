// SPDX-License-Identifier: MIT
#pragma once
// Assembles the instructions that tests execute.

#include "isa/csr.hpp"

namespace uc::test {

/// funct3 of the CSR instructions.
enum Form : u32 { kCsrrw = 1, kCsrrs = 2, kCsrrc = 3, kCsrrwi = 5, kCsrrsi = 6, kCsrrci = 7 };

inline constexpr Form kForms[] = {kCsrrw, kCsrrs, kCsrrc, kCsrrwi, kCsrrsi, kCsrrci};

/// A CSR instruction; `source` is rs1 or the immediate.
constexpr u32 csr_insn(Form form, CsrNo number, unsigned rd, unsigned source) {
    return static_cast<u32>(number) << 20 | source << 15 | form << 12 | rd << 7 | 0x73;
}

inline constexpr u32 kSret = 0x10200073, kMret = 0x30200073, kWfi = 0x10500073;
inline constexpr u32 kSfenceWInval = 0x18000073, kSfenceInvalIr = 0x18100073;
constexpr u32 sfence_vma(unsigned rs1, unsigned rs2) { return 0x12000073 | rs2 << 20 | rs1 << 15; }
constexpr u32 sinval_vma(unsigned rs1, unsigned rs2) { return 0x16000073 | rs2 << 20 | rs1 << 15; }

}  // namespace uc::test
