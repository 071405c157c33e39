// SPDX-License-Identifier: MIT
#include "hv/elf.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace uc {

namespace {

// The file and program headers of a 64-bit ELF file, as far as used (gABI, figures 4-3 and 5-1).
constexpr std::array<u8, 4> kMagic = {0x7f, 'E', 'L', 'F'};
constexpr u8 kClass64 = 2;
constexpr u8 kLittleEndian = 1;
constexpr u16 kExecutable = 2;
constexpr u16 kShared = 3;  // position-independent executables as well
constexpr u16 kRiscv = 243;
constexpr u32 kLoad = 1;

struct FileHeader {
    std::array<u8, 4> magic;
    u8 file_class, data;
    std::array<u8, 10> ident_rest;
    u16 type, machine;
    u32 version;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
static_assert(sizeof(FileHeader) == 64);

struct Segment {
    u32 type, flags;
    u64 offset, vaddr, paddr, filesz, memsz, align;
};
static_assert(sizeof(Segment) == 56);

/// `at + sizeof(T)` is within the file.
template <class T>
T read_at(Bytes file, u64 at) {
    T value;
    std::memcpy(&value, file.data() + at, sizeof value);
    return value;
}

/// Calls `visit` with each segment that occupies memory. The program headers lie within the file.
template <class Visit>
void for_each_load(Bytes file, Visit visit) {
    const auto header = read_at<FileHeader>(file, 0);
    for (u64 i = 0; i < header.phnum; ++i) {
        const auto segment = read_at<Segment>(file, header.phoff + i * sizeof(Segment));
        if (segment.type == kLoad && segment.memsz != 0) visit(segment);
    }
}

LoadStatus check_header(Bytes file) {
    if (file.size() < sizeof(FileHeader)) return load_error("ELF header is cut off");
    const auto header = read_at<FileHeader>(file, 0);
    if (header.file_class != kClass64 || header.data != kLittleEndian) {
        return load_error("ELF file is not 64-bit little-endian");
    }
    if (header.machine != kRiscv) return load_error("ELF file is for machine ", header.machine, ", not RISC-V");
    if (header.type != kExecutable && header.type != kShared) return load_error("ELF file is not an executable");
    if (header.phentsize != sizeof(Segment)) return load_error("ELF program headers have a wrong size");
    const u64 table = u64{header.phnum} * sizeof(Segment);
    if (header.phoff > file.size() || table > file.size() - header.phoff) {
        return load_error("ELF program headers are cut off");
    }
    return {};
}

LoadStatus check_segment(const Segment& segment, Bytes file, Gpa ram_base, u64 ram_size) {
    if (segment.filesz > segment.memsz) return load_error("ELF segment at ", Hex{segment.paddr}, " is malformed");
    if (segment.offset > file.size() || segment.filesz > file.size() - segment.offset) {
        return load_error("ELF segment at ", Hex{segment.paddr}, " is cut off");
    }
    const u64 offset = segment.paddr - ram_base.raw;
    if (segment.paddr < ram_base.raw || offset >= ram_size) {
        return load_error("linked elsewhere: ELF segment at ", Hex{segment.paddr}, ", RAM from ", Hex{ram_base.raw},
                          " to ", Hex{ram_base.raw + ram_size});
    }
    if (segment.memsz > ram_size - offset) {
        return load_error("ELF segment at ", Hex{segment.paddr}, " of ", segment.memsz, " bytes exceeds the RAM, to ",
                          Hex{ram_base.raw + ram_size});
    }
    return {};
}

/// e_entry is virtual: translated by the segment it is in. Some linkers' scripts make it physical already.
std::optional<Gpa> find_entry(Bytes file) {
    const u64 entry = read_at<FileHeader>(file, 0).entry;
    std::optional<Gpa> by_vaddr;
    std::optional<Gpa> by_paddr;
    for_each_load(file, [&](const Segment& segment) {
        if (entry - segment.vaddr < segment.memsz) by_vaddr = Gpa{entry - segment.vaddr + segment.paddr};
        if (entry - segment.paddr < segment.memsz) by_paddr = Gpa{entry};
    });
    return by_vaddr ? by_vaddr : by_paddr;
}

}  // namespace

bool is_elf(Bytes file) {
    return file.size() >= kMagic.size() && std::memcmp(file.data(), kMagic.data(), kMagic.size()) == 0;
}

std::expected<ElfPlan, LoadError> plan_elf(Bytes file, Gpa ram_base, u64 ram_size) {
    LoadStatus status = check_header(file);
    if (!status) return std::unexpected(status.error());
    u64 low = ~0ull;
    u64 high = 0;
    for_each_load(file, [&](const Segment& segment) {
        if (status) status = check_segment(segment, file, ram_base, ram_size);
        low = std::min(low, segment.paddr);
        high = std::max(high, segment.paddr + segment.memsz);
    });
    if (!status) return std::unexpected(status.error());
    if (low >= high) return load_error("ELF file has nothing to load");
    const std::optional<Gpa> entry = find_entry(file);
    if (!entry) return load_error("ELF entry point is in no segment");
    return ElfPlan{Gpa{low}, high - low, *entry};
}

void load_elf(Bytes file, Gpa ram_base, std::span<std::byte> ram) {
    for_each_load(file, [&](const Segment& segment) {
        const std::span<std::byte> memory = ram.subspan(segment.paddr - ram_base.raw, segment.memsz);
        const Bytes contents = file.subspan(segment.offset, segment.filesz);
        std::copy(contents.begin(), contents.end(), memory.begin());
        std::fill(memory.begin() + static_cast<std::ptrdiff_t>(contents.size()), memory.end(), std::byte{0});
    });
}

}  // namespace uc
