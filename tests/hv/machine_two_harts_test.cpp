// SPDX-License-Identifier: MIT
// Two harts, one of which plays its part while the other is in a guest.

#include "hv/machine.hpp"
#include "tests/hv/test_machine.hpp"

namespace uc {
namespace {

using test::interrupt;
using test::sbi_ecall;

struct TwoHartsTest : testing::Test {
    test::TestMachine host;
    test::FakePlatform &first = host.platform, second;
    Options options;
    Machine machine{first, host.console, options, 2};
    Runner first_runner{machine, first, 0, 0}, second_runner{machine, second, 1, 1};

    TwoHartsTest() {
        host.environment.keeper = &machine;
        machine.add(first_runner);
        machine.add(second_runner);
    }
    Guest& add(u32 vcpus) {
        Guest& guest = host.create(host.config("guest0", vcpus));
        EXPECT_TRUE(machine.add(guest));
        return guest;
    }
};

TEST_F(TwoHartsTest, TheMachineIsNotOverBeforeAllHaveLeftTheGuestThatEnded) {
    add(2);
    first.script.emplace_back(
        [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Start, 1, 0x8020'0800, 0); });
    first.script.emplace_back([this](GuestHart&) {
        second_runner.run();  // all of it, while the first hart is in the guest
        return interrupt(Irq::SSI);
    });
    second.script.emplace_back([](GuestHart& hart) {
        return sbi_ecall(hart, sbi::Ext::Srst, sbi::srst::Reset, sbi::srst::Shutdown, sbi::srst::SystemFailure);
    });
    second.events.emplace_back([this] {
        EXPECT_FALSE(machine.is_over());
        EXPECT_NE(first.interrupts, 0u);
        machine.quit();  // or the second hart would wait for the first, which here waits for it
    });
    EXPECT_TRUE(machine.start());
    first_runner.run();
    EXPECT_TRUE(second.events.empty()) << "it did not wait for the first hart";
    EXPECT_EQ(host.output(), "[uc] guest0: failed: the guest reported a system failure\r\n");
    EXPECT_EQ(machine.claim_end(), MachineEnd::Failure);
}

}  // namespace
}  // namespace uc
