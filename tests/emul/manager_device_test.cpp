// SPDX-License-Identifier: MIT
#include "emul/manager_device.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace uc {
namespace {

using namespace manager;

TEST(ManagerDevice, TellsWhatItIs) {
    ManagerDevice device;
    EXPECT_EQ(device.read(kIdRegister, 8), 0x1'0a00'5543u);
    EXPECT_TRUE(device.write(kIdRegister, 8, 7));
    EXPECT_EQ(device.read(kIdRegister, 8), kId);
}

TEST(ManagerDevice, HandsACallOverOnceAsItWasStored) {
    ManagerDevice device;
    EXPECT_FALSE(device.take_call());
    ManagerCall want{.function = ~0ull};
    for (u64 n = 0; n < kArguments; ++n) {
        want.arguments[n] = 0xa000'0000'0000'0000 + n;
        EXPECT_TRUE(device.write(kArgumentRegisters + 8 * n, 8, want.arguments[n]));
        EXPECT_EQ(device.read(kArgumentRegisters + 8 * n, 8), want.arguments[n]);
        EXPECT_FALSE(device.take_call()) << "an argument is no call";
    }
    EXPECT_TRUE(device.write(kFunctionRegister, 8, ~0ull));
    EXPECT_EQ(device.take_call(), want);
    EXPECT_FALSE(device.take_call());
    EXPECT_EQ(device.read(kFunctionRegister, 8), ~0ull);
    EXPECT_TRUE(device.write(kFunctionRegister, 8, 3));  // the arguments are still there
    want.function = 3;
    EXPECT_EQ(device.take_call(), want);
}

TEST(ManagerDevice, ShowsWhatTheCallReturned) {
    ManagerDevice device;
    device.finish({sbi::Error::Denied, 77});
    EXPECT_EQ(device.read(kErrorRegister, 8), static_cast<u64>(-4));
    EXPECT_EQ(device.read(kValueRegister, 8), 77u);
    for (const u64 offset : {kErrorRegister, kValueRegister}) EXPECT_TRUE(device.write(offset, 8, 1));
    EXPECT_EQ(device.read(kErrorRegister, 8), static_cast<u64>(-4));
    EXPECT_EQ(device.read(kValueRegister, 8), 77u);
}

TEST(ManagerDevice, HasMemoryOfItsOwn) {
    ManagerDevice device;
    std::vector<u8> bytes(kDataSize);
    for (usize i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<u8>(i * 7 + i / 256);
    device.write_data(0, bytes);
    EXPECT_EQ(device.read(kData + 8, 8), 0x69'62'5b'54'4d'46'3f'38u);
    EXPECT_TRUE(device.write(kData + kDataSize - 8, 8, 0x0102'0304'0506'0708));
    std::array<u8, 9> last{};
    device.read_data(kDataSize - last.size(), last);
    EXPECT_EQ(last, (std::array<u8, 9>{bytes[kDataSize - 9], 8, 7, 6, 5, 4, 3, 2, 1}));
    EXPECT_FALSE(device.take_call());
}

TEST(ManagerDevice, HoldsNothingBeyondItsMemory) {
    EXPECT_TRUE(ManagerDevice::holds(0, kDataSize));
    EXPECT_TRUE(ManagerDevice::holds(kDataSize - 1, 1));
    EXPECT_FALSE(ManagerDevice::holds(kDataSize, 1));
    EXPECT_FALSE(ManagerDevice::holds(1, kDataSize));
    EXPECT_FALSE(ManagerDevice::holds(8, ~0ull - 7));
    EXPECT_FALSE(ManagerDevice::holds(~0ull, 1));
    EXPECT_FALSE(ManagerDevice::holds(~0ull - 7, 64));
}

TEST(ManagerDevice, TheRestOfThePageIsEmpty) {
    ManagerDevice device;
    for (u64 offset = 0; offset < kSize; offset += 8) {
        const bool known =
            offset < kArgumentRegisters + 8 * kArguments || (offset >= kData && offset < kData + kDataSize);
        if (known) continue;
        EXPECT_TRUE(device.write(offset, 8, ~0ull)) << offset;
        EXPECT_EQ(device.read(offset, 8), 0u) << offset;
    }
    EXPECT_FALSE(device.take_call());
}

TEST(ManagerDevice, OtherWidthsFault) {
    ManagerDevice device;
    for (const unsigned width : {1u, 2u, 4u}) {
        for (const u64 offset : {kIdRegister, kFunctionRegister, kArgumentRegisters, kData}) {
            EXPECT_FALSE(device.read(offset, width).has_value());
            EXPECT_FALSE(device.write(offset, width, 0));
        }
    }
    EXPECT_FALSE(device.take_call());
}

TEST(ManagerDevice, ResetForgetsEverything) {
    ManagerDevice device;
    for (u64 offset = 0; offset < kSize; offset += 8) EXPECT_TRUE(device.write(offset, 8, 5));
    device.finish({sbi::Error::Failed, 5});
    device.reset();
    EXPECT_FALSE(device.take_call());
    for (u64 offset = 8; offset < kSize; offset += 8) EXPECT_EQ(device.read(offset, 8), 0u) << offset;
}

}  // namespace
}  // namespace uc
