// SPDX-License-Identifier: MIT
#include "hv/machine_view.hpp"

#include "hv/glance.hpp"

namespace uc {

MonitorGuest MachineView::guest(usize number) {
    Guest& guest = at(number);
    const GuestState state = guest.state();
    return {guest.name(), name(state), is_live(state), guest.ram().size(), static_cast<unsigned>(guest.vcpus().size())};
}

MonitorVcpu MachineView::vcpu(usize guest, unsigned number) {
    Guest& g = at(guest);
    const Vcpu& v = g.vcpus()[number];
    const Platform* const platform = glance(v.platform);
    bool runs = false;
    std::optional<u64> hart;
    for (const Runner* runner : machine_.runners()) {
        if (runner->current() == &v) runs = true;
        if (platform == &runner->platform()) hart = runner->hart_id();
    }
    std::string_view state = "stopped";
    if (const GuestState now = g.state(); v.up() && is_live(now)) {
        state = now != GuestState::Running ? name(now) : runs ? "running" : glance(v.waiting) ? "waiting" : "ready";
    }
    return {
        state, hart, v.stats.exits(), glance(v.hart().pc), glance(v.hart().priv), v.watchdog.told() + v.neglect.told()};
}

std::optional<usize> MachineView::attached() {
    for (usize i = 0; i < guest_count(); ++i) {
        if (machine_.console().attached() == &at(i)) return i;
    }
    return std::nullopt;
}

void MachineView::attach(usize guest) { machine_.console().attach(&at(guest)); }

MonitorStatus MachineView::act(usize guest, GuestAction action) {
    Guest& g = at(guest);
    if (machine_.act(g, action)) return {};
    if (action == GuestAction::Create && g.state() == GuestState::Destroyed) {
        return std::unexpected(MonitorError("there is no memory for its ", g.config().memory / kMiB,
                                            " MiB and what serves them: the largest free block has ",
                                            memory_.largest(kGuestMemoryUnit) / kMiB, " MiB"));
    }
    return std::unexpected(MonitorError("it is ", name(g.state())));
}

MonitorStats MachineView::stats(usize guest) {
    const ExitClock& clock = machine_.history().clock();
    MonitorStats sum{};
    for (const Vcpu& vcpu : at(guest).vcpus()) {
        for (usize i = 0; i < kExitReasons; ++i) {
            const ExitStats::Kind& kind = vcpu.stats.kinds[i];
            sum[i].count += kind.count.get();
            sum[i].ns += clock.ns(kind.spent.get());
        }
    }
    return sum;
}

std::expected<GuestHart, MonitorError> MachineView::registers(usize guest, unsigned vcpu) {
    const Vcpu& v = at(guest).vcpus()[vcpu];
    GuestHart hart = glance(v.hart());
    hart.sip.raw |= glance(v.lines);
    return hart;
}

std::expected<MonitorWalk, MonitorError> MachineView::walk(usize guest, unsigned vcpu, Gva va) {
    Guest& g = at(guest);
    const LockGuard guard(g.shadow_lock());
    if (!g.has_run()) return std::unexpected(MonitorError("it was never started"));
    const Shadow::View view = Vcpu::view_of(glance(g.vcpus()[vcpu].hart()));
    MonitorWalk walk;
    walk.asid = static_cast<u16>(view.satp.get(Satp::ASID));
    walk.guest = view_guest_tables(g.ram(), g.shadow().walk_mode(view), va);
    if (const auto entry = g.shadow().lookup(view, va)) {
        walk.shadow = view_shadow_entry(g.shadow().host_mode(), entry->pte, entry->level, va);
    }
    return walk;
}

bool MachineView::read(usize guest, Gpa address, std::span<u8> bytes) {
    const std::byte* const from = at(guest).ram().pointer(address, bytes.size());
    if (from != nullptr) glance(from, std::as_writable_bytes(bytes));
    return from != nullptr;
}

}  // namespace uc
