// SPDX-License-Identifier: MIT
#pragma once
// Lets programs of a guest that looks after others make the calls of our SBI extension, which only its kernel can make
// otherwise: registers that carry arguments there and results back (emul/manager_registers.hpp).

#include <span>

#include "emul/manager_registers.hpp"
#include "emul/mmio.hpp"

namespace uc {

/// A call as it was when its function was stored.
struct ManagerCall {
    u64 function = 0;  ///< a sbi::undercroft::Fid, or any other number
    std::array<u64, manager::kArguments> arguments{};

    friend constexpr bool operator==(const ManagerCall&, const ManagerCall&) = default;
};

/// Takes doublewords; other widths fault. What is no register reads zero, and stores there, or to what is read-only, do
/// nothing. Knows no function: whoever owns the device makes the call, between take_call() and finish().
class ManagerDevice final : public Device {
  public:
    [[nodiscard]] std::optional<u64> read(u64 offset, unsigned width) override;
    [[nodiscard]] bool write(u64 offset, unsigned width, u64 value) override;

    /// The call that the last write asked for, once.
    [[nodiscard]] std::optional<ManagerCall> take_call();
    /// What the call came to.
    void finish(const sbi::Ret& result) { result_ = result; }
    /// Back to power-on: everything zero.
    void reset() { *this = {}; }

    /// Whether all of [offset, offset + size) is in the device's memory; the sum may wrap.
    [[nodiscard]] static constexpr bool holds(u64 offset, u64 size) {
        return offset <= manager::kDataSize && size <= manager::kDataSize - offset;
    }
    /// Copies from and to what holds() accepted.
    void read_data(u64 offset, std::span<u8> bytes) const;
    void write_data(u64 offset, std::span<const u8> bytes);

  private:
    ManagerCall call_;
    sbi::Ret result_;
    bool called_ = false;
    std::array<u8, manager::kDataSize> data_{};
};

}  // namespace uc
