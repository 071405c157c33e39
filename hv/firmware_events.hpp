// SPDX-License-Identifier: MIT
#pragma once
// What has happened to a vCPU of the events that SBI PMU calls firmware's, less those that its own SBI calls make.

#include <array>
#include <atomic>

#include "isa/sbi.hpp"
#include "isa/types.hpp"

namespace uc {

struct Vcpu;

/// What others sent to a vCPU. They count it themselves, from any hart.
class Received {
  public:
    void count(sbi::pmu::FirmwareEvent event) { counts_[event].fetch_add(1, std::memory_order_relaxed); }
    [[nodiscard]] u64 of(sbi::pmu::FirmwareEvent event) const { return counts_[event].load(std::memory_order_relaxed); }

  private:
    std::array<std::atomic<u64>, sbi::pmu::FirmwareEvents> counts_{};
};

/// How often, in all lives of the vCPU.
[[nodiscard]] u64 firmware_events(const Vcpu& vcpu, sbi::pmu::FirmwareEvent event);

}  // namespace uc
