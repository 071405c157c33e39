// SPDX-License-Identifier: MIT
#include "hv/guest_config.hpp"

#include <algorithm>
#include "hv/guest_layout.hpp"

#include "isa/pte.hpp"

namespace uc {

std::optional<std::string_view> memory_problem(u64 bytes) {
    if (bytes == 0) return "no memory at all";
    if (!is_aligned(bytes, kGuestMemoryUnit)) return "not a multiple of 2 MiB";
    if (bytes > (1ull << kPhysicalAddressBits) - kGuestRamBase.raw) return "more than can be addressed";
    return std::nullopt;
}

std::optional<SatpMode> parse_satp_mode(std::string_view name) {
    if (name == "sv39") return SatpMode::Sv39;
    if (name == "sv48") return SatpMode::Sv48;
    if (name == "sv57") return SatpMode::Sv57;
    return std::nullopt;
}

LoadStatus check_supported(const MachineConfig& config, SatpMode host_mode) {
    const auto stopped = [](const GuestConfig& guest) { return guest.stopped; };
    if (std::all_of(config.guests.begin(), config.guests.end(), stopped)) {
        return load_error("guest ", config.guests[0].name, ": undercroft,stopped: no other guest would run");
    }
    for (const GuestConfig& guest : config.guests) {
        if (guest.mmu && *guest.mmu > host_mode) {
            return load_error("guest ", guest.name, ": undercroft,mmu: larger than the machine's translation mode");
        }
    }
    return {};
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
    const auto pinned = [&](const HostHart& hart) {
        return !hart.usable || std::any_of(config.guests.begin(), config.guests.end(),
                                           [&](const GuestConfig& guest) { return guest.harts.contains(hart.id); });
    };
    if (!std::all_of(machine.harts.begin(), machine.harts.end(), pinned)) return {};
    for (const GuestConfig& guest : config.guests) {
        if (!guest.harts.empty()) continue;
        return load_error("guest ", guest.name, ": undercroft,harts: guests are pinned to all harts, and none is left");
    }
    return {};
}

}  // namespace uc
