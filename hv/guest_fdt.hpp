// SPDX-License-Identifier: MIT
#pragma once
// The device tree a guest is given: QEMU's `virt` as far as Undercroft emulates it (docs/guests.md).

#include <array>
#include <expected>
#include <span>

#include "hv/image.hpp"
#include "hv/isa_set.hpp"
#include "hv/load_error.hpp"
#include "isa/csr.hpp"

namespace uc {

/// What the tree says.
struct GuestMachine {
    u32 vcpus = 1;
    GuestRange ram;
    IsaSet isa;                     ///< already reduced by guest_isa
    SatpMode mmu = SatpMode::Sv39;  ///< the largest on offer
    u64 timebase_hz = 0;
    u32 cbom_block_size = 0;  ///< bytes; 0: not said
    u32 cboz_block_size = 0;
    bool rtc = false;
    bool manager = false;  ///< it looks after others
    std::string_view bootargs;
    GuestRange initrd;  ///< empty: none
    std::array<std::byte, 32> rng_seed{};
};

/// Writes the tree into `out`. Returns its length in bytes; the error, when it does not fit, begins with "device tree".
[[nodiscard]] std::expected<usize, LoadError> build_guest_fdt(const GuestMachine& machine, std::span<std::byte> out);

/// Copies the tree that the guest's configuration brings, and sets in its /chosen (created when missing): bootargs when
/// `machine` has some, the initrd when there is one, and rng-seed when the tree has none. All else stays as given.
/// Errors begin with "fdt": not a device tree, corrupt, cut off, too big.
[[nodiscard]] std::expected<usize, LoadError> adapt_guest_fdt(Bytes given, const GuestMachine& machine,
                                                              std::span<std::byte> out);

}  // namespace uc
