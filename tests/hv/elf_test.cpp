// SPDX-License-Identifier: MIT
#include "hv/elf.hpp"

#include <random>

#include "tests/hv/dts.hpp"
#include "tests/hv/elf_file.hpp"

namespace uc {
namespace {

constexpr Gpa kBase{0x8000'0000};
constexpr u64 kSize = 0x10'0000;

std::string error_with(const ElfFile& file) { return error_of(plan_elf(Blob(file.bytes()).bytes(), kBase, kSize)); }

ElfFile kernel() {
    return {.entry = 0xffff'ffff'8000'0104,
            .segments = {{0xffff'ffff'8000'0000, 0x8000'2000, "text: code", 10},
                         {0xffff'ffff'8000'0100, 0x8001'0000, "data", 0x20},
                         {0, 0, "note", 4, 4}}};
}

TEST(Elf, PlansHullAndTranslatesEntry) {
    const auto plan = plan_elf(Blob(kernel().bytes()).bytes(), kBase, kSize);
    ASSERT_TRUE(plan) << error_of(plan);
    EXPECT_EQ(plan->base, Gpa{0x8000'2000});
    EXPECT_EQ(plan->size, 0xe020u);
    EXPECT_EQ(plan->entry, Gpa{0x8001'0004});
}

TEST(Elf, EntryMayBePhysical) {
    ElfFile file = kernel();
    file.entry = 0x8000'2002;
    const auto plan = plan_elf(Blob(file.bytes()).bytes(), kBase, kSize);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->entry, Gpa{0x8000'2002});
}

TEST(Elf, LoadsSegmentsAndZeroesTheRest) {
    std::vector<std::byte> ram(kSize, std::byte{0xaa});
    const Blob file(kernel().bytes());
    ASSERT_TRUE(plan_elf(file.bytes(), kBase, kSize));
    load_elf(file.bytes(), kBase, ram);
    const std::string_view memory(reinterpret_cast<const char*>(ram.data()), ram.size());
    EXPECT_EQ(memory.substr(0x2000, 11), "text: code\xaa");
    EXPECT_EQ(memory.substr(0x1'0000, 0x21), "data" + std::string(0x1c, '\0') + "\xaa");
    EXPECT_EQ(memory[0x1fff], '\xaa');
}

TEST(Elf, RefusesWhatIsNotForThisMachine) {
    ElfFile file = kernel();
    file.machine = 62;
    EXPECT_EQ(error_with(file), "ELF file is for machine 62, not RISC-V");
    file = kernel();
    file.file_class = 1;
    EXPECT_EQ(error_with(file), "ELF file is not 64-bit little-endian");
    file = kernel();
    file.data = 2;
    EXPECT_EQ(error_with(file), "ELF file is not 64-bit little-endian");
    file = kernel();
    file.type = 1;
    EXPECT_EQ(error_with(file), "ELF file is not an executable");
    file = kernel();
    file.phentsize = 32;
    EXPECT_EQ(error_with(file), "ELF program headers have a wrong size");
}

TEST(Elf, RefusesSegmentsOutsideTheRam) {
    EXPECT_EQ(error_with({.segments = {{0, 0x7fff'f000, "x", 0x2000}}}),
              "linked elsewhere: ELF segment at 0x7ffff000, RAM from 0x80000000 to 0x80100000");
    EXPECT_EQ(error_with({.segments = {{0, 0x8010'0000, "x", 1}}}),
              "linked elsewhere: ELF segment at 0x80100000, RAM from 0x80000000 to 0x80100000");
    EXPECT_EQ(error_with({.segments = {{0, 0x800f'ffff, "x", 2}}}),
              "ELF segment at 0x800fffff of 2 bytes exceeds the RAM, to 0x80100000");
    EXPECT_EQ(error_with({.segments = {{0, 0x8000'0000, "x", ~0ull}}}),
              "ELF segment at 0x80000000 of 18446744073709551615 bytes exceeds the RAM, to 0x80100000");
}

TEST(Elf, RefusesNonsense) {
    EXPECT_EQ(error_with({}), "ELF file has nothing to load");
    EXPECT_EQ(error_with({.entry = 0x8000'0001, .segments = {{.contents = "x", .memsz = 1}}}),
              "ELF entry point is in no segment");
    EXPECT_EQ(error_with({.segments = {{.contents = "long", .memsz = 2}}}), "ELF segment at 0x80000000 is malformed");
}

TEST(Elf, EveryTruncationIsAnError) {
    const std::string whole = kernel().bytes();
    // The last bytes are a note, which is not loaded.
    for (usize size = 0; size < whole.size() - 4; ++size) {
        EXPECT_FALSE(plan_elf(Blob(whole.substr(0, size)).bytes(), kBase, kSize)) << size;
    }
}

TEST(Elf, CorruptionStaysWithinBounds) {
    const std::string whole = kernel().bytes();
    std::minstd_rand random(1);
    std::vector<std::byte> ram(kSize);
    int accepted = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes = whole;
        for (int flips = 0; flips < 1 + round % 4; ++flips) bytes[random() % bytes.size()] ^= 1 << random() % 8;
        const Blob blob(bytes);
        if (!plan_elf(blob.bytes(), kBase, kSize)) continue;
        load_elf(blob.bytes(), kBase, ram);
        ++accepted;
    }
    EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace uc
