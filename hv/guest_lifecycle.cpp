// SPDX-License-Identifier: MIT
// How a guest's state changes, and what it owns comes and goes.

#include <cstring>

#include "hv/glance.hpp"
#include "hv/guest.hpp"

namespace uc {

std::string_view name(GuestState state) {
    constexpr std::array<std::string_view, 11> kNames{"created",         "starting",  "running",      "paused",
                                                      "shut down",       "stopped",   "rebooting",    "failed",
                                                      "being destroyed", "destroyed", "being created"};
    return kNames[static_cast<usize>(state)];
}

bool Guest::change_state(GuestState from, GuestState to) {
    if (!life_.change(from, to)) return false;
    tell_vcpus();
    if (!uc::lasts(to) && environment_.keeper != nullptr) environment_.keeper->state_changed(*this);
    return true;
}

// Those that run look again, and so do those that sleep. Who is stopped looks when it is started.
void Guest::tell_vcpus() {
    for (Vcpu& vcpu : all_vcpus_) {
        if (vcpu.state != sbi::hsm::Stopped) reach(vcpu, vcpu.mailbox.post(Request::Kick));
    }
}

// To `to`, from any state that `allowed` names.
template <class Allowed>
bool Guest::change_state_from(Allowed allowed, GuestState to) {
    for (GuestState now = state(); allowed(now); now = state()) {
        if (now == to || change_state(now, to)) return true;
    }
    return false;
}

bool Guest::act(GuestAction action) {
    switch (action) {
        case GuestAction::Start:
            return change_state_from([](GuestState s) { return s == GuestState::Created || is_end(s); },
                                     GuestState::Starting);
        case GuestAction::Stop: return change_state_from(is_live, GuestState::Stopped);
        case GuestAction::Pause: return change_state(GuestState::Running, GuestState::Paused);
        case GuestAction::Resume: return change_state(GuestState::Paused, GuestState::Running);
        case GuestAction::Reset: return change_state_from(is_live, GuestState::Reboot);
        case GuestAction::Destroy:
            return change_state_from(
                [](GuestState s) { return s != GuestState::Destroying && s != GuestState::Destroyed; },
                GuestState::Destroying);
        case GuestAction::Create: return reserve();
    }
    return false;
}

bool Guest::restart_after_failure() {
    if (restarts_ == config_.restarts || !change_state(GuestState::Failed, GuestState::Starting)) return false;
    ++restarts_;
    return true;
}

bool Guest::fail(std::string_view reason) {
    if (!change_state(GuestState::Running, GuestState::Failed)) return false;
    // Whoever tells of it waits until the vCPU that calls has left its hart.
    fail_reason_ = Text<200>(reason);
    return true;
}

void Guest::fail_to_start(std::string_view reason) {
    if (change_state(GuestState::Starting, GuestState::Failed)) fail_reason_ = Text<200>(reason);
}

// Others may want the memory as well: whether there is enough is known only once it is taken.
bool Guest::reserve() {
    const LockGuard guard(guest_lock_);
    if (state() != GuestState::Destroyed) return false;
    const auto resources = GuestResources::take(config_, environment_);
    if (!resources) return false;
    resources_ = *resources;
    return change_state(GuestState::Destroyed, GuestState::Creating);  // which nobody else does
}

void Guest::equip(const GuestResources& resources) {
    resources_ = resources;
    const HostRange ram = resources.ram;
    ram_ = GuestRam(kGuestRamBase, ram.base, {environment_.memory->pointer(ram.base), ram.size});
    const u64 vectors = resources.vectors.size() / all_vcpus_.size();
    for (Vcpu& vcpu : all_vcpus_) {
        vcpu.frame.vector.v = vectors == 0 ? nullptr : resources.vectors.data() + vcpu.id * vectors;
    }
    vcpus_ = all_vcpus_;
}

bool Guest::finish_creating() {
    resources_.clear(*environment_.memory);
    {
        const Console::Guard console(*environment_.console);
        const LockGuard guest(guest_lock_);
        restarts_ = 0;
        for (Vcpu& vcpu : all_vcpus_) {
            vcpu.stats.reset();
            vcpu.platform = nullptr;
        }
        equip(resources_);
    }
    return change_state(GuestState::Creating, GuestState::Created);
}

// Others look at a guest under one of these locks; under none of them they use the Guest and its vCPUs only, which
// stay.
void Guest::finish_destroying() {
    {
        const Console::Guard console(*environment_.console);
        const LockGuard guest(guest_lock_);
        const LockGuard devices(devices_lock_);
        const LockGuard shadow(shadow_lock_);
        reset_devices();
        reset_vcpus();
        for (Vcpu& vcpu : all_vcpus_) vcpu.frame.vector.v = nullptr;
        vcpus_ = {};
        shadow_.reset();
        pool_.reset();
        ram_ = GuestRam(kGuestRamBase, Hpa{}, {});
        resources_.give_back(*environment_.memory);
    }
    static_cast<void>(change_state(GuestState::Destroying, GuestState::Destroyed));  // which nobody else does
}

void Guest::reset_vcpus() {
    for (Vcpu& vcpu : all_vcpus_) {
        vcpu.frame.hart = GuestHart{};
        vcpu.frame.home = nullptr;
        vcpu.frame.fp = {};
        std::byte* const v = vcpu.frame.vector.v;
        vcpu.frame.vector = {.v = v};
        if (v != nullptr) std::memset(v, 0, kVectorRegisters * environment_.vlenb);
        vcpu.reset_sbi();
        vcpu.watchdog.reset();
        vcpu.lines = 0;
        vcpu.waiting = false;
        vcpu.state = sbi::hsm::Stopped;
        vcpu.translation_stale = true;
        vcpu.mailbox.reset();
    }
}

void Guest::reset_devices() {
    uart_.reset();
    if (rtc_) rtc_->reset();
    if (manager_) manager_->reset();
    clock_armed_.store(false, std::memory_order_relaxed);
    plic_.reset();
}

GuestAccount Guest::account() {
    const LockGuard guard(guest_lock_);
    GuestAccount account{.ram = resources_.ram.size,
                         .rest = resources_.rest.size,
                         .frames = static_cast<u32>(resources_.pool.size / kPageSize),
                         .starts = starts_.load(std::memory_order_relaxed)};
    if (lasts()) {
        for (const Vcpu& vcpu : vcpus_) account.timers += vcpu.up() && glance(vcpu.hart().stimecmp) != ~u64{0} ? 1 : 0;
        account.timers += clock_armed_.load(std::memory_order_relaxed) ? 1 : 0;
    }
    const LockGuard shadow(shadow_lock_);
    if (shadow_) {
        account.frames_used = shadow_->pages_in_use();
        account.copies = shadow_->copies_in_use();
    }
    return account;
}

}  // namespace uc
