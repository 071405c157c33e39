// SPDX-License-Identifier: MIT
#pragma once
// What guests are to be made, as the payload asks for them. Texts and spans point into the payload and the boot
// arguments.

#include <optional>
#include <string_view>

#include "hv/fdt_view.hpp"
#include "hv/fixed_vector.hpp"
#include "hv/host_fdt.hpp"
#include "isa/csr.hpp"
#include "isa/types.hpp"

namespace uc {

inline constexpr usize kMaxGuests = 16;
inline constexpr u32 kMaxVcpus = 32;
inline constexpr u64 kDefaultGuestMemory = 256 * kMiB;
/// Guest memory is given in superpages of this size.
inline constexpr u64 kGuestMemoryUnit = 2 * kMiB;

/// One file of a guest; empty `data`: there is none.
struct GuestImage {
    Bytes data;
    std::optional<Gpa> load;   ///< where it wants to be
    std::optional<Gpa> entry;  ///< where to start it; kernels only
};

struct GuestConfig {
    std::string_view name;
    u64 memory = kDefaultGuestMemory;   ///< bytes, a multiple of kGuestMemoryUnit
    u32 vcpus = 1;                      ///< 1 to kMaxVcpus
    FixedVector<u64, kMaxHarts> harts;  ///< host hart ids to run on; empty: any
    std::optional<SatpMode>
        mmu;               ///< largest translation mode to offer; default: the largest that keeps clear of the window
    bool stopped = false;  ///< create it, but do not start it
    bool manager = false;  ///< may look after the other guests
    u32 restarts = 0;      ///< how often to start it again when it has failed
    GuestImage kernel;
    GuestImage ramdisk;
    GuestImage fdt;  ///< in place of the generated device tree
    std::string_view bootargs;
};

struct MachineConfig {
    FixedVector<GuestConfig, kMaxGuests> guests;  ///< in the order to start them; names differ
};

/// Why a guest cannot have that much memory on any machine; nullopt when it can.
[[nodiscard]] std::optional<std::string_view> memory_problem(u64 bytes);

/// "sv39", "sv48" or "sv57"; nullopt for anything else.
[[nodiscard]] std::optional<SatpMode> parse_satp_mode(std::string_view name);

/// Errors when no guest would run, or one asks for a translation mode larger than `host_mode`.
[[nodiscard]] LoadStatus check_supported(const MachineConfig& config, SatpMode host_mode);

/// Errors when a guest asks for what the machine lacks: a hart that does not exist or cannot run guests, or any hart
/// at all where others are pinned to all of them.
[[nodiscard]] LoadStatus check_harts(const MachineConfig& config, const HostMachine& machine);

}  // namespace uc
