// SPDX-License-Identifier: MIT
#pragma once
// Runtime of the one-behaviour guests: run code until it traps, say what happened, power off with a verdict.

#include <initializer_list>

#include "isa/cause.hpp"
#include "isa/pte.hpp"
#include "isa/sbi.hpp"

namespace uc::rt {

/// Defines the guest: its name as it stands in the verdict, and its body.
#define GUEST(name)                          \
    const char uc::rt::guest_name[] = #name; \
    void uc::rt::guest_main()
extern const char guest_name[];
void guest_main();

/// Defines code `name` for run() in a page of its own section; it ends by falling into an ebreak.
#define SNIPPET(name, text)                                                               \
    extern "C" const char name[];                                                         \
    asm(".pushsection .snippets, \"awx\"\n.balign 4\n.globl " #name "\n" #name ":\n" text \
        "\n.option push\n.option norvc\nebreak\n.option pop\n.popsection")

// ---- The hart under test ----

enum Reg : unsigned {
    ra = 1,
    sp = 2,
    t0 = 5,
    t1 = 6,
    s0 = 8,
    s1 = 9,
    a0 = 10,
    a1,
    a2,
    a3,
    a4,
    a5,
    a6,
    a7,
    s2,
    t2 = 7,
    t3 = 28
};

/// Registers to enter with; after run(), those at the trap and the trap itself. Known to start.S.
struct Frame {
    u64 x[32];
    u64 pc;
    u64 sstatus;  ///< written before sret; read after the trap
    u64 cause;
    u64 tval;
    u64 vector;  ///< for guests with a vector table of their own: the entry that was taken

    [[nodiscard]] bool completed() const { return cause == static_cast<u64>(Cause::Breakpoint); }
    [[nodiscard]] bool trapped(Cause c) const { return cause == static_cast<u64>(c); }
    [[nodiscard]] bool interrupted(Irq irq) const { return cause == (kCauseInterrupt | static_cast<u64>(irq)); }
};

extern "C" void run(Frame& frame);
extern "C" const char trap_entry[];

inline u64 address(const void* p) { return reinterpret_cast<u64>(p); }

/// A frame at `pc` in `priv`, interrupts off in S, with a0.. = `args`; `status` adds sstatus bits.
Frame make_frame(u64 pc, Priv priv, std::initializer_list<u64> args = {}, u64 status = 0);
/// Runs code at `pc` until its trap.
Frame call(u64 pc, Priv priv, std::initializer_list<u64> args = {}, u64 status = 0);
inline Frame call(const char* snippet, Priv priv, std::initializer_list<u64> args = {}, u64 status = 0) {
    return call(address(snippet), priv, args, status);
}
/// Runs instruction words, followed by ebreak, from a scratch slot. `slot` is where they stand.
Frame exec(Priv priv, std::initializer_list<u32> words, std::initializer_list<u64> args = {}, u64 status = 0);
extern "C" u32 exec_slot[16];

// ---- CSRs and instructions ----

template <CsrNo N>
inline u64 csr_read() {
    u64 value;
    asm volatile("csrr %0, %1" : "=r"(value) : "i"(static_cast<unsigned>(N)) : "memory");
    return value;
}
template <CsrNo N>
inline void csr_write(u64 value) {
    asm volatile("csrw %0, %1" ::"i"(static_cast<unsigned>(N)), "r"(value) : "memory");
}
template <CsrNo N>
inline void csr_set(u64 bits) {
    asm volatile("csrs %0, %1" ::"i"(static_cast<unsigned>(N)), "r"(bits) : "memory");
}
template <CsrNo N>
inline void csr_clear(u64 bits) {
    asm volatile("csrc %0, %1" ::"i"(static_cast<unsigned>(N)), "r"(bits) : "memory");
}
inline void fence_i() { asm volatile("fence.i" ::: "memory"); }
inline void sfence() { asm volatile("sfence.vma" ::: "memory"); }
inline u64 rdtime() {
    u64 value;
    asm volatile("rdtime %0" : "=r"(value)::"memory");
    return value;
}

enum CsrOp : u32 { Csrrw = 1, Csrrs = 2, Csrrc = 3, Csrrwi = 5, Csrrsi = 6, Csrrci = 7 };
constexpr u32 csr_insn(CsrOp op, u32 csr, u32 rd, u32 rs1) { return csr << 20 | rs1 << 15 | op << 12 | rd << 7 | 0x73; }
constexpr u32 csr_insn(CsrOp op, CsrNo csr, u32 rd, u32 rs1) { return csr_insn(op, static_cast<u32>(csr), rd, rs1); }
inline constexpr u32 kEbreak = 0x00100073;
/// Whether S-mode can read the CSR.
bool csr_exists(CsrNo csr);

// ---- SBI ----

sbi::Ret sbi_call(u64 extension, u64 function, u64 a0 = 0, u64 a1 = 0, u64 a2 = 0, u64 a3 = 0, u64 a4 = 0, u64 a5 = 0);
inline sbi::Ret sbi_call(sbi::Ext extension, u64 function, u64 a0 = 0, u64 a1 = 0, u64 a2 = 0, u64 a3 = 0, u64 a4 = 0) {
    return sbi_call(static_cast<u64>(extension), function, a0, a1, a2, a3, a4);
}
bool sbi_has(sbi::Ext extension);
/// SBI timer, absolute time in ticks; through TIME where there is one.
void set_timer(u64 deadline);
inline constexpr u64 kMaxHarts = 32;
/// Starts hart `hart` (below kMaxHarts) with its pc at `at` and a1 = `argument` (SBI 2.0, 9.1).
sbi::Error start_hart(u64 hart, u64 at, u64 argument);
inline constexpr u64 kNever = ~0ull;
/// Longest wait for what has to come, in ticks: a minute of the machine's time, most of which it may have stood still.
inline constexpr u64 kPatience = 600'000'000;
/// Waits until the sip bit of `irq` is `level`; false if that takes longer than kPatience.
bool wait_pending(Irq irq, bool level);

// ---- The transcript ----

struct Dec {
    i64 value;
};
/// How a run ended: `ok`, `interrupt N`, or cause, tval and pc relative to the code's start.
struct Ended {
    const Frame& frame;
    u64 base;
};
void put(const char* text);
void put(u64 value);  ///< hexadecimal
void put(Dec value);
void put(Ended ended);
void end_line();
/// One line; integers print in hexadecimal. What two correct machines may print differently is marked by MachineLines
/// or begins with `machine: ` itself.
template <class... T>
void say(const T&... parts) {
    (put(parts), ...);
    end_line();
}
/// While alive, every line is marked `machine: `.
class MachineLines {
  public:
    explicit MachineLines(bool on = true);
    ~MachineLines();
    MachineLines(const MachineLines&) = delete;
    MachineLines& operator=(const MachineLines&) = delete;

  private:
    bool before_;
};
void count_failure();
/// Part of the verdict: a false condition is said and makes the guest fail.
template <class... T>
bool expect(bool ok, const T&... what) {
    if (!ok) {
        count_failure();
        say("  UNEXPECTED: ", what...);
    }
    return ok;
}
/// Prints the verdict and powers off.
[[noreturn]] void finish();
[[noreturn]] void power_off(bool success);

/// xorshift64*: the same numbers on every machine.
class Random {
  public:
    explicit Random(u64 seed) : state_(seed) {}
    u64 next();

  private:
    u64 state_;
};

extern u64 hart_id;
extern u64 device_tree;

}  // namespace uc::rt
