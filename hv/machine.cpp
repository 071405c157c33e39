// SPDX-License-Identifier: MIT
#include "hv/machine.hpp"

#include <algorithm>

#include "hv/exit_text.hpp"
#include "hv/log.hpp"
#include "hv/monitor.hpp"
#include "hv/trap_handler.hpp"

namespace uc {

namespace {

constexpr u64 kPollsPerSecond = 100;  // of a terminal that never interrupts
constexpr u64 kNsPerSecond = 1'000'000'000;

void deliver_interrupt(Vcpu& vcpu) {
    if (const auto irq = next_irq(vcpu.hart(), vcpu.pending())) inject(vcpu.hart(), *irq);
}

// A vCPU in wfi goes on when an interrupt is pending and enabled in sie, whatever sstatus.SIE says
// (Privileged 1.12, 3.3.3).
void wake_if_pending(Vcpu& vcpu) {
    if (vcpu.waiting && (vcpu.pending() & vcpu.hart().sie.raw) != 0) vcpu.waiting = false;
}

bool may_run(const Vcpu& vcpu) { return vcpu.runnable() && vcpu.guest->running(); }

}  // namespace

// Chooses the shadow root again, because what it depends on has changed, or the hart has another's.
void Machine::change_translation(Vcpu& vcpu) {
    auto activation = vcpu.guest->shadow().activate(vcpu.id, vcpu.view());
    // Without ASIDs the translations of the vCPU that was here look like this one's.
    if (last_ != &vcpu && !vcpu.guest->has_asids()) activation.flush.merge(TlbFlush::all());
    vcpu.host_satp = activation.host_satp;
    platform_.use_translation(activation.host_satp);
    platform_.flush(activation.flush);
    vcpu.translation_key = translation_key(vcpu.hart());
    vcpu.translation_stale = false;
    last_ = &vcpu;
}

// Into the guest, until it cannot just go on.
void Machine::run_vcpu(Vcpu& vcpu) {
    if (may_interrupt(vcpu)) deliver_interrupt(vcpu);
    if (last_ != &vcpu || translation_changed(vcpu)) change_translation(vcpu);
    trace_.enter(vcpu, platform_);
    platform_.run(vcpu.frame);
    // The guest may just have read a byte, and made room for the next.
    if (vcpu.last_exit == ExitReason::Mmio) console_.offer_input();
    if (is_interrupt(vcpu.last_exit)) serve_interrupts();
}

// A vCPU that cannot run gives the hart away; false when it was woken meanwhile, and has to look again.
bool Machine::sleep_vcpu(Vcpu& vcpu) {
    const bool timer = vcpu.guest->running() && vcpu.waiting && vcpu.hart().sie.get(Sie::STIE) != 0;
    return scheduler_.block(vcpu.entity, now(), timer ? vcpu.hart().stimecmp : Scheduler::kNever);
}

// One vCPU, until it sleeps, its slice is over, or somebody else must be looked after.
void Machine::run_slice(Vcpu& vcpu, u64 until) {
    current_ = &vcpu;
    until_ = until;
    arm_timer();
    for (;;) {
        wake_if_pending(vcpu);
        if (may_run(vcpu)) {
            run_vcpu(vcpu);
        } else if (sleep_vcpu(vcpu)) {
            break;
        }
        if (unsettled_ || quit_ || !vcpu.guest->live()) break;
        // Reading the time may cost a trap to firmware: only the timer can have brought the end of the slice.
        if (scheduler_.must_switch(kHart, timer_rang_ ? now() : 0)) break;
        timer_rang_ = false;
    }
    current_ = nullptr;
    trace_.leave(platform_);
}

void Machine::serve_interrupts() {
    const u64 served = platform_.take_interrupts();
    if ((served & irq_bit(Irq::STI)) != 0) {
        timer_rang_ = true;
        if (now() >= until_) until_ = Scheduler::kNever;  // it has served its purpose: the scheduler is asked next
        for (Guest* guest : guests_) {
            if (guest->running()) guest->poll_devices();
        }
        arm_timer();
    }
    if ((served & irq_bit(Irq::SEI)) != 0 || console_.needs_polling()) console_.service();
    if (monitor_ != nullptr && monitor_->watching()) watch();
}

// Shows what is watched again, and sees to the next time.
void Machine::watch() {
    const u64 hz = platform_.timebase_hz(), time = platform_.time();
    monitor_->tick(time / hz * kNsPerSecond + time % hz * kNsPerSecond / hz);
    platform_.set_timer(platform_.time() + hz);  // not from `time`: showing it may have taken that long
}

void Machine::arm_timer() {
    platform_.set_timer(until_);
    if (console_.needs_polling()) {
        platform_.set_timer(platform_.time() + platform_.timebase_hz() / kPollsPerSecond);
    }
    if (current_ != nullptr) current_->guest->update_timer(*current_);
}

bool Machine::anyone_live() const {
    return std::any_of(guests_.begin(), guests_.end(), [](const Guest* guest) { return guest->live(); });
}

void Machine::add(Guest& guest) {
    static_cast<void>(guests_.push(&guest));
    console_.add(guest, guest.name());
}

bool Machine::start_trace(HostMemory& memory, const ExitClock& clock) {
    if (!history_.start(memory, 1, clock, platform_.timebase_hz())) return false;
    history_.add(hart_id_, trace_);
    return true;
}

void Machine::set_monitor(Monitor& monitor) {
    monitor_ = &monitor;
    console_.set_prompt(&monitor);
}

bool Machine::act(Guest& guest, GuestAction action) {
    if (!guest.act(action)) return false;
    unsettled_ = true;
    return true;
}

void Machine::start(Guest& guest) {
    if (const auto started = guest.start(); !started) guest.fail(started.error().text.view());
    last_ = nullptr;  // the tables in use are the hypervisor's own, whoever runs next
}

// Follows up what happened to a guest: it ended, or is to be started.
void Machine::settle(Guest& guest) {
    if (guest.state() == GuestState::Reboot) tell_end(guest, "reboot");
    // Keys that came meanwhile may have put an end to it.
    if (guest.state() == GuestState::Reboot || guest.state() == GuestState::Starting) start(guest);
    if (guest.live() || guest.state() == GuestState::Created || guest.ended()) return;
    switch (guest.state()) {
        case GuestState::Failed:
            tell_end(guest, "failed: ", guest.fail_reason());
            print_last_exits(guest);
            if (guest.live()) return;  // keys that came meanwhile started it again
            if (guest.restart_after_failure()) {
                log_always("{}: restarted after its failure", guest.name());
                unsettled_ = true;
                return;
            }
            end_ = MachineEnd::Failure;
            break;
        case GuestState::Stopped: tell_end(guest, "stopped"); break;
        default: tell_end(guest, "shutdown"); break;
    }
    if (guest.live()) return;
    guest.set_ended();
    // Nobody would see that the others go on.
    if (console_.attached() == &guest && anyone_live()) console_.attach(nullptr);
}

void Machine::settle_guests() {
    // Whoever types while the end of a guest is told may ask for more.
    do {
        unsettled_ = false;
        for (Guest* guest : guests_) settle(*guest);
    } while (unsettled_);
}

void Machine::tell_end(Guest& guest, std::string_view how, std::string_view why) {
    while (!guest.drain_output()) console_.service();
    console_.end_line(guest);
    if (options_.stats) print_stats(guest);
    log_always("{}: {}{}", guest.name(), how, why);
}

// For who looks for the cause of a failure: the guest is kept as it is, and this is what it did last.
void Machine::print_last_exits(const Guest& guest) {
    constexpr usize kShown = 8;
    const auto its_own = [&](const TracedExit& e) { return !e.record.is_mark() && e.record.guest == guest.number(); };
    const std::span<const TracedExit> exits = history_.collect();
    auto left = static_cast<usize>(std::ranges::count_if(exits, its_own));
    if (left == 0) return;
    log_info("{}: the last of its exits:", guest.name());
    for (const TracedExit& exit : exits) {
        if (its_own(exit) && left-- <= kShown) log_info("{}", exit_row(exit, guest.name()).view());
    }
}

void Machine::print_stats(Guest& guest) const {
    for (const Vcpu& vcpu : guest.vcpus()) {
        for (usize i = 0; i < kExitReasons; ++i) {
            const u64 count = vcpu.stats.kinds[i].count.get();
            if (count == 0) continue;
            const u64 ns = history_.clock().ns(vcpu.stats.kinds[i].spent.get());
            const auto mean = ns == 0 ? Text<32>() : Text<32>(" mean ", ns / count, " ns");
            log_always("{}: exits {} {}{}", guest.name(), name(static_cast<ExitReason>(i)), count, mean.view());
        }
    }
    if (!guest.has_run()) return;
    const ShadowStats& s = guest.shadow().stats();
    log_always("{}: shadow fills {} prefills {} spurious {} unsyncs {} resyncs {} drops {} reclaims {} pages {}",
               guest.name(), s.fills, s.prefills, s.spurious, s.unsyncs, s.resyncs, s.drops, s.reclaims,
               guest.shadow().pages_in_use());
    log_always("{}: code copies {} drops {} instructions replaced {}", guest.name(), s.copies, s.copy_drops,
               s.replacements);
}

MachineEnd Machine::run() {
    // Of those that are equal the scheduler prefers who came last.
    for (usize i = guests_.size(); i-- > 0;) {
        for (Vcpu& vcpu : guests_[i]->vcpus()) static_cast<void>(scheduler_.add(vcpu.entity, 0, now()));
    }
    // With one guest the terminal is its own; several show their names, until one is given it.
    if (guests_.size() == 1) console_.attach(guests_[0]);
    for (Guest* guest : guests_) {
        if (!guest->config().stopped) static_cast<void>(guest->act(GuestAction::Start));
    }
    for (settle_guests(); anyone_live() && !quit_; settle_guests()) {
        const Pick pick = scheduler_.pick(kHart, now());
        if (pick.entity != nullptr) {
            run_slice(*pick.entity->vcpu(), pick.until);
            continue;
        }
        until_ = pick.until;
        arm_timer();
        platform_.wait();
        serve_interrupts();
    }
    return end_;
}

}  // namespace uc
