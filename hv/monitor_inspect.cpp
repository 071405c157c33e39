// SPDX-License-Identifier: MIT
// The monitor's commands that look inside guests.

#include <algorithm>

#include "hv/exit_text.hpp"
#include "hv/monitor.hpp"

namespace uc {

namespace {

constexpr std::array<std::string_view, 32> kRegisters{
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
    "a6",   "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

std::string_view mode_name(SatpMode mode) {
    switch (mode) {
        case SatpMode::Sv39: return "Sv39";
        case SatpMode::Sv48: return "Sv48";
        case SatpMode::Sv57: return "Sv57";
        default: return "Bare";
    }
}

/// "DAGUXWRV", a dash for each bit that is clear.
Text<8> flags(Pte pte) {
    Text<8> text;
    for (unsigned bit = 8; bit-- > 0;) text.add((pte.raw >> bit & 1) != 0 ? "VRWXUGAD"[bit] : '-');
    return text;
}

Text<32> entry_text(const std::optional<Pte>& pte) {
    return pte ? Text<32>(hex16(pte->raw).view(), ' ', flags(*pte).view()) : Text<32>("-");
}

Text<20> result_text(const std::optional<u64>& address) {
    return address ? Text<20>(Hex{*address}) : Text<20>("nowhere");
}

/// One figure behind the point.
Text<24> share_text(u64 part, u64 whole) {
    const u64 tenths = whole == 0 ? 0 : part * 1000 / whole;
    return Text<24>(right(4, tenths / 10).view(), '.', tenths % 10, " %");
}

Text<24> mean_text(const MonitorExits& exits) {
    if (exits.ns == 0 || exits.count == 0) return Text<24>("       -");
    return Text<24>(right(8, exits.ns / exits.count).view(), " ns");
}

struct NamedValue {
    std::string_view name;
    u64 value;
};

void print_pair(TextSink& out, NamedValue left, NamedValue right) {
    TextRow("  ", left.name).at(14, hex16(left.value)).at(36, right.name).at(48, hex16(right.value)).print(out);
}

}  // namespace

void Monitor::stats(Words arguments) {
    std::optional<usize> guest;
    bool watch = false;
    for (const std::string_view argument : arguments) {
        if (argument == "-w") {
            watch = true;
            continue;
        }
        if (guest) return say("usage: stats [NAME] [-w]");
        guest = find_guest(argument);
        if (!guest) return;
    }
    watched_ = guest;
    watching_ = watch;
    watched_at_.reset();
    print_stats();
}

void Monitor::tick(u64 now_ns) {
    if (!watching_) return;
    if (!watched_at_) watched_at_ = now_ns;
    if (now_ns - *watched_at_ < kWatchPeriodNs) return;
    watched_at_ = now_ns;
    out_.write("\x1b[H\x1b[2J");
    print_stats();
}

void Monitor::print_stats() {
    for (usize i = 0; i < target_.guest_count(); ++i) {
        if (!watched_ || *watched_ == i) print_stats(i);
    }
    if (watching_) say("(any key ends this)");
}

void Monitor::print_stats(usize guest) {
    const MonitorStats stats = target_.stats(guest);
    u64 total = 0;
    for (const MonitorExits& exits : stats) total += exits.count;
    say("{}: {} exits", target_.guest(guest).name, total);
    if (total == 0) return;
    TextRow("  cause").at(18, "     count").at(32, "share").at(41, "   mean").print(out_);
    for (usize i = 0; i < stats.size(); ++i) {
        if (stats[i].count == 0) continue;
        TextRow("  ", name(static_cast<ExitReason>(i)))
            .at(16, right(12, stats[i].count))
            .at(29, share_text(stats[i].count, total))
            .at(40, mean_text(stats[i]))
            .print(out_);
    }
}

void Monitor::trace(Words arguments) {
    if (arguments.size() == 1 && arguments[0] == "dump") return dump_trace();
    u64 most = 16;
    if (!arguments.empty()) {
        const auto wanted = read_number(arguments[0]);
        if (!wanted) return;
        most = *wanted;
    }
    std::optional<usize> only;
    if (arguments.size() == 2) {
        only = find_guest(arguments[1]);
        if (!only) return;
    }
    const auto shown = [&](const TracedExit& exit) {
        return !exit.record.is_mark() && (!only || *only == exit.record.guest);
    };
    const std::span<const TracedExit> exits = target_.trace();
    u64 left = static_cast<u64>(std::ranges::count_if(exits, shown));
    if (left == 0) return say("no exits are kept");
    exit_heading().print(out_);
    for (const TracedExit& exit : exits) {
        if (shown(exit) && left-- <= most) exit_row(exit, target_.guest(exit.record.guest).name).print(out_);
    }
}

void Monitor::dump_trace() {
    const std::span<const TracedExit> exits = target_.trace();
    say("{}", DumpLine::begin(exits.size()).view());
    for (usize i = 0; i < target_.guest_count(); ++i) say("{}", DumpLine::guest(i, target_.guest(i).name).view());
    for (const TracedExit& exit : exits) say("{}", DumpLine::exit(exit).view());
    say("{}", DumpLine::end(exits.size()).view());
}

void Monitor::pt(Words arguments) {
    const auto place = find_vcpu(arguments[0], arguments.subspan(2));
    if (!place) return;
    const auto address = read_number(arguments[1]);
    if (!address) return;
    const auto walk = target_.walk(place->guest, place->vcpu, Gva{*address});
    const std::string_view name = target_.guest(place->guest).name;
    if (!walk) return say("{}: {}", name, walk.error().view());

    say("{} vCPU {}: address {x}, ASID {}", name, place->vcpu, *address, walk->asid);
    const PageTableView &guest = walk->guest, &shadow = walk->shadow;
    constexpr usize kGuest = 10, kShadow = 40;
    TextRow("  level")
        .at(kGuest, "guest: ", mode_name(guest.mode))
        .at(kShadow, "shadow: ", mode_name(shadow.mode))
        .print(out_);
    for (unsigned level = std::max(levels(guest.mode), levels(shadow.mode)); level-- > 0;) {
        TextRow("  ", right(5, level))
            .at(kGuest, entry_text(guest.entry[level]))
            .at(kShadow, entry_text(shadow.entry[level]))
            .print(out_);
    }
    TextRow("  to").at(kGuest, result_text(guest.result)).at(kShadow, result_text(shadow.result)).print(out_);
}

void Monitor::regs(Words arguments) {
    const auto place = find_vcpu(arguments[0], arguments.subspan(1));
    if (!place) return;
    const auto registers = target_.registers(place->guest, place->vcpu);
    const std::string_view name = target_.guest(place->guest).name;
    if (!registers) return say("{}: {}", name, registers.error().view());
    const GuestHart& hart = *registers;
    say("{} vCPU {}: pc {x} in {}-mode", name, place->vcpu, hart.pc, hart.priv == Priv::S ? "S" : "U");
    const std::array<NamedValue, 12> values{{{"sstatus", hart.sstatus.raw},
                                             {"satp", hart.satp.raw},
                                             {"sie", hart.sie.raw},
                                             {"sip", hart.sip.raw},
                                             {"scause", hart.scause.raw},
                                             {"stval", hart.stval},
                                             {"sepc", hart.sepc},
                                             {"stvec", hart.stvec.raw},
                                             {"sscratch", hart.sscratch},
                                             {"stimecmp", hart.stimecmp},
                                             {"scounteren", hart.scounteren.raw},
                                             {"senvcfg", hart.senvcfg.raw}}};
    for (unsigned i = 0; i < 32; i += 2) {
        print_pair(out_, {kRegisters[i], hart.get_x(i)}, {kRegisters[i + 1], hart.get_x(i + 1)});
    }
    for (usize i = 0; i < values.size(); i += 2) print_pair(out_, values[i], values[i + 1]);
}

void Monitor::mem(Words arguments) {
    constexpr u64 kRow = 16;
    const auto guest = find_guest(arguments[0]);
    if (!guest) return;
    const auto address = read_number(arguments[1]);
    const auto bytes = arguments.size() == 3 ? read_number(arguments[2]) : std::optional<u64>(128);
    if (!address || !bytes) return;
    if (*bytes > kMaxDump) return say("at most {} bytes at once", kMaxDump);
    for (u64 done = 0; done < *bytes; done += kRow) {
        std::array<u8, kRow> data{};
        const std::span<u8> row = std::span{data}.first(std::min(kRow, *bytes - done));
        const Gpa at{*address + done};
        if (at.raw + (row.size() - 1) < *address || !target_.read(*guest, at, row)) {
            return say("{} is not memory of {}", at, target_.guest(*guest).name);
        }
        TextRow line(Hex{at.raw});
        line.at(11);
        for (const u8 byte : row)
            line.add(' ', Digits{static_cast<u64>(byte >> 4)}, Digits{static_cast<u64>(byte & 15)});
        line.at(62);
        for (const u8 byte : row) line.add(byte >= ' ' && byte <= '~' ? static_cast<char>(byte) : '.');
        line.print(out_);
    }
}

}  // namespace uc
