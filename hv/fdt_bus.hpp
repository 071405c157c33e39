// SPDX-License-Identifier: MIT
#pragma once
// Where the devices of a device tree are: registers through the buses above them, interrupts at their controller
// (Devicetree Specification 0.4, 2.3.6, 2.3.8, 2.4).

#include <optional>

#include "hv/fdt_view.hpp"
#include "hv/host_range.hpp"

namespace uc {

/// Entry `index` of a node's reg as the node states it: addresses are of the parent's bus. nullopt: there is no such
/// entry, or it is not an address of at most 64 bits. The size may be 0, and the range may wrap.
[[nodiscard]] std::optional<HostRange> fdt_reg(FdtNode node, usize index);

/// The same as the processor sees it, through the `ranges` of every bus above. Never empty, never wrapping; nullopt
/// also when a bus does not pass the addresses on.
[[nodiscard]] std::optional<HostRange> fdt_registers(FdtNode node, usize index = 0);

/// The first interrupt of a device at `controller`: the first cell of its specifier. nullopt: its interrupts go
/// elsewhere or nowhere.
[[nodiscard]] std::optional<u32> fdt_interrupt(FdtNode device, FdtNode controller);

}  // namespace uc
