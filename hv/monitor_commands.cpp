// SPDX-License-Identifier: MIT
// The monitor's commands on guests as a whole.

#include <utility>

#include "hv/monitor.hpp"

namespace uc {

void Monitor::guests(Words /*arguments*/) {
    TextRow("   no").at(6, "name").at(24, "state").at(36, "   memory").at(47, "vCPUs").print(out_);
    const auto attached = target_.attached();
    for (usize i = 0; i < target_.guest_count(); ++i) {
        const MonitorGuest guest = target_.guest(i);
        TextRow(attached == i ? "*" : " ", right(4, i))
            .at(6, guest.name)
            .at(24, guest.state)
            .at(36, right(5, guest.memory / kMiB), " MiB")
            .at(47, right(5, guest.vcpus))
            .print(out_);
    }
}

void Monitor::vcpus(Words arguments) {
    std::optional<usize> only;
    if (!arguments.empty()) {
        only = find_guest(arguments[0]);
        if (!only) return;
    }
    TextRow("guest").at(18, "vCPU").at(23, "state").at(35, "hart").at(40, "       exits").at(53, "pc").print(out_);
    for (usize i = 0; i < target_.guest_count(); ++i) {
        if (only && *only != i) continue;
        const MonitorGuest guest = target_.guest(i);
        for (unsigned v = 0; v < guest.vcpus; ++v) {
            const MonitorVcpu vcpu = target_.vcpu(i, v);
            TextRow row(guest.name);
            row.at(18, right(4, v)).at(23, vcpu.state).at(35);
            if (vcpu.hart) {
                row.add(right(4, *vcpu.hart));
            } else {
                row.add("   -");
            }
            row.at(40, right(12, vcpu.exits)).at(53, hex16(vcpu.pc), vcpu.priv == Priv::S ? " S" : " U");
            if (vcpu.warnings != 0) row.add("  warnings: ", vcpu.warnings);
            row.print(out_);
        }
    }
}

void Monitor::console(Words arguments) {
    const auto guest = find_guest(arguments[0]);
    if (!guest) return;
    say("{} has the terminal; Ctrl-] returns here", target_.guest(*guest).name);
    target_.attach(*guest);
    leave_ = true;
}

void Monitor::act(std::string_view guest, GuestAction action, std::string_view done) {
    const auto number = find_guest(guest);
    if (!number) return;
    const std::string_view name = target_.guest(*number).name;
    if (const auto status = target_.act(*number, action); !status) return say("{}: {}", name, status.error().view());
    say("{}: {}", name, done);
}

void Monitor::memory(Words /*arguments*/) {
    const MemoryAccount all = target_.memory();
    say("machine: {} KiB, {} KiB free, {} KiB in the largest block for a guest", all.total / kKiB, all.free / kKiB,
        all.largest / kKiB);
    say("hypervisor: {} KiB", all.hypervisor / kKiB);
    if (all.lost != 0) say("of that lost to fragmentation: {} KiB", all.lost / kKiB);
    TextRow("guest")
        .at(18, "      RAM")
        .at(30, "  serving it")
        .at(45, "tables       of")
        .at(62, "copies")
        .at(69, "timers")
        .at(76, "starts")
        .print(out_);
    for (usize i = 0; i < target_.guest_count(); ++i) {
        const GuestAccount guest = target_.account(i);
        TextRow(target_.guest(i).name)
            .at(18, right(5, guest.ram / kMiB), " MiB")
            .at(30, right(8, guest.rest / kKiB), " KiB")
            .at(44, right(7, guest.frames_used), right(9, guest.frames))
            .at(62, right(6, guest.copies))
            .at(69, right(6, guest.timers))
            .at(76, right(6, guest.starts))
            .print(out_);
    }
}

void Monitor::loglevel(Words arguments) {
    for (usize i = 0; i < kLogLevels.size(); ++i) {
        if (kLogLevels[i] != arguments[0]) continue;
        return target_.set_log_level(static_cast<LogLevel>(i + static_cast<usize>(LogLevel::Error)));
    }
    say("there is no level {}: error, warn, info and debug are", arguments[0]);
}

// Asks back while guests would be lost: nothing brings them back.
void Monitor::quit(Words /*arguments*/) {
    const bool sure = std::exchange(quit_asked_, false);
    unsigned live = 0;
    for (usize i = 0; i < target_.guest_count() && !sure; ++i) {
        const MonitorGuest guest = target_.guest(i);
        if (!guest.live) continue;
        out_.write(live++ == 0 ? "not ended yet: " : ", ");
        out_.write(guest.name);
    }
    if (live != 0) {
        quit_asked_ = true;
        return say("; quit again ends {}", live == 1 ? "it" : "them");
    }
    target_.quit();
    leave_ = true;
}

}  // namespace uc
