// SPDX-License-Identifier: MIT
#include "hv/watchman.hpp"

#include "hv/log.hpp"
#include "hv/machine.hpp"
#include "hv/text.hpp"

namespace uc {

namespace {

Glance glance_at(const Vcpu& vcpu) {
    const GuestHart& hart = vcpu.hart();
    u64 exits = 0;
    for (usize i = 0; i < kExitReasons; ++i) {
        if (!is_interrupt(static_cast<ExitReason>(i))) exits += vcpu.stats.kinds[i].count.get();
    }
    return {
        .deaf = hart.priv == Priv::S && hart.sstatus.get(Sstatus::SIE) == 0,
        .waiting = vcpu.pending() & hart.sie.raw,
        .pc = hart.pc,
        .deadline = hart.stimecmp,
        .exits = exits,
        .ipis = vcpu.received.of(sbi::pmu::IpiReceived),
    };
}

constexpr std::string_view text(Neglect neglect) {
    switch (neglect) {
        case Neglect::Starved: return "could run, but is given no hart";
        case Neglect::Overslept: return "sleeps, although its timer has rung";
        case Neglect::Unheard: return "does not look at what others ask of it";
        case Neglect::None: break;
    }
    return "is well";
}

}  // namespace

u64 Watchman::seconds(u64 ticks) const { return (ticks + timebase_hz_ / 2) / timebase_hz_; }

void Watchman::watch(u32 seconds, u64 timebase_hz) {
    timebase_hz_ = timebase_hz;
    times_.period = seconds * timebase_hz / WatchTimes::kLooks;
}

void Watchman::look(Vcpu& vcpu, u64 since, u64 now) {
    if (times_.period == 0) return;
    if (const auto deafness = vcpu.watchdog.look(since, now, glance_at(vcpu), times_)) tell(vcpu, *deafness);
}

u64 Watchman::next_rounds(u64 now, unsigned hart, u64 seen) const {
    const bool looks = rounds_.get() == seen || suspecter_.get() == u64{1} + hart;
    if (times_.period == 0 || !looks) return ~0ull;
    const u64 due = next_rounds_.get();
    return due > now ? due : now + times_.period;
}

void Watchman::make_rounds(u64 now, unsigned hart) {
    const auto due = [&] { return now >= next_rounds_.get(); };
    if (times_.period == 0 || !due() || !machine_.report_lock().try_lock()) return;
    if (due()) {  // still: another hart may have just been through
        next_rounds_.put(now + times_.period);
        rounds_.add(1);
        bool suspects = false;
        for (Guest* guest : machine_.guests()) suspects = look_after(*guest, now) || suspects;
        suspecter_.put(suspects ? u64{1} + hart : 0);
    }
    machine_.report_lock().unlock();
}

// Whether something looks wrong. Only while it is running can it be neglected: who pauses or ends it wakes whom nobody
// will run.
bool Watchman::look_after(Guest& guest, u64 now) {
    const bool running = guest.running();
    bool suspects = false;
    for (Vcpu& vcpu : guest.all_vcpus()) {  // no lock keeps it from being destroyed meanwhile
        Neglect neglect = running ? machine_.scheduler().neglect(vcpu.entity, now) : Neglect::None;
        if (running && neglect == Neglect::None && vcpu.mailbox.is_awaited()) neglect = Neglect::Unheard;
        if (vcpu.neglect.look(neglect, vcpu.stats.exits())) tell(vcpu, neglect);
        suspects = suspects || vcpu.neglect.suspects();
    }
    return suspects;
}

void Watchman::tell(const Vcpu& vcpu, const Deafness& deafness) {
    Text<96> waiting;
    const auto name = [&](std::string_view what, u64 ticks) {
        if (ticks != 0)
            waiting.add(waiting.view().empty() ? "" : ", ").add(what).add(" ").add(seconds(ticks)).add(" s");
    };
    name("timer", deafness.timer);
    name("IPI", deafness.software);
    name("external", deafness.external);
    Text<64> where("at ", Hex{deafness.low});
    if (deafness.low != deafness.high) where = Text<64>("between ", Hex{deafness.low}, " and ", Hex{deafness.high});
    const LockGuard guard(machine_.report_lock());
    log_warn("{}: vCPU {} {} {} s with interrupts off {}; waiting: {}{}", vcpu.guest->name(), vcpu.id,
             deafness.spins ? "has spun for" : "has been busy for", seconds(deafness.longest()), where.view(),
             waiting.view(), deafness.is_last ? "; no more is told of it" : "");
    machine_.print_last_exits(*vcpu.guest, vcpu.id, LogLevel::Warn);
}

void Watchman::tell(const Vcpu& vcpu, Neglect neglect) {
    log_warn("{}: vCPU {} {}, for {} s now: this is the hypervisor's fault", vcpu.guest->name(), vcpu.id, text(neglect),
             seconds(times_.limit()));
    machine_.print_last_exits(*vcpu.guest, vcpu.id, LogLevel::Warn);
}

}  // namespace uc
