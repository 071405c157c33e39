// SPDX-License-Identifier: MIT
#pragma once
// The memory that a guest owns from its creation to its destruction.

#include <cstddef>
#include <span>

#include "hv/guest_config.hpp"
#include "hv/host_memory.hpp"
#include "hv/load_error.hpp"

namespace uc {

struct GuestEnvironment;
class Guest;

/// Two blocks: the guest's RAM, and all that serves it. Empty: there is none.
struct GuestResources {
    HostRange ram;
    HostRange rest;                 ///< what follows lies in it
    HostRange pool;                 ///< frames of shadow tables
    HostRange code;                 ///< copies of code
    std::span<std::byte> metadata;  ///< of the shadow tables
    std::span<std::byte> vectors;   ///< vector registers of vCPUs that do not run

    /// Takes what `config` needs out of the environment's memory. What is in it is whatever was there before. An error
    /// takes nothing.
    [[nodiscard]] static std::expected<GuestResources, LoadError> take(const GuestConfig& config,
                                                                       const GuestEnvironment& environment);
    /// Gives all back, and is empty. Nobody uses any of it any more.
    void give_back(HostMemory& memory);
    /// Zeroes what the guest would see of it. Takes as long as that takes.
    void clear(const HostMemory& memory) const;
};

/// The machine's memory at the moment, in bytes.
struct MemoryAccount {
    u64 total = 0;
    u64 free = 0;
    u64 largest = 0;     ///< block of free memory that a guest's could be
    u64 hypervisor = 0;  ///< what neither is free nor belongs to a guest
    u64 lost = 0;        ///< of that: what there was no note of any more
};

/// `guests` are all that have memory of it. Takes the Guest and Shadow locks of each. A sum, while other harts go on:
/// where guests are created or destroyed meanwhile, their memory may be counted as the hypervisor's.
[[nodiscard]] MemoryAccount account_of(const HostMemory& memory, std::span<Guest* const> guests);

/// What a guest has at the moment, for those who count.
struct GuestAccount {
    u64 ram = 0;          ///< bytes
    u64 rest = 0;         ///< bytes: shadow tables and what else serves it
    u32 frames_used = 0;  ///< of its shadow tables
    u32 frames = 0;       ///< that it has for them
    u32 copies = 0;       ///< of code, in use
    u32 timers = 0;       ///< armed: of vCPUs, and its clock's alarm
    u64 starts = 0;       ///< since boot
};

}  // namespace uc
