// SPDX-License-Identifier: MIT
// The way to U-mode and back: sret, and what the trap reports.

#include "guest-images/minikernel/address_space.hpp"
#include "guest-images/minikernel/checks.hpp"
#include "guest-images/minikernel/console.hpp"
#include "guest-images/minikernel/csr.hpp"
#include "guest-images/minikernel/frames.hpp"
#include "guest-images/minikernel/timer.hpp"
#include "guest-images/minikernel/trap.hpp"

#include <cstring>

namespace uc::mini {

namespace {

extern "C" const char user_code[], user_code_end[], user_ecall[], user_ebreak[], user_illegal[], user_csr[],
    user_sret[], user_sfence[], user_load[], user_store[], user_jump[], user_spin[];

constexpr Va kCode{0x10000};

Va address_of(const char* piece) { return kCode + static_cast<u64>(piece - user_code); }

/// Runs one piece of user_code.S until it traps.
Frame run(const char* piece, u64 a0 = 0) {
    AddressSpace space;
    const auto page = frames::allocate();
    if (!page || !space.create(paging.max_asid)) panic("no memory for a check");
    std::memcpy(direct<void>(*page), user_code, static_cast<usize>(user_code_end - user_code));
    fence_i();
    if (!space.map(kCode, *page, kRead | kExecute)) panic("no memory for a check");
    space.activate();

    Frame frame = {};
    for (unsigned n = 1; n < 32; ++n) frame.reg(n) = 0x1111'1111'1111'1111 * (n % 16);
    frame.reg(kA0) = a0;
    frame.pc = address_of(piece).raw;
    frame.status.set(Sstatus::SPIE, 1);
    enter_user(&frame);

    csr_write<CsrNo::satp>(satp_of(paging.kernel_root, 0).raw);
    space.destroy();
    return frame;
}

void expect_trap(Check& c, std::string_view what, const Frame& frame, Cause cause, Va pc) {
    c.equal(what, frame.cause.raw, Scause::of(cause).raw);
    c.equal(what, frame.pc, pc.raw);
    c.equal("SPP", frame.status.get(Sstatus::SPP), 0);
    c.equal("SPIE", frame.status.get(Sstatus::SPIE), 1);
    c.equal("SIE", frame.status.get(Sstatus::SIE), 0);
}

void expect_illegal(Check& c, std::string_view what, const char* piece) {
    const Frame frame = run(piece);
    u32 word;
    std::memcpy(&word, piece, sizeof(word));
    expect_trap(c, what, frame, Cause::IllegalInstruction, address_of(piece));
    c.that(frame.tval == 0 || frame.tval == word, what);
}

void ecall_from_user(Check& c) {
    Frame frame = run(user_ecall, 0xa0);
    expect_trap(c, "ecall", frame, Cause::EcallFromU, address_of(user_ecall));
    c.equal("stval", frame.tval, 0);
    for (unsigned n = 1; n < 32; ++n)
        c.equal("registers kept", frame.reg(n), n == kA0 ? 0xa0 : 0x1111'1111'1111'1111 * (n % 16));
}

void user_cannot(Check& c) {
    expect_illegal(c, "no instruction", user_illegal);
    expect_illegal(c, "csrr sstatus", user_csr);
    expect_illegal(c, "sret", user_sret);
    expect_illegal(c, "sfence.vma", user_sfence);
    const Frame frame = run(user_ebreak);
    expect_trap(c, "ebreak", frame, Cause::Breakpoint, address_of(user_ebreak));
    c.that(frame.tval == 0 || frame.tval == frame.pc, "ebreak: stval");
}

void user_page_faults(Check& c) {
    const Va kernel = virtual_of(kernel_data);
    for (const Va va : {Va{0}, Va{0x12'3456'7890}, user_end(), kernel}) {
        const Frame loaded = run(user_load, va.raw);
        expect_trap(c, "load", loaded, Cause::LoadPageFault, address_of(user_load));
        c.equal("load: stval", loaded.tval, va.raw);
        const Frame stored = run(user_store, va.raw);
        expect_trap(c, "store", stored, Cause::StorePageFault, address_of(user_store));
        c.equal("store: stval", stored.tval, va.raw);
        const Frame jumped = run(user_jump, va.raw);
        expect_trap(c, "fetch", jumped, Cause::FetchPageFault, va);
        c.equal("fetch: stval", jumped.tval, va.raw);
    }
    expect_trap(c, "store to code", run(user_store, kCode.raw), Cause::StorePageFault, address_of(user_store));
}

void timer_interrupts_user(Check& c) {
    timer::arm(timer::now() + timer::ticks_of_ms(2));
    const Frame frame = run(user_spin);
    timer::disarm();
    c.equal("scause", frame.cause.raw, Scause::of(Irq::STI).raw);
    c.equal("sepc", frame.pc, address_of(user_spin).raw);
    c.equal("SPP", frame.status.get(Sstatus::SPP), 0);
}

void interrupts_cannot_be_masked_in_user(Check& c) {
    // SIE counts in S-mode only (Privileged 1.12, 3.1.6.1): a pending interrupt comes before the first instruction.
    timer::arm(0);
    const Frame frame = run(user_ecall);
    timer::disarm();
    c.equal("scause", frame.cause.raw, Scause::of(Irq::STI).raw);
    c.equal("sepc", frame.pc, address_of(user_ecall).raw);
}

constexpr NamedCheck kChecks[] = {
    {"user-ecall", ecall_from_user},
    {"user-privileged", user_cannot},
    {"user-page-faults", user_page_faults},
    {"user-timer", timer_interrupts_user},
    {"user-pending-interrupt", interrupts_cannot_be_masked_in_user},
};

}  // namespace

std::span<const NamedCheck> user_checks() { return kChecks; }

}  // namespace uc::mini
