// SPDX-License-Identifier: MIT
#include "hv/exit_trace.hpp"

#include <utility>

#include "hv/guest.hpp"

namespace uc {

namespace {

constexpr unsigned kVcpuShift = 8;
constexpr unsigned kGuestShift = 16;

}  // namespace

void ExitTrace::use(std::span<Slot> slots, const ExitClock& clock) {
    slots_ = slots.data();
    mask_ = slots.size() - 1;
    mark_after_ = clock.counter == ExitCounter::None ? ~0ull : clock.hz / kMarksPerSecond;
}

// Ends the exit whose handling led to the run loop.
void ExitTrace::close(u64 now) {
    if (!open_) return;
    open_ = false;
    Slot& slot = slots_[next_.get() & mask_];
    running_->stats.add(running_->last_exit, now - slot.entered.get());
    end(slot, running_->last_exit, running_->trace_tag, now);
}

void ExitTrace::enter(Vcpu& vcpu, Platform& platform) {
    const u64 now = platform.exit_clock();
    close(now);
    if (running_ == &vcpu && now - marked_.get() < mark_after_) return;
    running_ = &vcpu;
    vcpu.trace = this;
    vcpu.trace_tag = u64{vcpu.guest->number()} << kGuestShift | u64{vcpu.id} << kVcpuShift;
    mark(vcpu, now, platform.time());
}

void ExitTrace::mark(const Vcpu& vcpu, u64 now, u64 time) {
    mark_version_.add(1);
    std::atomic_thread_fence(std::memory_order_release);
    marked_.put(now);
    marked_time_.put(time);
    std::atomic_thread_fence(std::memory_order_release);
    mark_version_.add(1);
    end(begin(time, 0, 0, now), ExitReason::Count, vcpu.trace_tag, now);
}

void ExitTrace::leave(Platform& platform) {
    close(platform.exit_clock());
    running_ = nullptr;
}

// A version that is even, and still the same afterwards, was never left meanwhile.
ExitRecord ExitTrace::last_mark() const {
    for (;;) {
        const u64 version = mark_version_.get();
        std::atomic_thread_fence(std::memory_order_acquire);
        ExitRecord record;
        record.reason = ExitReason::Count;
        record.entered = record.left = marked_.get();
        record.time = marked_time_.get();
        std::atomic_thread_fence(std::memory_order_acquire);
        if (version % 2 == 0 && mark_version_.get() == version) return record;
    }
}

std::optional<ExitRecord> ExitTrace::read(u64 number) const {
    const Slot& slot = slots_[number & mask_];
    ExitRecord record;
    record.pc = slot.pc.get();
    record.scause = slot.scause.get();
    record.stval = slot.stval.get();
    record.entered = slot.entered.get();
    record.left = slot.left.get();
    const u64 tag = slot.tag.get();
    std::atomic_thread_fence(std::memory_order_acquire);
    if (const u64 count = next_.get(); number >= count || count + kLost > number + mask_ + 1) return std::nullopt;
    record.guest = static_cast<u16>(tag >> kGuestShift);
    record.vcpu = static_cast<u8>(tag >> kVcpuShift);
    record.reason = static_cast<ExitReason>(tag & 0xff);
    if (record.is_mark()) record.time = std::exchange(record.pc, 0);
    return record;
}

}  // namespace uc
