// SPDX-License-Identifier: MIT
#include "emul/goldfish_rtc.hpp"

namespace uc {
namespace {

enum Register : u64 {
    TIME_LOW = 0x00,
    TIME_HIGH = 0x04,
    ALARM_LOW = 0x08,  ///< arms the alarm: to be written after ALARM_HIGH
    ALARM_HIGH = 0x0c,
    IRQ_ENABLED = 0x10,
    CLEAR_ALARM = 0x14,
    ALARM_STATUS = 0x18,
    CLEAR_INTERRUPT = 0x1c,
};

constexpr u64 kLow = 0xffff'ffff;
[[nodiscard]] constexpr u64 with_low(u64 whole, u64 low) { return (whole & ~kLow) | low; }
[[nodiscard]] constexpr u64 with_high(u64 whole, u64 high) { return (whole & kLow) | high << 32; }

}  // namespace

std::optional<u64> GoldfishRtc::read(u64 offset, unsigned width) {
    if (width != 4) return std::nullopt;
    switch (offset) {
        case TIME_LOW: {
            const u64 now = guest_now();
            time_high_ = static_cast<u32>(now >> 32);
            return now & kLow;
        }
        case TIME_HIGH: return time_high_;
        case ALARM_LOW: return alarm_ & kLow;
        case ALARM_HIGH: return alarm_ >> 32;
        case IRQ_ENABLED: return enabled_;
        case ALARM_STATUS: return armed_;
        default: return 0;
    }
}

bool GoldfishRtc::write(u64 offset, unsigned width, u64 value) {
    if (width != 4) return false;
    const u64 now = guest_now();
    switch (offset) {
        case TIME_LOW: set_time(with_low(now, value), now); break;
        case TIME_HIGH: set_time(with_high(now, value), now); break;
        case ALARM_LOW:
            alarm_ = with_low(alarm_, value);
            armed_ = true;
            break;
        case ALARM_HIGH: alarm_ = with_high(alarm_, value); break;
        case IRQ_ENABLED: enabled_ = value & 1; break;
        case CLEAR_ALARM: armed_ = false; break;
        case CLEAR_INTERRUPT: pending_ = false; break;
        default: break;
    }
    poll();
    update_irq();
    return true;
}

void GoldfishRtc::set_time(u64 wanted, u64 now) { offset_ += wanted - now; }

std::optional<u64> GoldfishRtc::deadline() {
    if (!armed_) return std::nullopt;
    const u64 host = clock_.now_ns();
    const u64 guest = host + offset_;
    const u64 wait = alarm_ > guest ? alarm_ - guest : 0;
    return wait > ~host ? ~0ull : host + wait;
}

void GoldfishRtc::poll() {
    if (!armed_ || guest_now() < alarm_) return;
    armed_ = false;
    pending_ = true;
    update_irq();
}

void GoldfishRtc::reset() {
    offset_ = 0;
    alarm_ = 0;
    time_high_ = 0;
    armed_ = pending_ = enabled_ = false;
    update_irq();
}

}  // namespace uc
