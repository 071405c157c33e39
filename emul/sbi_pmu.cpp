// SPDX-License-Identifier: MIT
// Performance monitoring unit (SBI 2.0, chapter 11).
#include "emul/sbi_pmu.hpp"

#include "emul/sbi_extensions.hpp"

namespace uc {
namespace {

using sbi::Error;
using namespace sbi::pmu;

constexpr u64 csr_of(u64 n) { return static_cast<u64>(CsrNo::cycle) + n; }

/// The counters of the vCPU that calls.
class Counters {
  public:
    explicit Counters(const SbiCall& call)
        : call_(call), pmu_(call.backend.sbi_state(call.self).pmu), hardware_(call.backend.hart_counters()) {}

    [[nodiscard]] static bool is_firmware(u64 n) { return n >= SbiPmu::kFirstFirmware; }
    [[nodiscard]] bool exists(u64 n) const {
        if (is_firmware(n)) return n < SbiPmu::kCounters;
        return n != static_cast<u64>(CsrNo::time) - static_cast<u64>(CsrNo::cycle) && (hardware_ >> n & 1) != 0;
    }
    [[nodiscard]] bool configured(u64 n) const { return pmu_.counters[n].event != 0; }
    [[nodiscard]] bool started(u64 n) const { return pmu_.counters[n].started; }

    /// Events are only ever those of can_count().
    [[nodiscard]] static bool can_count(u64 n, u64 event) {
        if (event == event_idx(Hardware, CpuCycles)) return n == VirtualCounters::kCycle;
        if (event == event_idx(Hardware, Instructions)) return n == VirtualCounters::kInstret;
        return is_firmware(n) && event >= event_idx(Firmware, 0) && event < event_idx(Firmware, FirmwareEvents);
    }
    void configure(u64 n, u64 event) {
        // What it counted so far is its value from now on, and for a counter in hardware that is what the CSR reads.
        const u64 now = value(n);
        pmu_.counters[n].event = static_cast<u32>(event);
        set(n, now);
    }
    void reset(u64 n) { pmu_.counters[n].event = 0; }

    [[nodiscard]] u64 value(u64 n) const {
        if (!is_firmware(n)) return call_.hart.counters.value(static_cast<unsigned>(n), in_hardware(n));
        return pmu_.counters[n].base + events(n);
    }
    void set(u64 n, u64 value) {
        if (!is_firmware(n)) return call_.hart.counters.set(static_cast<unsigned>(n), value, in_hardware(n));
        pmu_.counters[n].base = value - events(n);
    }
    void start(u64 n) {
        const u64 now = value(n);
        pmu_.counters[n].started = true;
        if (!is_firmware(n)) return call_.hart.counters.start(static_cast<unsigned>(n), in_hardware(n));
        set(n, now);
    }
    void stop(u64 n) {
        const u64 now = value(n);
        pmu_.counters[n].started = false;
        if (!is_firmware(n)) return call_.hart.counters.stop(static_cast<unsigned>(n), in_hardware(n));
        set(n, now);
    }

  private:
    [[nodiscard]] u64 in_hardware(u64 n) const { return call_.backend.hart_counter(static_cast<CsrNo>(csr_of(n))); }
    /// What a started firmware counter has in addition to its base.
    [[nodiscard]] u64 events(u64 n) const {
        const SbiPmu::Counter& counter = pmu_.counters[n];
        if (!counter.started || counter.event == 0) return 0;
        const auto event = static_cast<FirmwareEvent>(counter.event & 0xffff);
        return pmu_.made[event] + call_.backend.firmware_events(call_.self, event);
    }

