// SPDX-License-Identifier: MIT
#pragma once
// Every load and store that decode_memory() knows, drawn as the manual's listings draw them. Independent of the
// decoder.

#include <string_view>

#include "isa/types.hpp"

namespace uc::ref {

/// One row of a listing. In `bits`, most significant first: 0 and 1 stand for themselves, d for the register loaded, s
/// for the register stored, e and t likewise in the three-bit forms (x8 to x15), D for a d that must not be x0, '.' for
/// anything; spaces separate fields.
struct MemoryPattern {
    std::string_view name;
    std::string_view bits;
    Access access;
    unsigned width;
    bool sign_extend;
    bool fp;
    bool amo;
};

inline constexpr Access kLoad = Access::Load, kStore = Access::Store;

inline constexpr MemoryPattern kMemoryPatterns[] = {
    // RV32I and RV64I
    {"lb", "............ ..... 000 ddddd 0000011", kLoad, 1, true, false, false},
    {"lh", "............ ..... 001 ddddd 0000011", kLoad, 2, true, false, false},
    {"lw", "............ ..... 010 ddddd 0000011", kLoad, 4, true, false, false},
    {"lbu", "............ ..... 100 ddddd 0000011", kLoad, 1, false, false, false},
    {"lhu", "............ ..... 101 ddddd 0000011", kLoad, 2, false, false, false},
    {"sb", "....... sssss ..... 000 ..... 0100011", kStore, 1, false, false, false},
    {"sh", "....... sssss ..... 001 ..... 0100011", kStore, 2, false, false, false},
    {"sw", "....... sssss ..... 010 ..... 0100011", kStore, 4, false, false, false},
    {"lwu", "............ ..... 110 ddddd 0000011", kLoad, 4, false, false, false},
    {"ld", "............ ..... 011 ddddd 0000011", kLoad, 8, false, false, false},
    {"sd", "....... sssss ..... 011 ..... 0100011", kStore, 8, false, false, false},
    // Zfh, F and D
    {"flh", "............ ..... 001 ddddd 0000111", kLoad, 2, false, true, false},
    {"flw", "............ ..... 010 ddddd 0000111", kLoad, 4, false, true, false},
    {"fld", "............ ..... 011 ddddd 0000111", kLoad, 8, false, true, false},
    {"fsh", "....... sssss ..... 001 ..... 0100111", kStore, 2, false, true, false},
    {"fsw", "....... sssss ..... 010 ..... 0100111", kStore, 4, false, true, false},
    {"fsd", "....... sssss ..... 011 ..... 0100111", kStore, 8, false, true, false},
    // RV32A
    {"lr.w", "00010 .. 00000 ..... 010 ddddd 0101111", kLoad, 4, true, false, true},
    {"sc.w", "00011 .. sssss ..... 010 ..... 0101111", kStore, 4, false, false, true},
    {"amoswap.w", "00001 .. sssss ..... 010 ..... 0101111", kStore, 4, false, false, true},
    {"amoadd.w", "00000 .. sssss ..... 010 ..... 0101111", kStore, 4, false, false, true},
    {"amoxor.w", "00100 .. sssss ..... 010 ..... 0101111", kStore, 4, false, false, true},
    {"amoand.w", "01100 .. sssss ..... 010 ..... 0101111", kStore, 4, false, false, true},
    {"amoor.w", "01000 .. sssss ..... 010 ..... 0101111", kStore, 4, false, false, true},
    {"amomin.w", "10000 .. sssss ..... 010 ..... 0101111", kStore, 4, false, false, true},
    {"amomax.w", "10100 .. sssss ..... 010 ..... 0101111", kStore, 4, false, false, true},
    {"amominu.w", "11000 .. sssss ..... 010 ..... 0101111", kStore, 4, false, false, true},
    {"amomaxu.w", "11100 .. sssss ..... 010 ..... 0101111", kStore, 4, false, false, true},
    // RV64A
    {"lr.d", "00010 .. 00000 ..... 011 ddddd 0101111", kLoad, 8, false, false, true},
    {"sc.d", "00011 .. sssss ..... 011 ..... 0101111", kStore, 8, false, false, true},
    {"amoswap.d", "00001 .. sssss ..... 011 ..... 0101111", kStore, 8, false, false, true},
    {"amoadd.d", "00000 .. sssss ..... 011 ..... 0101111", kStore, 8, false, false, true},
    {"amoxor.d", "00100 .. sssss ..... 011 ..... 0101111", kStore, 8, false, false, true},
    {"amoand.d", "01100 .. sssss ..... 011 ..... 0101111", kStore, 8, false, false, true},
    {"amoor.d", "01000 .. sssss ..... 011 ..... 0101111", kStore, 8, false, false, true},
    {"amomin.d", "10000 .. sssss ..... 011 ..... 0101111", kStore, 8, false, false, true},
    {"amomax.d", "10100 .. sssss ..... 011 ..... 0101111", kStore, 8, false, false, true},
    {"amominu.d", "11000 .. sssss ..... 011 ..... 0101111", kStore, 8, false, false, true},
    {"amomaxu.d", "11100 .. sssss ..... 011 ..... 0101111", kStore, 8, false, false, true},
    // C, RV64
    {"c.fld", "001 ... ... .. eee 00", kLoad, 8, false, true, false},
    {"c.lw", "010 ... ... .. eee 00", kLoad, 4, true, false, false},
    {"c.ld", "011 ... ... .. eee 00", kLoad, 8, false, false, false},
    {"c.fsd", "101 ... ... .. ttt 00", kStore, 8, false, true, false},
    {"c.sw", "110 ... ... .. ttt 00", kStore, 4, false, false, false},
    {"c.sd", "111 ... ... .. ttt 00", kStore, 8, false, false, false},
    {"c.fldsp", "001 . ddddd ..... 10", kLoad, 8, false, true, false},
    {"c.lwsp", "010 . DDDDD ..... 10", kLoad, 4, true, false, false},
    {"c.ldsp", "011 . DDDDD ..... 10", kLoad, 8, false, false, false},
    {"c.fsdsp", "101 ...... sssss 10", kStore, 8, false, true, false},
    {"c.swsp", "110 ...... sssss 10", kStore, 4, false, false, false},
    {"c.sdsp", "111 ...... sssss 10", kStore, 8, false, false, false},
    // Zcb
    {"c.lbu", "100 000 ... .. eee 00", kLoad, 1, false, false, false},
    {"c.lhu", "100 001 ... 0 . eee 00", kLoad, 2, false, false, false},
    {"c.lh", "100 001 ... 1 . eee 00", kLoad, 2, true, false, false},
    {"c.sb", "100 010 ... .. ttt 00", kStore, 1, false, false, false},
    {"c.sh", "100 011 ... 0 . ttt 00", kStore, 2, false, false, false},
};

}  // namespace uc::ref
