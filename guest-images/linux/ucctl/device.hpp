// SPDX-License-Identifier: MIT
#pragma once
// The management device as a program of a Linux guest reaches it: by its physical address, through /dev/mem.

#include <expected>
#include <string>

#include "guest-images/linux/ucctl/manager.hpp"

namespace uc::ucctl {

/// Where registers come from; the tool asks once, after it has understood its arguments.
class RegisterSource {
  public:
    /// They stay open until the program ends. An error is what to tell the user.
    [[nodiscard]] virtual std::expected<Registers*, std::string> open() = 0;

  protected:
    ~RegisterSource() = default;
};

/// Takes turns with other processes: the device keeps what was stored last, and knows nothing of processes. Their lock
/// is the kernel's, on /dev/mem, so it is given up even by one that is killed.
class PhysicalDevice final : public RegisterSource, public Registers {
  public:
    [[nodiscard]] std::expected<Registers*, std::string> open() override;
    [[nodiscard]] u64 load(u64 offset) override { return page_[offset / sizeof(u64)]; }
    void store(u64 offset, u64 value) override { page_[offset / sizeof(u64)] = value; }

  private:
    volatile u64* page_ = nullptr;
};

}  // namespace uc::ucctl
