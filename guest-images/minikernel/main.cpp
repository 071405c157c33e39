// SPDX-License-Identifier: MIT
// What happens, in order: find the machine, turn on paging, check the machine, run the user programs, report, power
// off.

#include "guest-images/minikernel/checks.hpp"
#include "guest-images/minikernel/console.hpp"
#include "guest-images/minikernel/csr.hpp"
#include "guest-images/minikernel/frames.hpp"
#include "guest-images/minikernel/machine.hpp"
#include "guest-images/minikernel/paging.hpp"
#include "guest-images/minikernel/process.hpp"
#include "guest-images/minikernel/sbi.hpp"
#include "guest-images/minikernel/timer.hpp"

namespace uc::mini {

namespace {

/// Lines that begin with `machine: ` may differ from machine to machine; all others are the same wherever this kernel
/// runs.
void print_machine() {
    const auto base = [](sbi::base::Fid fid) { return sbi_call(sbi::Ext::Base, fid).value; };
    print("machine: SBI ", base(sbi::base::SpecVersion) >> 24, ".", base(sbi::base::SpecVersion) & 0xff'ffff,
          ", implementation ", base(sbi::base::ImplId), " version ", Hex{base(sbi::base::ImplVersion)});
    print("machine: hart ", machine.hart, ", ISA ", std::string_view{machine.isa});
    print("machine: memory ", Hex{machine.memory_start.raw}, " to ", Hex{machine.memory_end.raw}, ", timebase ",
          machine.timebase, " Hz");
    print("harts: 1");
    print("bootargs: ", std::string_view{machine.bootargs});
}

/// Rounds of all user programs. Each must give back every frame.
bool run_rounds() {
    bool pass = true;
    for (u64 round = 1; round <= machine.options.repeat; ++round) {
        const u64 before = frames::available();
        const u64 failures = run_program("init", machine.options.quiet ? 1 : 0);
        const u64 lost = before - frames::available();
        if (failures != 0 || lost != 0) {
            print("FAIL round ", round, ": exit code ", failures, ", frames lost ", lost);
            pass = false;
        } else if (!machine.options.quiet) {
            print("ok round ", round);
        }
    }
    return pass;
}

}  // namespace

void finish(bool pass) {
    print("minikernel: ", pass ? "PASS" : "FAIL");
    const u64 type = machine.options.reboot && pass ? sbi::srst::ColdReboot : sbi::srst::Shutdown;
    sbi_call(sbi::Ext::Srst, sbi::srst::Reset, type, pass ? sbi::srst::None : sbi::srst::SystemFailure);
    sbi_call(sbi::Ext::LegacyShutdown, 0);
    for (;;) wait_for_interrupt();
}

extern "C" [[noreturn]] void kernel_main(u64 hart, u64 device_tree) {
    console_init();
    print("minikernel: a small supervisor that checks the machine it runs on");
    read_device_tree(hart, Pa{device_tree});
    print_machine();
    frames::init(physical(kernel_end), machine.memory_end);
    timer::init();
    csr_write<CsrNo::scounteren>(Scounteren::TM.mask);  // processes may read `time`
    paging_init(machine.options.mode);
    const bool checks_pass = run_checks(machine.options.quiet);
    const bool programs_pass = run_rounds();
    finish(checks_pass && programs_pass);
}

}  // namespace uc::mini
