// SPDX-License-Identifier: MIT
#pragma once
// From the machine's description to free memory and page tables.

#include "hv/arch/host_map.hpp"
#include "hv/host_fdt.hpp"

namespace uc::arch {

/// Fills `memory` with what is neither reserved nor in use by the image, the device tree at `fdt`, or the initrd, as
/// far as the physmap shows it.
void collect_memory(const HostMachine& machine, HostRange fdt, HostMemory& memory);

/// Builds the final tables: image, all of `memory` as it is at the call, device tree and initrd (both read-only). False
/// when memory runs out.
[[nodiscard]] bool build_host_map(const HostMachine& machine, HostRange fdt, HostMemory& memory, HostMap& map);

}  // namespace uc::arch
