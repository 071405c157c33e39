// SPDX-License-Identifier: MIT
#include "emul/decode.hpp"

// Encodings: Unprivileged, "RV32/64G Instruction Set Listings" and "RVC Instruction Set Listings"; Zcb.

namespace uc {
namespace {

constexpr u32 bits(u32 insn, unsigned lsb, unsigned width) { return insn >> lsb & ((1u << width) - 1); }

// The register fields of compressed instructions: five bits, or three that name x8..x15 (f8..f15).
constexpr u8 wide_rd(u32 insn) { return static_cast<u8>(bits(insn, 7, 5)); }
constexpr u8 wide_rs2(u32 insn) { return static_cast<u8>(bits(insn, 2, 5)); }
constexpr u8 narrow(u32 insn) { return static_cast<u8>(8 + bits(insn, 2, 3)); }

constexpr MemoryInsn load(u8 width, u8 reg, u8 length, bool sign_extend) {
    return {.access = Access::Load, .width = width, .sign_extend = sign_extend, .reg = reg, .length = length};
}
constexpr MemoryInsn store(u8 width, u8 reg, u8 length) {
    return {.access = Access::Store, .width = width, .reg = reg, .length = length};
}
constexpr MemoryInsn in_fp(MemoryInsn insn) {
    insn.fp = true;
    return insn;
}

// Zcb: funct3 = 100 of quadrant 0.
std::optional<MemoryInsn> decode_zcb(u32 insn) {
    const bool bit6 = bits(insn, 6, 1) != 0;
    switch (bits(insn, 10, 3)) {
        case 0: return load(1, narrow(insn), 2, false);  // c.lbu
        case 1: return load(2, narrow(insn), 2, bit6);   // c.lhu, c.lh
        case 2: return store(1, narrow(insn), 2);        // c.sb
        case 3:                                          // c.sh
            if (!bit6) return store(2, narrow(insn), 2);
    }
    return std::nullopt;
}

// Quadrant and funct3 of a compressed instruction, as one number.
constexpr u32 c_opcode(u32 quadrant, u32 funct3) { return funct3 << 2 | quadrant; }

std::optional<MemoryInsn> decode_compressed(u32 insn) {
    switch (c_opcode(bits(insn, 0, 2), bits(insn, 13, 3))) {
        case c_opcode(0, 1): return in_fp(load(8, narrow(insn), 2, false));  // c.fld
        case c_opcode(0, 2): return load(4, narrow(insn), 2, true);          // c.lw
        case c_opcode(0, 3): return load(8, narrow(insn), 2, false);         // c.ld
        case c_opcode(0, 4): return decode_zcb(insn);
        case c_opcode(0, 5): return in_fp(store(8, narrow(insn), 2));         // c.fsd
        case c_opcode(0, 6): return store(4, narrow(insn), 2);                // c.sw
        case c_opcode(0, 7): return store(8, narrow(insn), 2);                // c.sd
        case c_opcode(2, 1): return in_fp(load(8, wide_rd(insn), 2, false));  // c.fldsp
        case c_opcode(2, 2):                                                  // c.lwsp; rd = x0 is reserved
            if (wide_rd(insn) != 0) return load(4, wide_rd(insn), 2, true);
            break;
        case c_opcode(2, 3):  // c.ldsp; rd = x0 is reserved
            if (wide_rd(insn) != 0) return load(8, wide_rd(insn), 2, false);
            break;
        case c_opcode(2, 5): return in_fp(store(8, wide_rs2(insn), 2));  // c.fsdsp
        case c_opcode(2, 6): return store(4, wide_rs2(insn), 2);         // c.swsp
        case c_opcode(2, 7): return store(8, wide_rs2(insn), 2);         // c.sdsp
    }
    return std::nullopt;
}

// Whether funct5 names an AMO: add swap xor or and min max minu maxu.
constexpr bool is_amo(u32 funct5) { return funct5 == 1 || (funct5 & 3) == 0; }

std::optional<MemoryInsn> decode_atomic(u32 insn) {
    constexpr u32 kLr = 2, kSc = 3;
    const u32 funct3 = bits(insn, 12, 3), funct5 = bits(insn, 27, 5);
    if (funct3 != 2 && funct3 != 3) return std::nullopt;
    const auto width = static_cast<u8>(1u << funct3);
    const auto rs2 = static_cast<u8>(bits(insn, 20, 5));
    MemoryInsn decoded;
    if (funct5 == kLr && rs2 == 0)
        decoded = load(width, wide_rd(insn), 4, width == 4);
    else if (funct5 == kSc || is_amo(funct5))
        decoded = store(width, rs2, 4);
    else
        return std::nullopt;
    decoded.amo = true;
    return decoded;
}

}  // namespace

std::optional<MemoryInsn> decode_memory(u32 insn) {
    if ((insn & 3) != 3) return decode_compressed(insn);
    const u32 funct3 = bits(insn, 12, 3);
    const auto width = static_cast<u8>(1u << (funct3 & 3));
    const auto rd = wide_rd(insn), rs2 = static_cast<u8>(bits(insn, 20, 5));
    const bool fp_width = funct3 >= 1 && funct3 <= 3;  // H, S, D; the rest are Q and vectors
    switch (bits(insn, 0, 7)) {
        case 0x03:  // LOAD: funct3 bit 2 says unsigned, and there is no ldu
            if (funct3 != 7) return load(width, rd, 4, funct3 < 3);
            break;
        case 0x07:  // LOAD-FP
            if (fp_width) return in_fp(load(width, rd, 4, false));
            break;
        case 0x23:  // STORE
            if (funct3 <= 3) return store(width, rs2, 4);
            break;
        case 0x27:  // STORE-FP
            if (fp_width) return in_fp(store(width, rs2, 4));
            break;
        case 0x2f: return decode_atomic(insn);
    }
    return std::nullopt;
}

}  // namespace uc
