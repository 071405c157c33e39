// SPDX-License-Identifier: MIT
#include "emul/privileged.hpp"

#include "emul/trap.hpp"
#include "tests/emul/fake_host.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/ref/spec_hart.hpp"

namespace {

using namespace uc;

Features any_features(fuzz::Input& input) {
    constexpr SatpMode kModes[] = {SatpMode::Sv39, SatpMode::Sv48, SatpMode::Sv57};
    const u16 bits = input.take<u16>();
    const auto flag = [&](unsigned n) { return (bits >> n & 1) != 0; };
    return {.max_mode = kModes[(bits >> 8 & 3) % 3],
            .asid_bits = static_cast<u16>((bits >> 10) % 17),
            .fpu = flag(0),
            .vector = flag(1),
            .sstc = flag(2),
            .svinval = flag(3),
            .envcfg = flag(4),
            .zicbom = flag(5),
            .zicboz = flag(6),
            .sscofpmf = flag(7),
            .counters = input.take<u32>()};
}

}  // namespace

// A program of privileged instructions, from reset, with interrupts in between: after each step the hart must be the
// specification's.
extern "C" int LLVMFuzzerTestOneInput(const u8* data, usize size) {
    fuzz::Input input(data, size);
    const Features features = any_features(input);
    GuestHart hart;
    for (unsigned n = 1; n < 8; ++n) hart.x[n] = input.take<u64>();
    test::FakeHost host;
    for (unsigned n = 1; n < 16; ++n) host.csrs[n] = 0;
    for (unsigned n = 0xc00; n < 0xc23; ++n) host.csrs[n] = n;

    while (!input.empty()) {
        const u32 insn = input.take<u32>();
        const u64 lines = input.take<u16>() & 0x220;
        const bool stip = (lines & 0x20) != 0, seip = (lines & 0x200) != 0;
        ref::SpecHart spec(hart, features);
        ref::Outside outside = host.csrs;

        const auto irq = next_irq(hart, hart.sip.raw | lines);
        const auto spec_irq = spec.interrupt_to_take(stip, seip);
        fuzz::require(irq.has_value() == spec_irq.has_value());
        if (irq) {
            fuzz::require(static_cast<unsigned>(*irq) == *spec_irq);
            inject(hart, *irq);
            spec.take_trap(true, *spec_irq, 0);
        }
        commit(hart, execute_privileged({hart, features, host, lines}, insn).outcome);
        (void)spec.execute(insn, stip, seip, outside);
        fuzz::require(hart == spec.to_guest_hart() && host.csrs == outside);
    }
    return 0;
}
