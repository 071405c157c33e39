// SPDX-License-Identifier: MIT
#include "hv/machine.hpp"

#include <algorithm>

#include "emul/trap.hpp"
#include "hv/exit.hpp"
#include "hv/log.hpp"

namespace uc {

namespace {

constexpr u64 kPollsPerSecond = 100;  // of a terminal that never interrupts

u8 translation_key(const GuestHart& hart) {
    constexpr u64 kMask = Sstatus::SUM.mask | Sstatus::MXR.mask;
    return static_cast<u8>((hart.sstatus.raw & kMask) >> (Sstatus::SUM.lsb - 1)) | static_cast<u8>(hart.priv);
}

// Chooses the shadow root again, because what it depends on has changed.
void change_translation(Vcpu& vcpu, Platform& platform) {
    const auto activation = vcpu.guest->shadow().activate(vcpu.id, vcpu.view());
    vcpu.host_satp = activation.host_satp;
    platform.use_translation(activation.host_satp);
    platform.flush(activation.flush);
    vcpu.translation_key = translation_key(vcpu.hart());
    vcpu.translation_stale = false;
}

void deliver_interrupt(Vcpu& vcpu) {
    if (const auto irq = next_irq(vcpu.hart(), vcpu.pending())) inject(vcpu.hart(), *irq);
}

// A vCPU in wfi goes on when an interrupt is pending and enabled in sie, whatever sstatus.SIE says
// (Privileged 1.12, 3.3.3).
void wake_if_pending(Vcpu& vcpu) {
    if (vcpu.waiting && (vcpu.pending() & vcpu.hart().sie.raw) != 0) vcpu.waiting = false;
}

// Whether an interrupt may be due. Below S-mode they are always enabled (Privileged 1.12, 4.1.1).
bool may_interrupt(const Vcpu& vcpu) {
    const GuestHart& hart = vcpu.hart();
    return (vcpu.pending() & hart.sie.raw) != 0 && (hart.priv == Priv::U || hart.sstatus.get(Sstatus::SIE) != 0);
}

bool translation_changed(const Vcpu& vcpu) {
    return vcpu.translation_stale || translation_key(vcpu.hart()) != vcpu.translation_key;
}

// Handles an exit; says whether the guest may just go on. This is the hot path: most traps never leave it.
bool handle_and_go_on(VcpuFrame& frame, const TrapInfo& trap) {
    Vcpu& vcpu = Vcpu::of(frame);
    vcpu.stats.record(vcpu.hart().pc, trap.scause.raw, trap.stval);
    const ExitReason reason = handle_exit(vcpu, trap);
    vcpu.stats.tally(reason);
    vcpu.last_exit = reason;
    if (may_interrupt(vcpu) || translation_changed(vcpu)) return false;
    if (trap.scause.is_interrupt() || reason == ExitReason::Mmio) return false;
    return vcpu.runnable() && vcpu.guest->state() == GuestState::Running;
}

}  // namespace

// Into the guest, until it cannot just go on.
void Machine::run_vcpu(Vcpu& vcpu) {
    if (may_interrupt(vcpu)) deliver_interrupt(vcpu);
    if (translation_changed(vcpu)) change_translation(vcpu, platform_);
    const TrapInfo trap = platform_.run(vcpu.frame, handle_and_go_on);
    // The guest may just have read a byte, and made room for the next.
    if (vcpu.last_exit == ExitReason::Mmio) console_.offer_input();
    if (trap.scause.is_interrupt()) serve_interrupts();
}

void Machine::serve_interrupts() {
    const u64 served = platform_.take_interrupts();
    if ((served & irq_bit(Irq::STI)) != 0) {
        for (Guest* guest : guests_) {
            if (guest->state() == GuestState::Running) guest->poll_devices();
        }
        arm_timer();
    }
    if ((served & irq_bit(Irq::SEI)) != 0 || console_.needs_polling()) console_.service();
}

void Machine::arm_timer() {
    if (console_.needs_polling()) {
        platform_.set_timer(platform_.time() + platform_.timebase_hz() / kPollsPerSecond);
    }
    for (Guest* guest : guests_) {
        if (guest->state() != GuestState::Running) continue;
        for (Vcpu& vcpu : guest->vcpus()) guest->update_timer(vcpu);
    }
}

void Machine::sleep() {
    platform_.wait();
    serve_interrupts();
}

Vcpu* Machine::next_runnable() {
    for (Guest* guest : guests_) {
        if (guest->state() != GuestState::Running) continue;
        for (Vcpu& vcpu : guest->vcpus()) {
            wake_if_pending(vcpu);
            if (vcpu.runnable()) return &vcpu;
        }
    }
    return nullptr;
}

bool Machine::anyone_running() const {
    return std::any_of(guests_.begin(), guests_.end(), [](Guest* g) { return g->state() == GuestState::Running; });
}

void Machine::end_or_restart(Guest& guest) {
    while (!guest.drain_output()) console_.service();
    if (options_.stats) print_stats(guest);
    switch (guest.state()) {
        case GuestState::Reboot:
            log_always("{}: reboot", guest.name());
            if (const auto started = guest.start(); !started) guest.fail(started.error().text.view());
            arm_timer();
            if (guest.state() == GuestState::Running) return;
            [[fallthrough]];
        case GuestState::Failed:
            log_always("{}: failed: {}", guest.name(), guest.fail_reason());
            end_ = MachineEnd::Failure;
            return;
        default: log_always("{}: shutdown", guest.name());
    }
}

void Machine::print_stats(Guest& guest) const {
    for (const Vcpu& vcpu : guest.vcpus()) {
        for (usize i = 0; i < kExitReasons; ++i) {
            if (vcpu.stats.count[i] == 0) continue;
            log_always("{}: exits {} {}", guest.name(), name(static_cast<ExitReason>(i)), vcpu.stats.count[i]);
        }
    }
    const ShadowStats& s = guest.shadow().stats();
    log_always("{}: shadow fills {} prefills {} spurious {} unsyncs {} resyncs {} drops {} reclaims {} pages {}",
               guest.name(), s.fills, s.prefills, s.spurious, s.unsyncs, s.resyncs, s.drops, s.reclaims,
               guest.shadow().pages_in_use());
    log_always("{}: code copies {} drops {} instructions replaced {}", guest.name(), s.copies, s.copy_drops,
               s.replacements);
}

MachineEnd Machine::run() {
    for (Guest* guest : guests_) {
        if (guest->config().stopped) continue;
        if (const auto started = guest->start(); !started) {
            guest->fail(started.error().text.view());
            end_or_restart(*guest);
        }
    }
    arm_timer();
    while (anyone_running()) {
        Vcpu* vcpu = next_runnable();
        if (vcpu == nullptr) {
            sleep();
            continue;
        }
        while (vcpu->runnable() && vcpu->guest->state() == GuestState::Running) run_vcpu(*vcpu);
        if (vcpu->guest->state() != GuestState::Running) end_or_restart(*vcpu->guest);
    }
    return end_;
}

}  // namespace uc
