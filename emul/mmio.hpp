// SPDX-License-Identifier: MIT
#pragma once
// Accesses of a guest to its devices: which device answers, and what the instruction makes of the answer.
//
// Nothing here or in a device locks: the devices of one guest are called by one hart at a time.

#include <array>
#include <optional>

#include "emul/decode.hpp"
#include "emul/guest_hart.hpp"
#include "emul/host.hpp"
#include "emul/outcome.hpp"

namespace uc {

/// A register window. Offsets are multiples of `width` (1, 2, 4 or 8 bytes), and the access lies within the window.
class Device {
  public:
    /// The value read, in the low `width` bytes; empty is an access fault.
    [[nodiscard]] virtual std::optional<u64> read(u64 offset, unsigned width) = 0;
    /// Stores `value`, whose bits above `width` bytes are zero; false is an access fault.
    [[nodiscard]] virtual bool write(u64 offset, unsigned width, u64 value) = 0;

  protected:
    ~Device() = default;
};

/// Guest-physical windows of one guest's devices.
class Bus {
  public:
    static constexpr usize kCapacity = 32;

    /// Where an access lands.
    struct Target {
        Device& device;
        u64 offset;
    };

    /// Places `device`; it must outlive the bus. False when the window is empty, wraps, overlaps another or the bus is
    /// full.
    [[nodiscard]] bool add(Gpa base, u64 size, Device& device);
    /// The device that owns all of [address, address + width); empty when none does.
    [[nodiscard]] std::optional<Target> find(Gpa address, u64 width) const;

  private:
    struct Window {
        u64 first = 0;
        u64 last = 0;  ///< inclusive, so that a window may end with the address space
        Device* device = nullptr;
    };

    std::array<Window, kCapacity> windows_{};
    usize count_ = 0;
};

/// Performs the load or store `insn`, which found the device address `gpa` at `gva`, and writes its register.
///
/// Injects the access fault of its kind, with stval = gva, for an address without a device, for what a device does not
/// take, for atomics (Privileged 1.12, 3.6.3: these regions are AMONone and RsrvNone) and for misaligned addresses
/// (3.6.4 leaves the choice; an access fault tells software not to emulate the access, and is what QEMU's `virt`
/// raises).
[[nodiscard]] Outcome access_device(GuestHart& hart, Host& host, const Bus& bus, const MemoryInsn& insn, Gpa gpa,
                                    Gva gva);

}  // namespace uc
