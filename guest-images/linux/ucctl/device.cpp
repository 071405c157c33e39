// SPDX-License-Identifier: MIT
#include "guest-images/linux/ucctl/device.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

namespace uc::ucctl {

namespace {

constexpr const char* kNode = "/proc/device-tree/soc/management@102000/reg";
constexpr const char* kMemory = "/dev/mem";

std::unexpected<std::string> system_error(const char* what, const char* doing = "") {
    const int error = errno;
    return std::unexpected(std::string(what) + doing + ": " + std::strerror(error));
}

/// The device's physical address, as the device tree tells it: two cells of 32 bits, big-endian.
std::optional<u64> address_in_tree() {
    const int file = ::open(kNode, O_RDONLY | O_CLOEXEC);
    if (file < 0) return std::nullopt;
    std::array<u8, 16> reg{};
    const ssize_t got = ::read(file, reg.data(), reg.size());
    ::close(file);
    if (got != static_cast<ssize_t>(reg.size())) return std::nullopt;
    u64 address = 0;
    for (unsigned i = 0; i < 8; ++i) address = address << 8 | reg[i];
    return address;
}

}  // namespace

std::expected<Registers*, std::string> PhysicalDevice::open() {
    const auto address = address_in_tree();
    if (!address) {
        return std::unexpected(
            "this guest may not look after others: its device tree has no management device "
            "(undercroft,manager gives it one)");
    }
    const int memory = ::open(kMemory, O_RDWR | O_SYNC | O_CLOEXEC);
    if (memory < 0) return system_error(kMemory);
    while (::flock(memory, LOCK_EX) != 0) {
        if (errno != EINTR) return system_error(kMemory, ": taking turns");
    }
    void* const page =
        ::mmap(nullptr, manager::kSize, PROT_READ | PROT_WRITE, MAP_SHARED, memory, static_cast<off_t>(*address));
    if (page == MAP_FAILED) return system_error(kMemory, ": mapping the management device");
    page_ = static_cast<volatile u64*>(page);
    return this;  // `memory` stays open, and with it the lock is held
}

}  // namespace uc::ucctl
