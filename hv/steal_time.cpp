// SPDX-License-Identifier: MIT
#include "hv/steal_time.hpp"

#include "hv/shadow_access.hpp"

namespace uc {

namespace {

// Another vCPU may read the record while it is written, so each field is stored in one piece, and in this order.
template <class T>
void store(T& field, T value) {
    __atomic_store_n(&field, value, __ATOMIC_RELEASE);
}

u64 nanoseconds(u64 ticks, u64 hz) {
    constexpr u64 kNsPerSecond = 1'000'000'000;
    return ticks / hz * kNsPerSecond + ticks % hz * kNsPerSecond / hz;
}

sbi::sta::Record& record_in(Guest& guest, Gpa at) {
    return *reinterpret_cast<sbi::sta::Record*>(guest.ram().pointer(at, sizeof(sbi::sta::Record)));
}

void written(Vcpu& vcpu, Gpa at) {
    ShadowAccess shadow(vcpu);
    shadow.discharge(shadow->memory_written(at, sizeof(sbi::sta::Record)));
}

}  // namespace

void StealTime::running(Vcpu& vcpu, u64 waited) {
    if (!record_ || (!preempted_ && waited == told_)) return;
    sbi::sta::Record& record = record_in(*vcpu.guest, *record_);
    if (waited != told_) {
        told_ = waited;
        store(record.sequence, ++sequence_);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        store(record.steal, nanoseconds(waited - before_, vcpu.platform->timebase_hz()));
        store(record.sequence, ++sequence_);
    }
    store(record.preempted, u8{0});
    preempted_ = false;
    written(vcpu, *record_);
}

void StealTime::preempted(Vcpu& vcpu) {
    if (!record_ || preempted_) return;
    store(record_in(*vcpu.guest, *record_).preempted, u8{1});
    preempted_ = true;
    written(vcpu, *record_);
}

}  // namespace uc
