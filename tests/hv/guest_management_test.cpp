// SPDX-License-Identifier: MIT
// A guest that looks after another from a program of its own.

#include <cstring>

#include "hv/guest_sbi.hpp"
#include "tests/hv/many_scene.hpp"

namespace uc {
namespace {

using namespace sbi::undercroft;
using test::exception;
using test::place;
using test::shut_down;

/// Guest "a" may look after others; "b" is stopped at first.
struct ManagementTest : test::ManyScene {
    Guest& a = add_with("a", [](GuestConfig& config) { config.manager = true; });
    Guest& b = add_with("b", [](GuestConfig& config) { config.stopped = true; });

    Guest& add_with(std::string_view name, void (*change)(GuestConfig&)) {
        GuestConfig& config = host.config(name);
        change(config);
        Guest& guest = host.create(config, static_cast<unsigned>(machine.guests().size()));
        EXPECT_TRUE(machine.add(guest));
        return guest;
    }
    /// "a" stores to a register of the device, with translation off.
    void then_set(u64 offset, u64 value) {
        then_as("a0", [this, offset, value](GuestHart& hart) {
            constexpr u32 kSd = 0x0080'3023;  // sd x8, 0(x0)
            place(a, Gpa{hart.pc}, kSd);
            hart.set_x(test::kData, value);
            return exception(Cause::StorePageFault, (kGuestManager + offset).raw);
        });
    }
    /// "a" reads a register of the device, which must be `want`.
    void then_get(u64 offset, u64 want) {
        then_as("a0", [this, offset](GuestHart& hart) {
            constexpr u32 kLd = 0x0000'3403;  // ld x8, 0(x0)
            place(a, Gpa{hart.pc}, kLd);
            return exception(Cause::LoadPageFault, (kGuestManager + offset).raw);
        });
        then_as("a0", [offset, want](GuestHart& hart) {
            EXPECT_EQ(hart.get_x(test::kData), want) << "at offset " << offset;
            return test::interrupt(Irq::SSI);
        });
    }
    void then_call(Fid function, u64 a0, u64 a1, sbi::Error want, u64 value = 0) {
        then_set(manager::kArgumentRegisters, a0);
        then_set(manager::kArgumentRegisters + 8, a1);
        then_set(manager::kFunctionRegister, function);
        then_get(manager::kErrorRegister, static_cast<u64>(want));
        then_get(manager::kValueRegister, value);
    }
    void then_get_text(u64 offset, std::string_view text) {
        u64 want = 0;
        std::memcpy(&want, text.data(), std::min(text.size(), sizeof want));
        then_get(offset, want);
    }
};

TEST_F(ManagementTest, CallsGetWhatTheKernelWouldGet) {
    then_get(manager::kIdRegister, manager::kId);
    then_call(Version, 0, 0, sbi::Error::Success, kSbiImplVersion);
    then_call(GuestCount, 0, 0, sbi::Error::Success, 2);
    then_call(GuestInfo, 1, 0x40, sbi::Error::Success);
    then_get_text(manager::kData + 0x40, "b");
    then_get(manager::kData + 0x40 + offsetof(GuestRecord, memory), test::TestMachine::kGuestMemory);
    then_call(GuestInfo, 2, 0, sbi::Error::InvalidParam);
    then_call(static_cast<Fid>(~0ull), 0, 0, sbi::Error::NotSupported);
    then_shut_down("a0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ManagementTest, AGuestOnItsWayIsBusy) {
    GuestSbi calls(a.vcpus()[0]);
    EXPECT_EQ(calls.guest_record(1)->state, Created);
    ASSERT_TRUE(b.act(GuestAction::Start));
    EXPECT_EQ(calls.guest_record(1)->state, Busy);
    ASSERT_TRUE(b.act(GuestAction::Reset));
    EXPECT_EQ(calls.guest_record(1)->state, Busy);
    then_as("a0", [&](GuestHart&) {
        EXPECT_EQ(calls.guest_record(1)->state, Running);
        return test::interrupt(Irq::SSI);
    });
    then_call(GuestAct, 1, Stop, sbi::Error::Success);
    then_shut_down("a0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ManagementTest, AddressesNeverReachTheGuestsMemory) {
    constexpr u64 kMarked = 0x8030'0000;
    EXPECT_TRUE(a.ram().store<u64>(Gpa{kMarked}, 0x5a5a));
    for (const u64 wrong : {kMarked, kGuestManager.raw + manager::kData, manager::kDataSize - 56, ~u64{7}, u64{4}}) {
        then_call(GuestInfo, 0, wrong, sbi::Error::InvalidAddress);
    }
    then_call(GuestInfo, 0, manager::kDataSize - sizeof(GuestRecord), sbi::Error::Success);
    then_as("a0", [&](GuestHart& hart) {
        EXPECT_EQ(a.ram().load<u64>(Gpa{kMarked}), 0x5a5au);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

// Were the Devices lock held meanwhile, the lock check would end the test: the other's Kick and the console come first.
TEST_F(ManagementTest, AnotherGuestIsStartedAndStopped) {
    then_call(GuestAct, 1, Pause, sbi::Error::Failed);
    then_call(GuestAct, 1, Start, sbi::Error::Success);
    then_call(GuestInfo, 1, 0, sbi::Error::Success);
    then_get(manager::kData + offsetof(GuestRecord, state), 1ull << 32 | State::Running);
    then_call(GuestAct, 1, Stop, sbi::Error::Success);
    then_call(GuestInfo, 1, 0, sbi::Error::Success);
    then_get(manager::kData + offsetof(GuestRecord, state), 1ull << 32 | State::Stopped);
    then_shut_down("a0");
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_TRUE(printed("[uc] b: stopped\r\n")) << host.output();
}

TEST_F(ManagementTest, ExitsAreToldByKind) {
    const auto mmio = static_cast<u64>(ExitReason::Mmio);
    then_set(manager::kArgumentRegisters + 16, 0x80);
    then_call(GuestExits, 0, mmio, sbi::Error::Success);
    then_get_text(manager::kData + 0x80, "mmio");
    then_get(manager::kData + 0x80 + offsetof(GuestExitsRecord, count), 3);  // stores before the call's own
    then_call(GuestExits, 1, mmio, sbi::Error::Success);
    then_get(manager::kData + 0x80 + offsetof(GuestExitsRecord, count), 0);
    then_call(GuestExits, 0, kExitReasons, sbi::Error::InvalidParam);
    then_call(GuestExits, 2, 0, sbi::Error::InvalidParam);
    then_shut_down("a0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(ManagementTest, AGuestMayResetItselfAndFindsTheDeviceNew) {
    then_set(manager::kArgumentRegisters + 8, Reset);
    then_set(manager::kData, 42);
    then_set(manager::kFunctionRegister, GuestAct);
    then_get(manager::kFunctionRegister, 0);
    then_get(manager::kArgumentRegisters + 8, 0);
    then_get(manager::kData, 0);
    then_as("a0", [&](GuestHart& hart) { return shut_down(hart); });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(), "[uc] a: reboot\r\n[uc] a: shutdown\r\n");
}

TEST_F(ManagementTest, OthersFindNothing) {
    EXPECT_TRUE(a.bus().find(kGuestManager, 8));
    EXPECT_FALSE(b.bus().find(kGuestManager, 8));
    then_shut_down("a0");
    EXPECT_EQ(run(), MachineEnd::Success);
}

}  // namespace
}  // namespace uc
