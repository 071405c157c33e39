// SPDX-License-Identifier: MIT
#pragma once
// What ucctl does with its arguments.

#include <cstdio>
#include <span>

#include "guest-images/linux/ucctl/device.hpp"

namespace uc::ucctl {

/// The tool's exit status.
enum class Status : int {
    Done = 0,
    Failed = 1,  ///< the device was not to be had, or the hypervisor has refused
    Usage = 2,   ///< the arguments make no sense; the device was not touched
};

/// Does what `arguments`, without the program's name, say. Results go to `out`; errors, one line, to `err`.
[[nodiscard]] Status run(std::span<const char* const> arguments, RegisterSource& source, std::FILE* out,
                         std::FILE* err);

}  // namespace uc::ucctl
