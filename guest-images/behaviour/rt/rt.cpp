// SPDX-License-Identifier: MIT
#include "guest-images/behaviour/rt/rt.hpp"

#include <cstddef>

namespace uc::rt {

u64 hart_id;
u64 device_tree;
alignas(64) u32 exec_slot[16];

namespace {

constexpr usize kLineSize = 256;
char line[kLineSize];
usize line_length;
bool machine_lines;
bool has_dbcn;
u64 failures;

void put_raw(char c) {
    if (line_length < kLineSize) line[line_length++] = c;
}

void console_write(const char* text, usize length) {
    while (has_dbcn && length > 0) {
        const auto ret = sbi_call(sbi::Ext::Dbcn, sbi::dbcn::Write, length, address(text), 0);
        if (ret.error != sbi::Error::Success) break;
        text += ret.value;
        length -= ret.value;
    }
    for (; length > 0; --length) sbi_call(sbi::Ext::LegacyPutchar, 0, static_cast<u8>(*text++));
}

}  // namespace

Frame make_frame(u64 pc, Priv priv, std::initializer_list<u64> args, u64 status) {
    Frame frame{};
    unsigned reg = a0;
    for (u64 arg : args) frame.x[reg++] = arg;
    frame.pc = pc;
    frame.sstatus = status | (priv == Priv::S ? Sstatus::SPP.mask : 0);
    return frame;
}

Frame call(u64 pc, Priv priv, std::initializer_list<u64> args, u64 status) {
    Frame frame = make_frame(pc, priv, args, status);
    run(frame);
    return frame;
}

Frame exec(Priv priv, std::initializer_list<u32> words, std::initializer_list<u64> args, u64 status) {
    u32* slot = exec_slot;
    for (u32 word : words) *slot++ = word;
    *slot = kEbreak;
    fence_i();
    return call(address(exec_slot), priv, args, status);
}

bool csr_exists(CsrNo csr) { return exec(Priv::S, {csr_insn(Csrrs, csr, a0, 0)}).completed(); }

sbi::Ret sbi_call(u64 extension, u64 function, u64 arg0, u64 arg1, u64 arg2, u64 arg3, u64 arg4, u64 arg5) {
    register u64 r0 asm("a0") = arg0;
    register u64 r1 asm("a1") = arg1;
    register u64 r2 asm("a2") = arg2;
    register u64 r3 asm("a3") = arg3;
    register u64 r4 asm("a4") = arg4;
    register u64 r5 asm("a5") = arg5;
    register u64 r6 asm("a6") = function;
    register u64 r7 asm("a7") = extension;
    asm volatile("ecall" : "+r"(r0), "+r"(r1) : "r"(r2), "r"(r3), "r"(r4), "r"(r5), "r"(r6), "r"(r7) : "memory");
    return {static_cast<sbi::Error>(r0), r1};
}

bool sbi_has(sbi::Ext extension) {
    const auto ret = sbi_call(sbi::Ext::Base, sbi::base::ProbeExtension, static_cast<u64>(extension));
    return ret.error == sbi::Error::Success && ret.value != 0;
}

void set_timer(u64 deadline) {
    if (sbi_has(sbi::Ext::Time)) {
        sbi_call(sbi::Ext::Time, sbi::time::SetTimer, deadline);
    } else {
        sbi_call(sbi::Ext::LegacySetTimer, 0, deadline);
    }
}

struct HartStart {
    u64 at;
    u64 argument;
};
/// What harts were started for, by their ids. Known to start.S.
extern "C" {
HartStart hart_starts[kMaxHarts];
}

sbi::Error start_hart(u64 hart, u64 at, u64 argument) {
    hart_starts[hart] = {at, argument};
    asm volatile("fence rw, rw" ::: "memory");
    return sbi_call(sbi::Ext::Hsm, sbi::hsm::Start, hart, at, argument).error;
}

bool wait_pending(Irq irq, bool level) {
    const u64 limit = rdtime() + kPatience;
    while (((csr_read<CsrNo::sip>() & irq_bit(irq)) != 0) != level) {
        if (rdtime() > limit) return false;
    }
    return true;
}

void put(const char* text) {
    if (line_length == 0 && machine_lines) {
        for (const char* mark = "machine: "; *mark != 0; ++mark) put_raw(*mark);
    }
    while (*text != 0) put_raw(*text++);
}

void put(u64 value) {
    put("0x");
    unsigned shift = 60;
    while (shift > 0 && value >> shift == 0) shift -= 4;
    for (int s = static_cast<int>(shift); s >= 0; s -= 4) put_raw("0123456789abcdef"[value >> s & 15]);
}

void put(Dec number) {
    put(number.value < 0 ? "-" : "");
    u64 rest = number.value < 0 ? -static_cast<u64>(number.value) : static_cast<u64>(number.value);
    char digits[20];
    usize count = 0;
    do {
        digits[count++] = static_cast<char>('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    while (count > 0) put_raw(digits[--count]);
}

void put(Ended ended) {
    const Frame& frame = ended.frame;
    if (frame.completed()) return put("ok");
    if (frame.cause & kCauseInterrupt) {
        put("interrupt ");
        return put(Dec{static_cast<i64>(frame.cause & 63)});
    }
    put("cause ");
    put(Dec{static_cast<i64>(frame.cause)});
    put(" tval ");
    put(frame.tval);
    put(" at +");
    put(frame.pc - ended.base);
}

void end_line() {
    put_raw('\n');
    line[line_length - 1] = '\n';  // also where the line was cut
    console_write(line, line_length);
    line_length = 0;
}

MachineLines::MachineLines(bool on) : before_(machine_lines) { machine_lines = machine_lines || on; }
MachineLines::~MachineLines() { machine_lines = before_; }

void count_failure() { ++failures; }

void finish() {
    machine_lines = false;
    if (failures == 0) {
        say("PASS ", guest_name);
    } else {
        say("FAIL ", guest_name, " unexpected results: ", Dec{static_cast<i64>(failures)});
    }
    power_off(failures == 0);
}

void power_off(bool success) {
    sbi_call(sbi::Ext::Srst, sbi::srst::Reset, sbi::srst::Shutdown,
             success ? sbi::srst::None : sbi::srst::SystemFailure);
    sbi_call(sbi::Ext::LegacyShutdown, 0);
    for (;;) asm volatile("wfi");
}

u64 Random::next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1d;
}

extern "C" {

[[noreturn]] void rt_main(u64 hart, u64 tree) {
    hart_id = hart;
    device_tree = tree;
    has_dbcn = sbi_has(sbi::Ext::Dbcn);
    say("BEGIN ", guest_name);
    guest_main();
    finish();
}

[[noreturn]] void rt_unexpected(u64 cause, u64 tval, u64 pc) {
    line_length = 0;
    machine_lines = false;
    say("FAIL ", guest_name, " unexpected trap: cause ", cause, " tval ", tval, " pc ", pc);
    power_off(false);
}

// The compiler may call these even in freestanding code.
void* memset(void* to, int value, usize size) {
    auto* p = static_cast<volatile u8*>(to);
    for (usize i = 0; i < size; ++i) p[i] = static_cast<u8>(value);
    return to;
}
void* memcpy(void* to, const void* from, usize size) {
    auto* p = static_cast<volatile u8*>(to);
    const auto* q = static_cast<const u8*>(from);
    for (usize i = 0; i < size; ++i) p[i] = q[i];
    return to;
}
}

}  // namespace uc::rt
