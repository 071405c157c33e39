// SPDX-License-Identifier: MIT
#include "hv/arch/power.hpp"

#include "hv/arch/csr_access.hpp"
#include "hv/arch/sbi_call.hpp"
#include "hv/spin_lock.hpp"
#include "isa/cause.hpp"

namespace uc::arch {

constinit Power power;

void power_off(bool failure) {
    constexpr u32 kFail = 0x3333, kExitCode = 1;
    if (power.console != nullptr) {
        const Console::Guard guard(*power.console);
        power.console->drain();
    }
    if (failure && power.test_device.raw != 0) {
        *reinterpret_cast<volatile u32*>(power.test_device.raw) = kFail | kExitCode << 16;
        // The hart may run on for a moment. Another request, through firmware, would take this one's place.
        for (;;) wait_for_interrupt();
    }
    sbi_system_reset(sbi::srst::Shutdown, failure ? sbi::srst::SystemFailure : sbi::srst::None);
}

void panic(std::string_view what) {
    the_lock_hooks = {};  // whatever this hart has taken, what there is to say matters more
    if (power.console != nullptr) power.console->seize();  // whoever has it, this hart or another
    log_error("panic: {}", what);
    power_off(true);
}

/// Called by uc_trap_entry with the registers of the interrupted code.
extern "C" [[noreturn, gnu::visibility("hidden")]] void uc_report_host_trap(const u64* x) {
    csr_write<CsrNo::sie>(0);
    the_lock_hooks = {};
    if (power.console != nullptr) power.console->seize();
    log_error("panic: trap in the hypervisor: scause {x} stval {x} sepc {x}", csr_read<CsrNo::scause>(),
              csr_read<CsrNo::stval>(), csr_read<CsrNo::sepc>());
    for (unsigned i = 0; i < 32; i += 4) {
        log_error("x{} {x}  x{} {x}  x{} {x}  x{} {x}", i, i == 0 ? 0 : x[i], i + 1, x[i + 1], i + 2, x[i + 2], i + 3,
                  x[i + 3]);
    }
    power_off(true);
}

extern "C" void __cxa_pure_virtual() { panic("call of a pure virtual function"); }
extern "C" void abort() { panic("abort"); }

// Debian's libfdt is built with stack protection.
extern "C" constinit const u64 __stack_chk_guard = 0x00'0a'0d'ff'5c'a1'ab'1eull;
extern "C" void __stack_chk_fail() { panic("stack smashed in libfdt"); }

}  // namespace uc::arch
