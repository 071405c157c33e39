// SPDX-License-Identifier: MIT
#include "hv/runner.hpp"

#include "hv/machine.hpp"
#include "hv/monitor.hpp"
#include "hv/shadow_access.hpp"
#include "hv/trap_handler.hpp"
#include "hv/vcpu_switch.hpp"

namespace uc {

namespace {

constexpr u64 kPollsPerSecond = 100;  // of a terminal that never interrupts
constexpr u64 kNsPerSecond = 1'000'000'000;

void deliver_interrupt(Vcpu& vcpu) {
    const auto irq = next_irq(vcpu.hart(), vcpu.pending());
    if (!irq) return;
    inject(vcpu.hart(), *irq);
    vcpu.watchdog.interrupt_taken();
}

// A vCPU in wfi, or suspended, goes on when an interrupt is pending and enabled in sie, whatever sstatus.SIE says
// (Privileged 1.12, 3.3.3; SBI 2.0, chapter 9).
void wake_if_pending(Vcpu& vcpu) {
    if (vcpu.waiting && (vcpu.pending() & vcpu.hart().sie.raw) != 0) vcpu.go_on();
}

}  // namespace

bool go_inside(Vcpu& vcpu) {
    const Requests requests = vcpu.mailbox.enter();
    if (!requests.any()) [[likely]]
        return true;
    vcpu.guest->serve_requests(vcpu, requests);
    return false;
}

bool Runner::keeps_house() const { return machine_.house_hart() == number_; }

void Runner::use(Vcpu& vcpu, const Shadow::Activation& activation) {
    platform_.use_translation(activation.host_satp);
    vcpu.host_satp = activation.host_satp;
    vcpu.translation_key = translation_key(vcpu.hart());
    vcpu.translation_stale = false;
    last_ = &vcpu;
}

// Chooses the shadow root again, because what it depends on has changed, or the hart has another's. False: that took
// locks, and the vCPU is Outside.
bool Runner::change_translation(Vcpu& vcpu) {
    // Without ASIDs the translations of the vCPU that was here look like this one's.
    const TlbFlush flush = last_ != &vcpu && !vcpu.guest->has_asids() ? TlbFlush::all() : TlbFlush::none();
    const auto fast = vcpu.guest->shadow().try_activate(vcpu.id, vcpu.view());
    if (fast) {
        use(vcpu, *fast);
        platform_.flush(fast->flush);
    } else {
        ShadowAccess shadow(vcpu);
        const auto slow = shadow->activate(vcpu.id, vcpu.view());
        use(vcpu, slow);
        shadow.discharge(slow.flush);
    }
    platform_.flush(flush);
    return fast.has_value();
}

// Into the guest, until it cannot just go on.
void Runner::run_vcpu(Vcpu& vcpu) {
    if (may_interrupt(vcpu)) deliver_interrupt(vcpu);
    if (!vcpu.mailbox.is_inside() && !go_inside(vcpu)) return;
    if ((last_ != &vcpu || translation_changed(vcpu)) && !change_translation(vcpu)) return;
    trace_.enter(vcpu, platform_);
    platform_.run(vcpu.frame);
    if (is_interrupt(vcpu.last_exit)) {
        vcpu.mailbox.leave();
        serve_interrupts();
    } else if (vcpu.guest->has_output() || (vcpu.last_exit == ExitReason::Mmio && machine_.console().has_backlog())) {
        // It has printed, or may have read a byte and made room for the next.
        vcpu.mailbox.leave();
        machine_.console().look_after(*vcpu.guest);
    }
}

// What the guest is doing may be looked at, once it is known to be in use. False: it is about to end, or to start anew,
// and nothing of the vCPU but its mailbox may be touched.
bool Runner::take_up(Vcpu& vcpu) {
    guest_.store(vcpu.guest, std::memory_order_seq_cst);
    Requests left;
    if (!vcpu.guest->lasts()) {
        // A request for the life before may have come late. If it stayed, the one with which the next life begins would
        // not be the first, and wake nobody.
        left = vcpu.mailbox.take();
        if (!vcpu.guest->lasts()) return false;
    }
    current_.store(&vcpu, std::memory_order_relaxed);
    vcpu.platform = &platform_;
    vcpu.mailbox.arrive(number_);
    begin_stay(vcpu);
    if (left.any()) vcpu.guest->serve_requests(vcpu, left);
    return true;
}

// Whatever of the vCPU lives in the hart is stored, so that another hart may run it, and its tables are left.
void Runner::let_go(Vcpu& vcpu) {
    vcpu.mailbox.leave();
    end_stay(vcpu, vcpu.runnable() && vcpu.guest->running());
    trace_.leave(platform_);
    platform_.put_away(vcpu.frame);
    if (machine_.shares_harts() || !vcpu.guest->lasts()) {
        platform_.park();
        last_ = nullptr;
    }
}

// A vCPU that cannot run gives the hart away; false when it was woken meanwhile, and has to look again.
bool Runner::sleep_vcpu(Vcpu& vcpu) {
    let_go(vcpu);
    const bool lasts = vcpu.guest->lasts();
    if (lasts && !vcpu.mailbox.sleep()) {
        begin_stay(vcpu);
        return false;
    }
    const bool timer = vcpu.guest->running() && vcpu.waiting && vcpu.hart().sie.get(Sie::STIE) != 0;
    if (machine_.scheduler().block(vcpu.entity, machine_.now(), timer ? vcpu.hart().stimecmp : Scheduler::kNever)) {
        return true;
    }
    if (lasts) vcpu.mailbox.leave();
    begin_stay(vcpu);
    return false;
}

// One vCPU, until it sleeps, its slice is over, or somebody else must be looked after.
void Runner::run_slice(Vcpu& vcpu, u64 now, u64 until) {
    since_ = now;
    until_ = until;
    while (!take_up(vcpu)) {
        if (machine_.scheduler().block(vcpu.entity, machine_.now())) return;
    }
    arm_timer(now);
    for (;;) {
        if (vcpu.mailbox.any()) {
            vcpu.mailbox.leave();
            vcpu.guest->serve_requests(vcpu, vcpu.mailbox.take());
        }
        wake_if_pending(vcpu);
        if (vcpu.runnable() && vcpu.guest->running()) {
            run_vcpu(vcpu);
        } else if (sleep_vcpu(vcpu)) {
            break;
        }
        // Reading the time may cost a trap to firmware: only the timer can have brought the end of the slice.
        if (machine_.is_unsettled(number_) || machine_.is_over() ||
            machine_.scheduler().must_switch(number_, timer_rang_ ? machine_.now() : 0)) {
            let_go(vcpu);
            break;
        }
        timer_rang_ = false;
    }
    current_.store(nullptr, std::memory_order_relaxed);
    note_rounds();
}

void Runner::serve_interrupts() {
    const u64 served = platform_.take_interrupts();
    if ((served & ~irq_bit(Irq::STI)) != 0) note_rounds();
    if ((served & irq_bit(Irq::STI)) != 0) {
        timer_rang_ = true;
        const u64 now = machine_.now();
        if (now >= until_) until_ = Scheduler::kNever;  // it has served its purpose: the scheduler is next
        for (Guest* guest : machine_.guests()) {
            if (guest->running()) guest->poll_devices(platform_);
        }
        if (keeps_house() && machine_.console().needs_polling()) machine_.console().terminal_interrupted();
        arm_timer(now);
        // STIP is up to date now.
        if (Vcpu* const vcpu = current_.load(std::memory_order_relaxed)) machine_.watchman().look(*vcpu, since_, now);
        machine_.watchman().make_rounds(now, number_);
    }
    if (keeps_house()) watch();
}

// What the hart has done may have gone wrong: somebody has to look once more from now on.
void Runner::note_rounds() { rounds_ = machine_.watchman().rounds(); }

// Shows what the monitor watches again, and sees to the next time.
void Runner::watch() {
    Monitor* const monitor = machine_.monitor();
    if (monitor == nullptr || !monitor->watching()) return;
    const u64 hz = platform_.timebase_hz(), time = platform_.time();
    {
        const Console::Guard guard(machine_.console());
        if (monitor->watching()) monitor->tick(time / hz * kNsPerSecond + time % hz * kNsPerSecond / hz);
    }
    platform_.set_timer(platform_.time() + hz);  // not from `time`: showing it may have taken that long
}

void Runner::arm_timer(u64 now) {
    platform_.set_timer(until_);
    if (keeps_house() && machine_.console().needs_polling()) {
        platform_.set_timer(platform_.time() + platform_.timebase_hz() / kPollsPerSecond);
    }
    Vcpu* const vcpu = current_.load(std::memory_order_relaxed);
    if (vcpu == nullptr) return;
    vcpu->guest->update_timer(*vcpu);
    platform_.set_timer(machine_.watchman().next_look(now));
}

void Runner::idle(u64 now, u64 until) {
    until_ = until;
    arm_timer(now);
    platform_.set_timer(machine_.watchman().next_rounds(now, number_, rounds_));
    platform_.wait();
    serve_interrupts();
}

// A guest that has ended is followed up once no hart uses it any more: who leaves last has to see to that.
void Runner::leave_guest() {
    const Guest* const guest = guest_.exchange(nullptr, std::memory_order_seq_cst);
    if (guest != nullptr && !guest->lasts()) machine_.guest_left(*guest, number_);
}

void Runner::stand_aside() {
    machine_.kick(machine_.scheduler().put_back(number_, machine_.now()));
    platform_.park();  // the tables in use may be those of a guest that starts anew
    last_ = nullptr;
}

void Runner::run() {
    for (;;) {
        leave_guest();
        machine_.console().catch_up();  // keys may be commands, which leave something to settle
        if (machine_.is_unsettled(number_)) {
            machine_.settle_guests(number_);
            note_rounds();
        }
        if (machine_.is_over()) return;
        const u64 now = machine_.now();
        const Pick pick = machine_.scheduler().pick(number_, now);
        machine_.kick(pick.kick & ~hart_bit(number_));
        if (pick.entity != nullptr) {
            run_slice(*pick.entity->vcpu(), now, pick.until);
        } else {
            idle(now, pick.until);
        }
    }
}

}  // namespace uc
