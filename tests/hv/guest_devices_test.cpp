// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "hv/guest.hpp"
#include "tests/hv/test_machine.hpp"

namespace uc {
namespace {

TEST(GuestDevicesTest, WhoPrintsWithoutEndDoesNotKeepTheConsole) {
    test::TestMachine machine;
    Guest& guest = machine.start();
    ConsolePort& port = guest;
    usize printed = 0;
    // The guest prints a byte for each that is taken, as another hart of its might.
    machine.terminal.room = ~usize{0};
    machine.terminal.while_it_prints = [&] {
        if (++printed < 100'000) {
            EXPECT_TRUE(port.write('x'));
        }
    };
    EXPECT_TRUE(port.write('x'));
    machine.console.look_after(guest);
    EXPECT_LE(printed, 2 * OutputRing::kCapacity);
    machine.terminal.while_it_prints = {};
    machine.console.look_after(guest);
    EXPECT_FALSE(guest.has_output());
}

}  // namespace
}  // namespace uc
