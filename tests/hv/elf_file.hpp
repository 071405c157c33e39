// SPDX-License-Identifier: MIT
#pragma once
// ELF files for tests, built field by field.

#include <string>
#include <vector>

#include "isa/types.hpp"

namespace uc {

struct ElfSegment {
    u64 vaddr = 0x8000'0000;
    u64 paddr = 0x8000'0000;
    std::string contents;
    u64 memsz = 0;
    u32 type = 1;
};

struct ElfFile {
    u64 entry = 0x8000'0000;
    u8 file_class = 2;
    u8 data = 1;
    u16 type = 2;
    u16 machine = 243;
    u16 phentsize = 56;
    std::vector<ElfSegment> segments;

    [[nodiscard]] std::string bytes() const {
        std::string out;
        const auto put = [&out](u64 value, int size) {
            for (int i = 0; i < size; ++i) out += static_cast<char>(i < 8 ? value >> 8 * i : 0);
        };
        out +=
            "\x7f"
            "ELF";
        put(file_class, 1);
        put(data, 1);
        put(0, 10);
        put(type, 2);
        put(machine, 2);
        put(1, 4);
        put(entry, 8);
        put(64, 8);  // phoff
        put(0, 8);
        put(0, 4);
        put(64, 2);
        put(phentsize, 2);
        put(segments.size(), 2);
        put(0, 6);
        u64 offset = 64 + 56 * segments.size();
        for (const ElfSegment& s : segments) {
            put(s.type, 4);
            put(7, 4);
            for (const u64 field : {offset, s.vaddr, s.paddr, u64{s.contents.size()}, s.memsz, u64{8}}) put(field, 8);
            offset += s.contents.size();
        }
        for (const ElfSegment& s : segments) out += s.contents;
        return out;
    }
};

}  // namespace uc
