// SPDX-License-Identifier: MIT
// Any bytes as the machine's device tree.

#include <memory>
#include <vector>

#include "hv/host_fdt.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace uc;
    // An allocation of its own: aligned, and AddressSanitizer knows its end.
    const std::vector<uint8_t> fdt(data, data + size);
    const auto machine = std::make_unique<HostMachine>();
    if (!read_host_fdt(std::as_bytes(std::span{fdt}), *machine)) return 0;
    // What the boot relies on.
    if (machine->memory.empty() || machine->timebase_hz == 0) __builtin_trap();
    for (const auto& list : {std::span{machine->memory.begin(), machine->memory.size()},
                             std::span{machine->reserved.begin(), machine->reserved.size()}}) {
        for (const HostRange& range : list) {
            if (range.size == 0 || range.base.raw + (range.size - 1) < range.base.raw) __builtin_trap();
        }
    }
    return 0;
}
