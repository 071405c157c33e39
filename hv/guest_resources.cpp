// SPDX-License-Identifier: MIT
#include "hv/guest_resources.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "hv/guest.hpp"

namespace uc {

namespace {

// Shadow tables get this share of the guest's memory, within bounds: a kernel's own tables take less than one part in
// 200, and each has up to three shadows.
constexpr u64 kShadowShare = 32;
constexpr u64 kLeastShadow = 2 * kMiB;
constexpr u64 kMostShadow = 64 * kMiB;

u64 shadow_pool_size(u64 memory) {
    return align_up(std::clamp(memory / kShadowShare, kLeastShadow, kMostShadow), kPageSize);
}

// Copies of code (docs/replacing.md). A stock Linux executes privileged instructions on some 160 pages.
constexpr u64 kCodeShare = 256;
constexpr u64 kLeastCode = 64 * kKiB;
constexpr u64 kMostCode = 4 * kMiB;

u64 code_size(u64 memory) { return align_up(std::clamp(memory / kCodeShare, kLeastCode, kMostCode), kPageSize); }

}  // namespace

std::expected<GuestResources, LoadError> GuestResources::take(const GuestConfig& config,
                                                              const GuestEnvironment& environment) {
    HostMemory& memory = *environment.memory;
    const u64 pool_size = shadow_pool_size(config.memory);
    const u64 copies_size = environment.replace ? code_size(config.memory) : 0;
    const u64 metadata_size = Shadow::metadata_size(config.memory, static_cast<u32>(pool_size / kPageSize),
                                                    config.vcpus, static_cast<u32>(copies_size / kPageSize));
    const u64 vectors_size = kVectorRegisters * environment.vlenb * config.vcpus;
    const u64 rest_size = align_up(pool_size + copies_size + metadata_size + vectors_size, kPageSize);

    const auto ram = memory.allocate(config.memory, kGuestMemoryUnit);
    const auto rest = ram ? memory.allocate(rest_size, kPageSize) : std::nullopt;
    if (!rest) {
        if (ram) memory.free({*ram, config.memory});
        return load_error("guest ", config.name, ": undercroft,memory: ", config.memory / kMiB,
                          " MiB do not fit into the machine's memory: the largest free block has ",
                          memory.largest(kGuestMemoryUnit) / kMiB, " MiB");
    }
    std::byte* const metadata = memory.pointer(*rest + pool_size + copies_size);
    return GuestResources{.ram = {*ram, config.memory},
                          .rest = {*rest, rest_size},
                          .pool = {*rest, pool_size},
                          .code = {*rest + pool_size, copies_size},
                          .metadata = {metadata, metadata_size},
                          .vectors = {metadata + metadata_size, vectors_size}};
}

void GuestResources::give_back(HostMemory& memory) {
    const GuestResources old = std::exchange(*this, {});
    memory.free(old.ram);
    memory.free(old.rest);
}

void GuestResources::clear(const HostMemory& memory) const {
    std::memset(memory.pointer(ram.base), 0, ram.size);
    if (!vectors.empty()) std::memset(vectors.data(), 0, vectors.size());
}

MemoryAccount account_of(const HostMemory& memory, std::span<Guest* const> guests) {
    u64 of_guests = 0;
    for (Guest* guest : guests) {
        const GuestAccount account = guest->account();
        of_guests += account.ram + account.rest;
    }
    const u64 free = memory.available(), lost = memory.lost(), taken = memory.used() + lost;
    return {.total = taken + free,
            .free = free,
            .largest = memory.largest(kGuestMemoryUnit),
            .hypervisor = taken - std::min(taken, of_guests),
            .lost = lost};
}

}  // namespace uc
