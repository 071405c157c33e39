// SPDX-License-Identifier: MIT
#pragma once
// The run loop with guests that tests play.

#include "hv/machine.hpp"
#include "tests/hv/test_machine.hpp"

namespace uc::test {

inline constexpr u64 kVector = 0x8030'0000;
inline constexpr Gpa kPlicEnable = kGuestPlic + 0x2080;  // of the first vCPU's supervisor
inline constexpr Gpa kPlicClaim = kGuestPlic + 0x20'1004;
inline constexpr Gpa kPlicPriority = kGuestPlic;  // 4 bytes for each source
inline constexpr u64 kHartId = 3;                 // of the host
inline constexpr unsigned kData = 8;              // the register that loads and stores here use

/// A machine whose guests follow a script: the base of tests of the run loop.
struct MachineScene : testing::Test {
    TestMachine host;
    FakePlatform& platform = host.platform;
    Options options;
    Machine machine{platform, host.console, options};
    Runner runner{machine, platform, 0, kHartId};

    MachineScene() {
        host.environment.keeper = &machine;
        machine.add(runner);
        EXPECT_TRUE(machine.start_trace(host.memory, {ExitCounter::Cycle, 1'000'000'000}));
    }
    Guest& add(std::string_view name = "guest0", u32 vcpus = 1) {
        Guest& guest = host.create(host.config(name, vcpus), static_cast<unsigned>(machine.guests().size()));
        EXPECT_TRUE(machine.add(guest));
        return guest;
    }
    void then(FakePlatform::Stay stay) { platform.script.push_back(std::move(stay)); }
    /// The guest executes a privileged instruction.
    void then_execute(u32 insn) {
        then([insn](GuestHart&) { return exception(Cause::IllegalInstruction, insn); });
    }
    /// The guest, with translation off, stores or loads 32 bits at `address`; what it loads is in x8 at the next stay.
    void then_store(Guest& guest, Gpa address, u32 value) {
        then([&guest, address, value](GuestHart& hart) {
            constexpr u32 kSw = 0x0080'2023;  // sw x8, 0(x0)
            place(guest, Gpa{hart.pc}, kSw);
            hart.set_x(kData, value);
            return exception(Cause::StorePageFault, address.raw);
        });
    }
    void then_load(Guest& guest, Gpa address) {
        then([&guest, address](GuestHart& hart) {
            constexpr u32 kLw = 0x0000'2403;  // lw x8, 0(x0)
            place(guest, Gpa{hart.pc}, kLw);
            return exception(Cause::LoadPageFault, address.raw);
        });
    }
    /// The guest switches receive interrupts on and routes them to its first vCPU, in three stays.
    void then_listen(Guest& guest) {
        then_store(guest, kPlicPriority + 4 * kGuestUartIrq, 1);
        then_store(guest, kPlicEnable, 1u << kGuestUartIrq);
        then([&guest](GuestHart& hart) {
            constexpr u32 kSb = 0x0080'0023;  // sb x8, 0(x0)
            place(guest, Gpa{hart.pc}, kSb);
            hart.set_x(kData, 1);
            return exception(Cause::StorePageFault, kGuestUart.raw + 1);
        });
    }
    /// Whether all of the script was played.
    MachineEnd run() {
        EXPECT_TRUE(machine.start());
        runner.run();
        EXPECT_TRUE(platform.script.empty()) << platform.script.size() << " stays were not played";
        return machine.claim_end().value();
    }
    const GuestHart& at_entry(usize i) { return platform.entries.at(i).hart; }
    u64 root_at_entry(usize i) { return platform.entries.at(i).host_satp; }
};

inline void enable(GuestHart& hart, Irq irq) {
    hart.stvec.raw = kVector;
    hart.sie.raw = irq_bit(irq);
    hart.sstatus.set(Sstatus::SIE, 1);
}

}  // namespace uc::test
