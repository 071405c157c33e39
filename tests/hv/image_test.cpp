// SPDX-License-Identifier: MIT
#include "hv/image.hpp"

#include "tests/hv/dts.hpp"
#include "tests/hv/elf_file.hpp"

namespace uc {
namespace {

/// A Linux Image of `file_size` bytes.
std::string linux_image(u64 text_offset, u64 image_size, u64 flags = 0, usize file_size = 0x1000) {
    std::string bytes(file_size, 'k');
    std::memcpy(bytes.data() + 0x08, &text_offset, 8);
    std::memcpy(bytes.data() + 0x10, &image_size, 8);
    std::memcpy(bytes.data() + 0x18, &flags, 8);
    std::memcpy(bytes.data() + 0x30, "RISCV\0\0\0RSC\x05", 12);
    return bytes;
}

struct Files {
    Blob kernel;
    Blob ramdisk{""};
    Blob fdt{""};
};

GuestConfig guest_of(const Files& files, u64 memory = 16 * kMiB) {
    GuestConfig guest;
    guest.name = "g";
    guest.memory = memory;
    guest.kernel.data = files.kernel.bytes();
    guest.ramdisk.data = files.ramdisk.bytes();
    guest.fdt.data = files.fdt.bytes();
    return guest;
}

GuestRange range(u64 base, u64 size) { return {Gpa{base}, size}; }

TEST(LinuxImage, HeaderIsRead) {
    const auto header = linux_image_header(Blob(linux_image(0x20'0000, 0x5000, 1)).bytes());
    ASSERT_TRUE(header);
    EXPECT_EQ(header->text_offset, 0x20'0000u);
    EXPECT_EQ(header->image_size, 0x5000u);
    EXPECT_TRUE(header->big_endian);
    EXPECT_FALSE(linux_image_header(Blob(linux_image(0, 0).substr(0, 63)).bytes()));
    EXPECT_FALSE(linux_image_header(Blob(std::string(100, '\0')).bytes()));
}

TEST(PlanGuest, LinuxImageGoesToItsOffset) {
    const Files files{Blob(linux_image(0x20'0000, 0x5000)), Blob(std::string(0x1001, 'r'))};
    const auto plan = plan_guest(guest_of(files));
    ASSERT_TRUE(plan) << error_of(plan);
    EXPECT_EQ(plan->kernel, range(0x8020'0000, 0x5000));  // with its bss
    EXPECT_EQ(plan->entry, Gpa{0x8020'0000});
    EXPECT_EQ(plan->fdt, range(0x80ff'0000, 0x1'0000));
    EXPECT_EQ(plan->ramdisk, range(0x80fe'e000, 0x1001));  // whole pages below the tree
}

TEST(PlanGuest, LinuxImageIgnoresLoadButTakesEntry) {
    const Files files{Blob(linux_image(0x40'0000, 0))};
    GuestConfig guest = guest_of(files);
    guest.kernel.load = Gpa{0x8080'0000};
    guest.kernel.entry = Gpa{0x8040'0008};
    const auto plan = plan_guest(guest);
    ASSERT_TRUE(plan) << error_of(plan);
    EXPECT_EQ(plan->kernel, range(0x8040'0000, 0x1000));
    EXPECT_EQ(plan->entry, Gpa{0x8040'0008});
}

TEST(PlanGuest, RawKernelGoesToLoadOrTwoMebibytes) {
    const Files files{Blob("raw kernel")};
    GuestConfig guest = guest_of(files);
    EXPECT_EQ(plan_guest(guest)->kernel, range(0x8020'0000, 10));
    EXPECT_EQ(plan_guest(guest)->entry, Gpa{0x8020'0000});
    guest.kernel.load = Gpa{0x8000'0000};
    EXPECT_EQ(plan_guest(guest)->kernel, range(0x8000'0000, 10));
    EXPECT_EQ(plan_guest(guest)->entry, Gpa{0x8000'0000});
    guest.kernel.entry = Gpa{0x8000'0004};
    EXPECT_EQ(plan_guest(guest)->entry, Gpa{0x8000'0004});
}

TEST(PlanGuest, ElfGoesWhereItIsLinked) {
    const ElfFile elf{.segments = {{.contents = "code", .memsz = 0x3000}}};
    const Files files{Blob(elf.bytes())};
    const auto plan = plan_guest(guest_of(files, 2 * kMiB));
    ASSERT_TRUE(plan) << error_of(plan);
    EXPECT_EQ(plan->kernel, range(0x8000'0000, 0x3000));
    EXPECT_EQ(plan->entry, Gpa{0x8000'0000});
}

TEST(PlanGuest, GivenTreeGetsRoomForChanges) {
    const Files files{Blob("kk"), Blob(""), Blob(std::string(300'000, 't'))};
    GuestConfig guest = guest_of(files);
    EXPECT_EQ(plan_guest(guest)->fdt, range(0x80f8'0000, 0x8'0000));
    guest.fdt.load = Gpa{0x8040'0000};
    EXPECT_EQ(plan_guest(guest)->fdt, range(0x8040'0000, 0x8'0000));
    guest.fdt.load = Gpa{0x8040'0004};
    EXPECT_EQ(error_of(plan_guest(guest)), "guest g: fdt: load 0x80400004 is not 8-byte aligned");
    const Files big{Blob("kk"), Blob(""), Blob(std::string(3 * kMiB, 't'))};
    EXPECT_EQ(error_of(plan_guest(guest_of(big))), "guest g: fdt: 3145728 bytes are more than 2 MiB");
}

TEST(PlanGuest, BootargsMustFitIntoTheTree) {
    const std::string most(2 * kMiB, 'b');
    for (const usize given : {0, 300'000}) {
        const Files files{Blob("kk"), Blob(""), Blob(std::string(given, 't'))};
        GuestConfig guest = guest_of(files);
        guest.bootargs = std::string_view(most).substr(given);
        EXPECT_EQ(plan_guest(guest)->fdt, range(0x80e0'0000, 0x20'0000));
        const std::string longer = most + 'b';
        guest.bootargs = std::string_view(longer).substr(given);
        EXPECT_EQ(error_of(plan_guest(guest)), "guest g: bootargs: " + std::to_string(guest.bootargs.size()) +
                                                   " bytes do not fit into the device tree, at most 2 MiB");
    }
}

TEST(PlanGuest, RamdiskGoesToItsLoadAddress) {
    const Files files{Blob("kk"), Blob("disk")};
    GuestConfig guest = guest_of(files);
    guest.ramdisk.load = Gpa{0x8050'0001};
    EXPECT_EQ(plan_guest(guest)->ramdisk, range(0x8050'0001, 4));
    guest.ramdisk.load = Gpa{0x8020'0000};
    EXPECT_EQ(error_of(plan_guest(guest)),
              "guest g: kernel (0x80200000 to 0x80200002) overlaps ramdisk (0x80200000 to 0x80200004): give it more "
              "undercroft,memory");
    guest.ramdisk.load = Gpa{0x80ff'8000};
    EXPECT_NE(error_of(plan_guest(guest)).find("overlaps device tree"), std::string::npos);
    guest.ramdisk.load = Gpa{~0ull};
    EXPECT_EQ(error_of(plan_guest(guest)),
              "guest g: ramdisk: 4 bytes at 0xffffffffffffffff exceed the RAM, 0x80000000 to 0x81000000");
}

TEST(PlanGuest, SaysWhatDoesNotFit) {
    const auto error = [](const std::string& kernel, u64 memory, const std::string& ramdisk = "") {
        const Files files{Blob(kernel), Blob(ramdisk)};
        return error_of(plan_guest(guest_of(files, memory)));
    };
    EXPECT_EQ(error("kk", 2 * kMiB), "guest g: kernel: 2 bytes at 0x80200000 exceed the RAM, 0x80000000 to 0x80200000");
    EXPECT_EQ(error(linux_image(0x20'0000, 0x20'0001), 4 * kMiB),
              "guest g: kernel: 2097153 bytes at 0x80200000 exceed the RAM, 0x80000000 to 0x80400000");
    EXPECT_EQ(error(linux_image(0x20'0000, ~0ull), 4 * kMiB),
              "guest g: kernel: 18446744073709551615 bytes at 0x80200000 exceed the RAM, 0x80000000 to 0x80400000");
    EXPECT_EQ(error(linux_image(0xffff'ffff'8000'0000, 0), 4 * kMiB),
              "guest g: kernel: text_offset 0xffffffff80000000 is beyond the RAM");
    EXPECT_EQ(error(linux_image(0, 0, 1), 4 * kMiB), "guest g: kernel: Image is big-endian");
    EXPECT_EQ(
        error(linux_image(0x20'0000, 0x1f'8000), 4 * kMiB),
        "guest g: kernel (0x80200000 to 0x803f8000) overlaps device tree (0x803f0000 to 0x80400000): give it more "
        "undercroft,memory");
    EXPECT_EQ(error("kk", 4 * kMiB, std::string(5 * kMiB, 'r')),
              "guest g: ramdisk: 5242880 bytes do not fit into the RAM, 0x80000000 to 0x80400000");
    EXPECT_EQ(error("kk", 0), "guest g: undercroft,memory: no memory at all");
    EXPECT_EQ(error("kk", 3 * kMiB), "guest g: undercroft,memory: not a multiple of 2 MiB");
    EXPECT_EQ(error("\x7f"
                    "ELF",
                    4 * kMiB),
              "guest g: kernel: ELF header is cut off");
}

TEST(PlanGuest, EntryMustBeInTheKernel) {
    const Files files{Blob("raw kernel")};
    GuestConfig guest = guest_of(files);
    for (const u64 entry : {0x801f'fffeull, 0x8020'000aull, 0x8020'0001ull, 0ull, ~0ull}) {
        guest.kernel.entry = Gpa{entry};
        EXPECT_NE(error_of(plan_guest(guest)).find("is not in the kernel"), std::string::npos) << entry;
    }
}

TEST(LoadImages, CopiesAndZeroes) {
    const Files files{Blob(linux_image(0x1000, 0x3000, 0, 0x1000)), Blob("ramdisk")};
    const GuestConfig guest = guest_of(files, 2 * kMiB);
    const auto plan = plan_guest(guest);
    ASSERT_TRUE(plan) << error_of(plan);
    std::vector<std::byte> ram(guest.memory, std::byte{0xaa});
    load_images(guest, *plan, ram);
    const std::string_view memory(reinterpret_cast<const char*>(ram.data()), ram.size());
    EXPECT_EQ(memory.substr(0x1000, 0x1000), files.kernel.string());
    EXPECT_EQ(memory.substr(0x2000, 0x2001), std::string(0x2000, '\0') + "\xaa");
    EXPECT_EQ(memory.substr(plan->ramdisk.base - kGuestRamBase, 8), "ramdisk\xaa");
}

}  // namespace
}  // namespace uc
