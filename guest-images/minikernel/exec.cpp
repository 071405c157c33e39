// SPDX-License-Identifier: MIT
// exec: ELF files become regions; pages follow when they are touched.

#include "guest-images/minikernel/abi.hpp"
#include "guest-images/minikernel/console.hpp"
#include "guest-images/minikernel/csr.hpp"
#include "guest-images/minikernel/process.hpp"
#include "guest-images/minikernel/programs.hpp"

#include <elf.h>
#include <algorithm>

namespace uc::mini {

namespace {

const Program* find_program(std::string_view name) {
    for (const Program* p = programs; p->name != nullptr; ++p)
        if (name == p->name) return p;
    return nullptr;
}

u64 access_of(const Elf64_Phdr& segment) {
    return ((segment.p_flags & PF_R) != 0 ? kRead : 0) | ((segment.p_flags & PF_W) != 0 ? kWrite : 0) |
           ((segment.p_flags & PF_X) != 0 ? kExecute : 0);
}

/// Adds the program's segments, a heap of no length behind them, and a stack at the top. The programs are part of the
/// kernel's own image, so their headers are to be trusted.
bool add_regions(Process& process, const Program& program) {
    const auto& header = *reinterpret_cast<const Elf64_Ehdr*>(program.start);
    const auto* segments = reinterpret_cast<const Elf64_Phdr*>(program.start + header.e_phoff);
    Va end;
    for (const auto& segment : std::span{segments, header.e_phnum}) {
        if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
        const Va start{segment.p_vaddr};
        end = Va{align_up(segment.p_vaddr + segment.p_memsz, kPageSize)};
        if (!process.space.add({.start = start.page(),
                                .end = end,
                                .access = access_of(segment),
                                .file_start = start,
                                .file = {program.start + segment.p_offset, segment.p_filesz}}))
            return false;
    }
    process.heap = end;
    const Va top = user_end() - kPageSize;
    process.frame.reg(kSp) = top.raw;
    process.frame.pc = header.e_entry;
    return process.space.add({.start = end, .end = end, .access = kRead | kWrite, .file_start = end, .file = {}}) &&
           process.space.add(
               {.start = top - kStackSize, .end = top, .access = kRead | kWrite, .file_start = top, .file = {}});
}

}  // namespace

bool exec(Process& process, std::string_view name, u64 argument) {
    const Program* program = find_program(name);
    if (program == nullptr) return false;
    const u64 asid = process.space.asid();
    csr_write<CsrNo::satp>(satp_of(paging.kernel_root, 0).raw);
    process.space.destroy();
    if (!process.space.create(asid)) panic("exec: no memory");
    process.frame = {};
    process.frame.status.set(Sstatus::SPIE, 1);
    process.frame.reg(kA0) = argument;
    return add_regions(process, *program);
}

}  // namespace uc::mini
