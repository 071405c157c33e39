// SPDX-License-Identifier: MIT
#include "hv/machine.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

#include "hv/exit_text.hpp"
#include "hv/log.hpp"
#include "hv/monitor.hpp"

namespace uc {

bool Machine::anyone_live() const {
    return std::any_of(guests_.begin(), guests_.end(), [](const Guest* guest) { return guest->live(); });
}

// The harts that a guest is pinned to, as the scheduler numbers them.
HartMask Machine::affinity(const GuestConfig& config) const {
    HartMask mask = 0;
    for (const Runner* runner : runners_) {
        if (config.harts.contains(runner->hart_id())) mask |= hart_bit(runner->number());
    }
    return mask;
}

bool Machine::add(Guest& guest) {
    if (affinity(guest.config()) == 0 && !guest.config().harts.empty()) return false;
    if (!guests_.push(&guest)) return false;
    console_.add(guest, guest.name());
    return true;
}

bool Machine::start_trace(HostMemory& memory, const ExitClock& clock) {
    if (!history_.start(memory, runners_.size(), clock, platform_.timebase_hz())) return false;
    for (Runner* runner : runners_) history_.add(runner->hart_id(), runner->trace());
    return true;
}

void Machine::set_monitor(Monitor& monitor) {
    monitor_ = &monitor;
    console_.set_prompt(&monitor);
}

// A guest's keepers are the harts that it may run on while all guests have theirs.
void Machine::share_out_guests() {
    HartMask pinned = 0;
    for (const Guest* guest : guests_) pinned |= affinity(guest->config());
    wards_.fill(kQuit);
    for (const Guest* guest : guests_) {
        const HartMask own = affinity(guest->config());
        for (HartMask rest = own != 0 ? own : scheduler_.harts() & ~pinned; rest != 0; rest &= rest - 1) {
            wards_[static_cast<usize>(std::countr_zero(rest))] |= u32{1} << guest->number();
        }
    }
}

bool Machine::start() {
    share_out_guests();
    watchman_.watch(options_.watch, platform_.timebase_hz());
    // Of those that are equal the scheduler prefers who came last.
    for (usize g = guests_.size(); g-- > 0;) {
        if (!enter_scheduler(*guests_[g])) return false;
    }
    // With one guest the terminal is its own; several show their names, until one is given it.
    if (guests_.size() == 1) console_.attach(guests_[0]);
    for (Guest* guest : guests_) {
        if (!guest->config().stopped) static_cast<void>(guest->act(GuestAction::Start));
    }
    return true;
}

bool Machine::enter_scheduler(Guest& guest) {
    const HartMask harts = affinity(guest.config());
    for (Vcpu& vcpu : guest.all_vcpus()) {
        const auto interrupted = scheduler_.add(vcpu.entity, harts, now());
        if (!interrupted) return false;
        kick(*interrupted);
    }
    return true;
}

// False: some of its vCPUs are still some hart's, which has to pick another first.
bool Machine::leave_scheduler(Guest& guest) {
    bool all = true;
    for (Vcpu& vcpu : guest.all_vcpus()) {
        const auto interrupted = scheduler_.remove(vcpu.entity, now());
        if (interrupted) kick(*interrupted);
        all = all && interrupted.has_value();
    }
    return all;
}

void Machine::reach(Vcpu& vcpu, const Posted& posted) {
    switch (posted.then) {
        case Posted::Then::Nothing: break;
        case Posted::Then::Interrupt: runners_[posted.hart]->platform().interrupt(); break;
        case Posted::Then::Wake: kick(scheduler_.wake(vcpu.entity, now())); break;
    }
}

void Machine::kick(HartMask harts) {
    for (; harts != 0; harts &= harts - 1) {
        runners_[static_cast<usize>(std::countr_zero(harts))]->platform().interrupt();
    }
}

void Machine::quit() {
    quit_.store(true, std::memory_order_relaxed);
    unsettled_.fetch_or(kQuit, std::memory_order_seq_cst);
    kick(hart_bit(house_hart()));
}

// Whoever uses a guest comes by when it lets it go, and sees its state then.
void Machine::state_changed(const Guest& guest) {
    unsettled_.fetch_or(u32{1} << guest.number(), std::memory_order_seq_cst);
    if (!is_in_use(guest)) call_keeper(guest);
}

void Machine::call_keeper(const Guest& guest) {
    const auto looks_after = [&](const Runner* r) { return (wards_[r->number()] >> guest.number() & 1) != 0; };
    // The first has the terminal to look after.
    const std::reverse_iterator last(runners_.end()), end(runners_.begin());
    const auto keeper = std::find_if(last, end, looks_after);
    if (keeper != end) kick(hart_bit((*keeper)->number()));
}

void Machine::guest_left(const Guest& guest, unsigned hart) {
    const u32 ward = u32{1} << guest.number();
    unsettled_.fetch_or(ward, std::memory_order_seq_cst);
    if ((wards_[hart] & ward) == 0) call_keeper(guest);
}

std::optional<MachineEnd> Machine::claim_end() {
    if (end_claimed_.exchange(1, std::memory_order_acq_rel) != 0) return std::nullopt;
    return end_.load(std::memory_order_relaxed);
}

void Machine::settle_guests(unsigned hart) {
    const u32 wards = wards_[hart];
    // Who finds another at it leaves: that one looks again after it has stopped.
    while ((unsettled_.load(std::memory_order_seq_cst) & wards) != 0) {
        // The note comes before the look at the lock, as the lock's release before the look at the note below.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (!lifecycle_lock_.try_lock()) return;
        runners_[hart]->stand_aside();
        const u32 due = unsettled_.fetch_and(~wards, std::memory_order_seq_cst) & wards;
        for (Guest* guest : guests_) {
            if ((due >> guest->number() & 1) != 0) settle(*guest);
        }
        // A guest that has ended may still be in use: its end is told first.
        const bool over = quit_.load(std::memory_order_relaxed) || std::ranges::all_of(guests_, &Guest::is_over);
        if (over && over_.exchange(1, std::memory_order_acq_rel) == 0) kick(scheduler_.harts());
        lifecycle_lock_.unlock();
        std::atomic_thread_fence(std::memory_order_seq_cst);
        // Those who left may have come for guests that are none of this hart's business.
        const u32 left = unsettled_.load(std::memory_order_relaxed) & ~wards;
        for (const Guest* guest : guests_) {
            if ((left >> guest->number() & 1) != 0) call_keeper(*guest);
        }
    }
}

bool Machine::is_in_use(const Guest& guest) const {
    return std::any_of(runners_.begin(), runners_.end(), [&](const Runner* r) { return r->guest() == &guest; });
}

// Follows up what happened to a guest. Whatever happens to it meanwhile makes its state unsettled again.
void Machine::settle(Guest& guest) {
    switch (guest.state()) {
        case GuestState::Destroying: return destroy(guest);
        case GuestState::Creating: return create(guest);
        case GuestState::Starting:
        case GuestState::Reboot:
        case GuestState::Shutdown:
        case GuestState::Stopped:
        case GuestState::Failed: return settle_life(guest);
        case GuestState::Created:
        case GuestState::Running:
        case GuestState::Paused:
        case GuestState::Destroyed: break;
    }
}

// Once no vCPU of it is in the scheduler, no hart can begin to use the guest; so it is out of use for good when the
// harts have been looked at after that. A hart that has let a vCPU go may not have told the scheduler: then that has it
// picked again, by a hart that finds the guest ending, blocks, and comes back here.
void Machine::destroy(Guest& guest) {
    if (!leave_scheduler(guest) || is_in_use(guest)) return;
    if (const auto end = guest.take_end()) {
        follow_end(guest, *end);
    } else if (!guest.was_told()) {
        tell_last(guest);
    }
    guest.finish_destroying();
    take_terminal(guest);
    log_always("{}: destroyed", guest.name());
}

void Machine::create(Guest& guest) {
    if (!guest.finish_creating()) return;
    // Guests have had their harts once, and so there are harts for any part of them.
    static_cast<void>(enter_scheduler(guest));
    log_always("{}: created", guest.name());
}

// It ended, or is to be started.
void Machine::settle_life(Guest& guest) {
    if (is_in_use(guest)) return;  // who lets go of it last comes back
    // First, though somebody may have started it again since.
    if (const auto end = guest.take_end()) follow_end(guest, *end);
    // Once all is to end nothing begins any more: there may be no hart left to run it.
    if (guest.state() == GuestState::Reboot && !is_ending()) {
        tell_end(guest, "reboot");
        // Keys that came meanwhile may have put an end to it.
        guest.start_over();
    }
    if (guest.state() == GuestState::Starting && !is_ending()) {
        if (const auto started = guest.start(); !started) guest.fail_to_start(started.error().text.view());
    }
}

void Machine::follow_end(Guest& guest, GuestState how) {
    switch (how) {
        case GuestState::Failed:
            tell_end(guest, "failed: ", guest.fail_reason());
            {
                const LockGuard guard(report_lock_);
                print_last_exits(guest, std::nullopt, LogLevel::Info);
            }
            if (!is_ending() && guest.restart_after_failure()) {
                log_always("{}: restarted after its failure", guest.name());
                return;
            }
            end_.store(MachineEnd::Failure, std::memory_order_relaxed);
            break;
        case GuestState::Stopped: tell_end(guest, "stopped"); break;
        default: tell_end(guest, "shutdown"); break;
    }
    take_terminal(guest);
}

// Nobody would see that the others go on. Keys may have started it again.
void Machine::take_terminal(const Guest& guest) {
    const Console::Guard guard(console_);
    if (console_.attached() == &guest && !guest.live() && anyone_live()) console_.attach(nullptr);
}

// What it has printed, and how often it came out.
void Machine::tell_last(Guest& guest) {
    while (!guest.drain_output()) console_.terminal_interrupted();
    {
        const Console::Guard guard(console_);
        console_.end_line(guest);
    }
    if (options_.stats) print_stats(guest);
    guest.set_told();
}

void Machine::tell_end(Guest& guest, std::string_view how, std::string_view why) {
    tell_last(guest);
    log_always("{}: {}{}", guest.name(), how, why);
}

// For who looks for a cause.
void Machine::print_last_exits(const Guest& guest, std::optional<unsigned> only, LogLevel level) {
    constexpr usize kShown = 8;
    const auto its_own = [&](const TracedExit& e) {
        return !e.record.is_mark() && e.record.guest == guest.number() && (!only || e.record.vcpu == *only);
    };
    const std::span<const TracedExit> exits = history_.collect(ExitHistory::Reader::Report);
    auto left = static_cast<usize>(std::ranges::count_if(exits, its_own));
    if (left == 0) {
        // A guest may fail before it runs. A vCPU that is stuck ran, but others' exits pushed its own out.
        if (only) log_line(level, "{}: no exit of vCPU {} is kept", guest.name(), *only);
        return;
    }
    log_line(level, "{}: the last of its exits:", guest.name());
    for (const TracedExit& exit : exits) {
        if (its_own(exit) && left-- <= kShown) log_line(level, "{}", exit_row(exit, guest.name()).view());
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

}  // namespace uc
