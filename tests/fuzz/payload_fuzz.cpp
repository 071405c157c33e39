// SPDX-License-Identifier: MIT
// Any payload: read, planned, loaded, and its device tree written. Its length chooses the boot arguments.

#include <memory>
#include <vector>

#include "hv/guest_fdt.hpp"
#include "hv/image.hpp"
#include "hv/payload.hpp"

namespace uc {
namespace {

constexpr std::string_view kBootArgs[] = {"", "quiet", "vcpus=2 memory=4M -- quiet", "undercroft.stats"};
constexpr u64 kMostRam = 16 * kMiB;

void load(const GuestConfig& guest) {
    const auto plan = plan_guest(guest);
    if (!plan || guest.memory > kMostRam) return;
    static std::vector<u64> memory(kMostRam / 8);
    const auto ram = std::as_writable_bytes(std::span{memory}).first(guest.memory);
    load_images(guest, *plan, ram);
    GuestMachine machine;
    machine.vcpus = guest.vcpus;
    machine.ram = {kGuestRamBase, guest.memory};
    machine.bootargs = guest.bootargs;
    machine.initrd = plan->ramdisk;
    const auto room = ram.subspan(plan->fdt.base - kGuestRamBase, plan->fdt.size);
    const auto length =
        guest.fdt.data.empty() ? build_guest_fdt(machine, room) : adapt_guest_fdt(guest.fdt.data, machine, room);
    if (length && *length > room.size()) __builtin_trap();
}

}  // namespace
}  // namespace uc

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace uc;
    const std::string_view bootargs = kBootArgs[size % std::size(kBootArgs)];
    // An allocation of its own: aligned, and AddressSanitizer knows its end.
    const std::vector<uint8_t> payload(data, data + size);
    const auto boot = std::make_unique<Boot>();
    const LoadStatus status = read_payload(std::as_bytes(std::span{payload}), bootargs, *boot);
    if (!status) {
        if (status.error().text.view().empty()) __builtin_trap();
        return 0;
    }
    for (const GuestConfig& guest : boot->config.guests) load(guest);
    return 0;
}
