// SPDX-License-Identifier: MIT
// A guest's devices, and what they have to do with the world.

#include <algorithm>
#include <utility>

#include "emul/mmio.hpp"
#include "hv/guest.hpp"

namespace uc {

Outcome Guest::access_device(Vcpu& vcpu, const MemoryInsn& insn, Gpa gpa, Gva gva) {
    vcpu.mailbox.leave();
    Outcome outcome;
    std::optional<ManagerCall> call;
    {
        const LockGuard guard(devices_lock_);
        outcome = uc::access_device(vcpu.hart(), *vcpu.platform, bus_, insn, gpa, gva);
        if (rtc_) poll_clock(*vcpu.platform);  // it, or the next, may be what was accessed
        if (manager_) call = manager_->take_call();
        // Paused meanwhile: the store is made again when the guest goes on.
        if (std::exchange(reset_refused_, false)) return Outcome::retry();
    }
    if (call) manage(vcpu, *call);
    return outcome;
}

void Guest::poll_devices(Platform& here) {
    if (!clock_armed_.load(std::memory_order_relaxed)) return;
    const LockGuard guard(devices_lock_);
    poll_clock(here);
}

void Guest::poll_clock(Platform& here) {
    rtc_->poll();
    const auto alarm = rtc_->deadline();
    clock_armed_.store(alarm.has_value(), std::memory_order_relaxed);
    if (!alarm) return;
    constexpr u64 kNsPerSecond = 1'000'000'000;
    constexpr u64 kLongest = 3600 * kNsPerSecond;  // then it is asked for again: nothing here overflows
    const u64 now = environment_.wall_clock->now_ns();
    const u64 wait = std::min(*alarm > now ? *alarm - now : 0, kLongest);
    const u64 hz = here.timebase_hz();
    const u64 ticks = wait / kNsPerSecond * hz + (wait % kNsPerSecond * hz + kNsPerSecond - 1) / kNsPerSecond;
    here.set_timer(here.time() + ticks);
}

void Guest::set_seip(unsigned vcpu, bool level) {
    Vcpu& v = all_vcpus_[vcpu];
    reach(v, v.mailbox.set_line(level));
}

bool Guest::type(u8 byte) {
    const LockGuard guard(devices_lock_);
    return uart_.receive(byte);
}

std::optional<u8> Guest::take_received() {
    const LockGuard guard(devices_lock_);
    return uart_.take();
}

void Guest::resume_output() {
    // As much as the ring holds, but not all that the guest may print meanwhile: that would have no end.
    const auto print = [this] {
        for (u32 left = OutputRing::kCapacity; left != 0; --left) {
            const auto byte = output_.front();
            if (!byte) return true;
            if (!environment_.console->put(*this, *byte)) return false;
            output_.pop();
        }
        return true;
    };
    if (!print()) return;
    {
        const LockGuard guard(devices_lock_);
        uart_.drain();
    }
    static_cast<void>(print());
}

bool Guest::drain_output() {
    environment_.console->look_after(*this);
    const LockGuard guard(devices_lock_);
    return uart_.drain() && output_.empty();
}

}  // namespace uc
