// SPDX-License-Identifier: MIT
#include "emul/decode.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/ref/memory_patterns.hpp"

namespace uc {
namespace {

// A drawn pattern as numbers: what must match, and which bits name the register.
struct Compiled {
    const ref::MemoryPattern* pattern;
    unsigned length = 0;
    u32 mask = 0, match = 0;
    u32 reg_mask = 0;
    unsigned reg_base = 0;
    bool reg_not_zero = false;

    explicit Compiled(const ref::MemoryPattern& p) : pattern(&p) {
        const auto drawn = static_cast<unsigned>(std::ranges::count_if(p.bits, [](char c) { return c != ' '; }));
        length = drawn / 8;
        unsigned n = drawn;
        for (const char c : p.bits) {
            if (c == ' ') continue;
            const u32 bit = 1u << --n;
            if (c == '0' || c == '1') mask |= bit;
            if (c == '1') match |= bit;
            if (std::string_view("dseDt").contains(c)) reg_mask |= bit;
            if (c == 'e' || c == 't') reg_base = 8;
            if (c == 'D') reg_not_zero = true;
        }
    }

    [[nodiscard]] unsigned reg(u32 insn) const { return reg_base + ((insn & reg_mask) >> __builtin_ctz(reg_mask)); }
    [[nodiscard]] bool matches(u32 insn) const {
        const unsigned insn_length = (insn & 3) == 3 ? 4 : 2;
        return insn_length == length && (insn & mask) == match && !(reg_not_zero && reg(insn) == 0);
    }
    [[nodiscard]] MemoryInsn decoded(u32 insn) const {
        return {.access = pattern->access,
                .width = static_cast<u8>(pattern->width),
                .sign_extend = pattern->sign_extend,
                .fp = pattern->fp,
                .reg = static_cast<u8>(reg(insn)),
                .length = static_cast<u8>(length),
                .amo = pattern->amo};
    }
};

const std::vector<Compiled>& listing() {
    static const std::vector<Compiled> all(std::begin(ref::kMemoryPatterns), std::end(ref::kMemoryPatterns));
    return all;
}

std::optional<MemoryInsn> by_listing(u32 insn) {
    for (const Compiled& row : listing())
        if (row.matches(insn)) return row.decoded(insn);
    return std::nullopt;
}

TEST(Decode, ListingIsDrawnWhole) {
    for (const Compiled& row : listing()) {
        EXPECT_TRUE(row.length == 2 || row.length == 4) << row.pattern->name;
        EXPECT_EQ(row.mask >> (row.length * 8 - 1) >> 1, 0u) << row.pattern->name;
        EXPECT_NE(row.reg_mask, 0u) << row.pattern->name;
        // No row hides another.
        EXPECT_EQ(std::ranges::count_if(listing(),
                                        [&](const Compiled& other) { return other.matches(row.match | row.reg_mask); }),
                  1)
            << row.pattern->name;
    }
}

TEST(Decode, EveryCompressedWord) {
    unsigned found = 0;
    for (u32 insn = 0; insn < 0x1'0000; ++insn) {
        if ((insn & 3) == 3) continue;
        const auto expected = by_listing(insn);
        ASSERT_EQ(decode_memory(insn), expected) << std::hex << insn;
        ASSERT_EQ(decode_memory(insn | 0xabcd'0000), expected) << std::hex << insn << ": what follows does not matter";
        found += expected.has_value();
    }
    // Twelve pairs of quadrant and funct3 of 2048 words each, without the two forms with rd = x0, and 7/16 of Zcb's.
    EXPECT_EQ(found, 12u * 2048 - 2 * 64 + 2048 * 7 / 16);
}

TEST(Decode, EveryWordOfFourBytes) {
    // All opcodes, funct3, funct7 and rs2; rd and rs1 take part only as register numbers.
    unsigned found = 0;
    for (u32 opcode = 3; opcode < 0x80; opcode += 4)
        for (u32 high = 0; high < 1u << 12; ++high)
            for (u32 funct3 = 0; funct3 < 8; ++funct3)
                for (const u32 rd : {0u, 1u, 10u, 31u})
                    for (const u32 rs1 : {0u, 31u}) {
                        const u32 insn = high << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode;
                        const auto expected = by_listing(insn);
                        ASSERT_EQ(decode_memory(insn), expected) << std::hex << insn;
                        found += expected.has_value();
                    }
    EXPECT_GT(found, 0u);
}

TEST(Decode, ByExample) {
    // As the assembler encodes them, so that decoder and listing cannot share a misreading.
    const auto check = [](u32 insn, const MemoryInsn& expected) {
        EXPECT_EQ(decode_memory(insn), expected) << std::hex << insn;
    };
    check(0x0005'0503,
          {.access = Access::Load, .width = 1, .sign_extend = true, .reg = 10, .length = 4});       // lb a0,0(a0)
    check(0x0085'e583, {.access = Access::Load, .width = 4, .reg = 11, .length = 4});               // lwu a1,8(a1)
    check(0xfef4'3823, {.access = Access::Store, .width = 8, .reg = 15, .length = 4});              // sd a5,-16(s0)
    check(0x0005'3507, {.access = Access::Load, .width = 8, .fp = true, .reg = 10, .length = 4});   // fld fa0,0(a0)
    check(0x00a5'2027, {.access = Access::Store, .width = 4, .fp = true, .reg = 10, .length = 4});  // fsw fa0,0(a0)
    check(0x1005'252f,
          {.access = Access::Load, .width = 4, .sign_extend = true, .reg = 10, .length = 4, .amo = true});  // lr.w
    check(0x18b5'352f, {.access = Access::Store, .width = 8, .reg = 11, .length = 4, .amo = true});  // sc.d a0,a1,(a0)
    check(0x4188, {.access = Access::Load, .width = 4, .sign_extend = true, .reg = 10, .length = 2});  // c.lw a0,0(a1)
    check(0xe188, {.access = Access::Store, .width = 8, .reg = 10, .length = 2});                      // c.sd a0,0(a1)
    check(0x4502,
          {.access = Access::Load, .width = 4, .sign_extend = true, .reg = 10, .length = 2});  // c.lwsp a0,0(sp)
    check(0xe02a, {.access = Access::Store, .width = 8, .reg = 10, .length = 2});              // c.sdsp a0,0(sp)
    EXPECT_EQ(decode_memory(0x0000'0013), std::nullopt);                                       // nop
    EXPECT_EQ(decode_memory(0x0001), std::nullopt);                                            // c.nop
    EXPECT_EQ(decode_memory(0x0000), std::nullopt);                                            // c.unimp
    EXPECT_EQ(decode_memory(0x4002), std::nullopt);                                            // c.lwsp x0
    EXPECT_EQ(decode_memory(0x0005'7503), std::nullopt);                                       // no "ldu"
    EXPECT_EQ(decode_memory(0x10b5'252f), std::nullopt);                                       // lr.w with rs2
}

}  // namespace
}  // namespace uc
