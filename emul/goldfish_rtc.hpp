// SPDX-License-Identifier: MIT
#pragma once
// The guest's real-time clock (`google,goldfish-rtc`): nanoseconds since 1970, with one alarm.

#include "emul/irq_line.hpp"
#include "emul/mmio.hpp"

namespace uc {

class WallClock {
  public:
    /// Nanoseconds since 1970-01-01 00:00 UTC.
    [[nodiscard]] virtual u64 now_ns() = 0;

  protected:
    ~WallClock() = default;
};

/// 32-bit registers; other widths fault. Reading TIME_LOW holds TIME_HIGH still, so that the pair is one moment.
/// Writes set the guest's own clock, never the host's.
class GoldfishRtc final : public Device {
  public:
    static constexpr u64 kSize = 0x24;

    GoldfishRtc(IrqLine& irq, unsigned source, WallClock& clock) : irq_(irq), clock_(clock), source_(source) {}

    [[nodiscard]] std::optional<u64> read(u64 offset, unsigned width) override;
    [[nodiscard]] bool write(u64 offset, unsigned width, u64 value) override;

    /// When poll() has to be called next, in the wall clock's nanoseconds; empty when no alarm is set.
    [[nodiscard]] std::optional<u64> deadline();
    /// Rings the alarm if it is due.
    void poll();
    /// Back to power-on: host time, no alarm.
    void reset();

  private:
    [[nodiscard]] u64 guest_now() { return clock_.now_ns() + offset_; }
    void set_time(u64 wanted, u64 now);
    void update_irq() { irq_.set(source_, pending_ && enabled_); }

    IrqLine& irq_;
    WallClock& clock_;
    unsigned source_;

    u64 offset_ = 0;     ///< the guest's clock less the host's, modulo 2^64
    u64 alarm_ = 0;      ///< on the guest's clock
    u32 time_high_ = 0;  ///< held by the last read of TIME_LOW
    bool armed_ = false;
    bool pending_ = false;
    bool enabled_ = false;
};

}  // namespace uc
