// SPDX-License-Identifier: MIT
#pragma once
// ELF executables as guest kernels (System V gABI, chapters 4 and 5).

#include <expected>

#include "hv/fdt_view.hpp"
#include "hv/load_error.hpp"
#include "isa/types.hpp"

namespace uc {

[[nodiscard]] bool is_elf(Bytes file);

/// Where an ELF file wants to be: the hull of its segments' physical addresses, and its entry point there.
struct ElfPlan {
    Gpa base;
    u64 size = 0;
    Gpa entry;
};

/// Checks a 64-bit little-endian RISC-V executable whose every segment lies in the `ram_size` bytes from `ram_base`.
[[nodiscard]] std::expected<ElfPlan, LoadError> plan_elf(Bytes file, Gpa ram_base, u64 ram_size);

/// Copies the segments of a file that plan_elf accepted for this memory, and zeroes what the file does not fill.
void load_elf(Bytes file, Gpa ram_base, std::span<std::byte> ram);

}  // namespace uc