    const SbiCall& call_;
    SbiPmu& pmu_;
    u32 hardware_;
};

/// The counters that base and mask name, as bits by number; nullopt when any of them does not exist.
std::optional<u32> counter_set(const SbiCall& call, const Counters& counters) {
    static_assert(SbiPmu::kCounters <= 32);
    const u64 base = call.arg(0), mask = call.arg(1);
    u32 set = 0;
    for (u64 bit = 0; bit < 64; ++bit) {
        if ((mask >> bit & 1) == 0) continue;
        if (base >= SbiPmu::kCounters || !counters.exists(base + bit)) return std::nullopt;
        set |= 1u << (base + bit);
    }
    return set;
}

template <class F>
void for_each(u32 set, F&& f) {
    for (unsigned n = 0; n < SbiPmu::kCounters; ++n)
        if ((set >> n & 1) != 0) f(n);
}

SbiReply get_info(const SbiCall& call, const Counters& counters) {
    const u64 n = call.arg(0);
    if (!counters.exists(n)) return Error::InvalidParam;
    return SbiReply::value(kInfoWidth64 | (Counters::is_firmware(n) ? kInfoFirmware : csr_of(n)));
}

/// The filter flags are hints, and the modes of a guest are nothing that the hart could tell apart.
SbiReply config_matching(const SbiCall& call, Counters& counters) {
    const std::optional<u32> set = counter_set(call, counters);
    const u64 flags = call.arg(2), event = call.arg(3), event_data = call.arg(4);
    if (!set || (flags & ~kConfigFlags) != 0) return Error::InvalidParam;
    std::optional<unsigned> found;
    bool passed_first = false;
    for_each(*set, [&](unsigned n) {
        const bool wanted = (flags & kSkipMatch) != 0 ? !passed_first : !counters.configured(n) && !counters.started(n);
        passed_first = true;
        if (!found && wanted && Counters::can_count(n, event)) found = n;
    });
    // None of the events that can be counted takes data.
    if (!found || event_data != 0) return Error::NotSupported;
    counters.configure(*found, event);
    if ((flags & kClearValue) != 0) counters.set(*found, 0);
    if ((flags & kAutoStart) != 0) counters.start(*found);
    return SbiReply::value(*found);
}

/// As firmware does: those that can be started are, whatever the others are.
SbiReply start(const SbiCall& call, Counters& counters) {
    const std::optional<u32> set = counter_set(call, counters);
    const u64 flags = call.arg(2), initial = call.arg(3);
    if (!set || (flags & ~kStartFlags) != 0) return Error::InvalidParam;
    if ((flags & kInitSnapshot) != 0) return Error::NoShmem;
    bool valid = true, already = false;
    for_each(*set, [&](unsigned n) { valid = valid && counters.configured(n); });
    if (!valid) return Error::InvalidParam;  // one that counts nothing
    for_each(*set, [&](unsigned n) {
        if (counters.started(n)) {
            already = true;
            return;
        }
        if ((flags & kSetInitialValue) != 0) counters.set(n, initial);
        counters.start(n);
    });
    return already ? Error::AlreadyStarted : Error::Success;
}

/// Kernels begin by stopping and resetting all counters, and do not mind that they are stopped.
SbiReply stop(const SbiCall& call, Counters& counters) {
    const std::optional<u32> set = counter_set(call, counters);
    const u64 flags = call.arg(2);
    if (!set || (flags & ~kStopFlags) != 0) return Error::InvalidParam;
    if ((flags & kTakeSnapshot) != 0) return Error::NoShmem;
    bool already = false;
    for_each(*set, [&](unsigned n) {
        if (counters.started(n)) {
            counters.stop(n);
        } else {
            already = true;
        }
        if ((flags & kReset) != 0) counters.reset(n);
    });
    return already ? Error::AlreadyStopped : Error::Success;
}

SbiReply read_firmware(const SbiCall& call, const Counters& counters) {
    const u64 n = call.arg(0);
    if (!Counters::is_firmware(n) || !counters.exists(n)) return Error::InvalidParam;
    return SbiReply::value(call.fid == CounterFwRead ? counters.value(n) : 0);  // the upper half is RV32's
}

u64& made(const SbiCall& call, FirmwareEvent event) { return call.backend.sbi_state(call.self).pmu.made[event]; }

}  // namespace

SbiReply sbi_pmu(const SbiCall& call) {
    Counters counters(call);
    switch (call.fid) {
        case NumCounters: return SbiReply::value(SbiPmu::kCounters);
        case CounterGetInfo: return get_info(call, counters);
        case CounterConfigMatching: return config_matching(call, counters);
        case CounterStart: return start(call, counters);
        case CounterStop: return stop(call, counters);
        case CounterFwRead:
        case CounterFwReadHi: return read_firmware(call, counters);
        default: return Error::NotSupported;  // SnapshotSetShmem, which is optional, and what SBI 3.0 has more
    }
}

void set_timer(const SbiCall& call, u64 deadline) {
    ++made(call, SetTimer);
    call.backend.set_timer(call.self, deadline);
}

void send_ipi(const SbiCall& call, unsigned vcpu) {
    if (vcpu != call.self) ++made(call, IpiSent);
    call.backend.send_ipi(vcpu);
}

void send_fence_i(const SbiCall& call, unsigned vcpu) {
    if (vcpu != call.self) ++made(call, FenceISent);
    call.backend.remote_fence_i(vcpu);
}

void send_sfence(const SbiCall& call, unsigned vcpu, const SfenceRange& range) {
    if (vcpu != call.self) ++made(call, range.asid ? SfenceVmaAsidSent : SfenceVmaSent);
    call.backend.remote_sfence(vcpu, range);
}

}  // namespace uc
