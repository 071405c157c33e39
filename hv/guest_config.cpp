// SPDX-License-Identifier: MIT
#include "hv/guest_config.hpp"

#include "isa/pte.hpp"

namespace uc {

std::optional<std::string_view> memory_problem(u64 bytes) {
    if (bytes == 0) return "no memory at all";
    if (!is_aligned(bytes, kGuestMemoryUnit)) return "not a multiple of 2 MiB";
    if (bytes > (1ull << kPhysicalAddressBits) - kGuestRamBase.raw) return "more than can be addressed";
    return std::nullopt;
}

LoadStatus check_harts(const MachineConfig& config, const HostMachine& machine) {
    for (const GuestConfig& guest : config.guests) {
        for (const u64 id : guest.harts) {
            const HostHart* hart = machine.hart(id);
            if (hart != nullptr && hart->usable) continue;
            return load_error("guest ", guest.name, ": undercroft,harts: hart ", id,
                              hart == nullptr ? " does not exist" : " cannot run guests");
        }
    }
    return {};
}

}  // namespace uc
