// SPDX-License-Identifier: MIT
#pragma once
// Switching the machine off.

#include "hv/console.hpp"

namespace uc::arch {

/// What power_off() and panic() need; filled in as boot finds it.
struct Power {
    Console* console = nullptr;
    Hva test_device;  ///< sifive,test0 or test1; null: none
};
extern constinit Power power;

/// Powers off, after all output has left. A failure goes through the test device where there is one, because firmware's
/// SRST makes QEMU exit with 0 whatever the reason.
[[noreturn]] void power_off(bool failure);

/// Our own invariant is broken: says so and powers off with failure.
[[noreturn]] void panic(std::string_view what);

}  // namespace uc::arch
