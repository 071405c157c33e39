// SPDX-License-Identifier: MIT
#include "guest-images/minikernel/trap.hpp"

#include "guest-images/minikernel/console.hpp"
#include "guest-images/minikernel/csr.hpp"
#include "guest-images/minikernel/process.hpp"
#include "guest-images/minikernel/timer.hpp"

namespace uc::mini {

volatile u64 kernel_interrupts[16];

namespace {

extern "C" char copy_user_end[], copy_user_fault[];

constinit volatile bool expecting = false;
constinit Caught caught;

bool is_fetch_fault(Cause cause) {
    return cause == Cause::FetchPageFault || cause == Cause::FetchAccess || cause == Cause::FetchMisaligned;
}

/// The pc behind the instruction that trapped.
u64 skip(Frame& frame) {
    if (is_fetch_fault(static_cast<Cause>(frame.cause.get(Scause::Code)))) return frame.reg(kRa);
    const u16 parcel = *reinterpret_cast<const u16*>(frame.pc);
    return frame.pc + ((parcel & 3) == 3 ? 4 : 2);
}

void take_interrupt(Scause cause) {
    const u64 code = cause.get(Scause::Code);
    kernel_interrupts[code & 15] = kernel_interrupts[code & 15] + 1;
    if (cause == Scause::of(Irq::SSI)) csr_clear<CsrNo::sip>(irq_bit(Irq::SSI));
    if (cause == Scause::of(Irq::STI)) timer::disarm();
}

/// A fault of copy_user at a user address. False: not one.
bool repair_user_copy(Frame& frame) {
    if (frame.pc < virtual_of(reinterpret_cast<void*>(copy_user)).raw || frame.pc >= virtual_of(copy_user_end).raw)
        return false;
    const Va va{frame.tval};
    const Access access = frame.cause == Scause::of(Cause::StorePageFault) ? Access::Store : Access::Load;
    if (va < user_end() && current_process()->space.resolve(va, access)) return true;
    frame.pc = virtual_of(copy_user_fault).raw;
    return true;
}

}  // namespace

void detail::expect_trap() {
    caught = {};
    expecting = true;
    asm volatile("" ::: "memory");
}

Caught detail::expected_trap() {
    asm volatile("" ::: "memory");
    expecting = false;
    return caught;
}

void kernel_trap(Frame& frame) {
    if (frame.cause.is_interrupt()) return take_interrupt(frame.cause);
    if (expecting) {
        caught = {true, frame.cause, frame.tval, frame.pc, frame.status};
        frame.pc = skip(frame);
        return;
    }
    if (repair_user_copy(frame)) return;
    print("trap in the kernel: scause ", Hex{frame.cause.raw}, " sepc ", Hex{frame.pc}, " stval ", Hex{frame.tval});
    panic("unexpected trap");
}

}  // namespace uc::mini
