// SPDX-License-Identifier: MIT
#pragma once
// The initrd that the machine was started with: a kernel for one guest, or an image tree with many.

#include "hv/guest_config.hpp"
#include "hv/load_error.hpp"
#include "hv/options.hpp"

namespace uc {

enum class PayloadKind : u8 { Fit, LinuxImage, Elf, Raw };

/// Judges by magic numbers; a flattened device tree counts as Fit.
[[nodiscard]] PayloadKind sniff(Bytes payload);

struct Boot {
    Options options;
    MachineConfig config;
};

/// Reads the payload (8-byte aligned) and the boot arguments. A kernel becomes the guest `guest0` with the arguments
/// after ` -- ` (all of them without it). Beside an image tree, all of the arguments are options, and those of a single
/// guest are an error.
[[nodiscard]] LoadStatus read_payload(Bytes payload, std::string_view bootargs, Boot& boot);

}  // namespace uc
