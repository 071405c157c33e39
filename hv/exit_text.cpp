// SPDX-License-Identifier: MIT
#include "hv/exit_text.hpp"

#include "hv/crc32.hpp"

namespace uc {

namespace {

constexpr std::array<std::string_view, 16> kExceptions{
    "fetch misaligned", "fetch access",    "illegal instruction", "breakpoint",      "load misaligned", "load access",
    "store misaligned", "store access",    "ecall from U",        "ecall from S",    "exception 10",    "exception 11",
    "fetch page fault", "load page fault", "exception 14",        "store page fault"};

// Columns of a row.
constexpr usize kHart = 18, kVcpu = 23, kReason = 38, kCause = 50, kPc = 70, kStval = 89, kNs = 108;

/// "12.345678901", right-aligned.
Text<24> seconds_text(u64 ns) {
    constexpr u64 kNsPerSecond = 1'000'000'000;
    Text<24> text(right(6, ns / kNsPerSecond).view(), '.');
    const u64 part = ns % kNsPerSecond;
    for (u64 digit = kNsPerSecond / 10; digit != 0; digit /= 10) text.add(part / digit % 10);
    return text;
}

}  // namespace

Text<24> cause_text(Scause cause) {
    const u64 code = cause.get(Scause::Code);
    if (!cause.is_interrupt()) {
        return code < kExceptions.size() ? Text<24>(kExceptions[code]) : Text<24>("exception ", code);
    }
    switch (static_cast<Irq>(code)) {
        case Irq::SSI: return Text<24>("software interrupt");
        case Irq::STI: return Text<24>("timer interrupt");
        case Irq::SEI: return Text<24>("external interrupt");
        default: return Text<24>("interrupt ", code);
    }
}

TextRow exit_heading() {
    TextRow row("         time (s)");
    row.at(kHart, "hart").at(kVcpu, "guest:vCPU").at(kReason, "cause").at(kCause, "trap");
    row.at(kPc, "pc").at(kStval, "stval").at(kNs, "       ns");
    return row;
}

TextRow exit_row(const TracedExit& exit, std::string_view guest) {
    const ExitRecord& record = exit.record;
    TextRow row(seconds_text(exit.at_ns));
    row.at(kHart, right(4, exit.hart)).at(kVcpu, guest, ':', u64{record.vcpu}).at(kReason, name(record.reason));
    row.at(kCause, cause_text({{record.scause}})).at(kPc, hex16(record.pc)).at(kStval, hex16(record.stval)).at(kNs);
    if (exit.ns == 0) return row.add("        -");
    return row.add(right(9, exit.ns));
}

DumpLine DumpLine::exit(const TracedExit& exit) {
    const ExitRecord& r = exit.record;
    const u64 guest = r.guest, vcpu = r.vcpu;
    if (r.is_mark()) return DumpLine("m ", exit.hart, ' ', exit.number, ' ', exit.at_ns, ' ', guest, ' ', vcpu);
    return DumpLine("x ", exit.hart, ' ', exit.number, ' ', exit.at_ns, ' ', guest, ' ', vcpu, ' ', exit.ns, ' ',
                    name(r.reason), ' ', Digits{r.scause}, ' ', Digits{r.pc}, ' ', Digits{r.stval});
}

void DumpLine::seal() {
    const u32 sum = crc32(std::as_bytes(std::span{text_.view()}));
    text_.add(" *").add(Digits{sum});
}

}  // namespace uc
