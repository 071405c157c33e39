// SPDX-License-Identifier: MIT
#include "emul/mmio.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/emul/fake_host.hpp"

namespace uc {
namespace {

constexpr Gpa kBase{0x1000'0000};
constexpr Gva kVa{0xffff'ffd0'0000'0008};

/// Answers every read with `answer` and keeps what was asked; refuses everything when `refuses` is set.
class RecordingDevice final : public Device {
  public:
    struct Request {
        bool store;
        u64 offset;
        unsigned width;
        u64 value;
        bool operator==(const Request&) const = default;
    };

    u64 answer = 0;
    bool refuses = false;
    std::vector<Request> requests;

    std::optional<u64> read(u64 offset, unsigned width) override {
        requests.push_back({false, offset, width, 0});
        if (refuses) return std::nullopt;
        return answer;
    }
    bool write(u64 offset, unsigned width, u64 value) override {
        requests.push_back({true, offset, width, value});
        return !refuses;
    }
};

struct MmioTest : testing::Test {
    GuestHart hart;
    test::FakeHost host;
    RecordingDevice device;
    Bus bus;

    MmioTest() {
        EXPECT_TRUE(bus.add(kBase, 0x14, device));
        hart.sstatus.set(Sstatus::FS, static_cast<u64>(ExtState::Clean));
    }
    Outcome access(const MemoryInsn& insn, u64 offset = 8) {
        return access_device(hart, host, bus, insn, kBase + offset, kVa);
    }
};

constexpr MemoryInsn load(u8 width, bool sign_extend, u8 reg = 5, u8 length = 4) {
    return {.access = Access::Load, .width = width, .sign_extend = sign_extend, .reg = reg, .length = length};
}
constexpr MemoryInsn store(u8 width, u8 reg = 6, u8 length = 4) {
    return {.access = Access::Store, .width = width, .reg = reg, .length = length};
}

TEST_F(MmioTest, LoadsExtendWhatTheDeviceAnswers) {
    device.answer = 0x8182'8384'8586'8788;
    const struct {
        u8 width;
        bool sign_extend;
        u64 expected;
    } kCases[] = {
        {1, true, 0xffff'ffff'ffff'ff88},  {1, false, 0x88},
        {2, true, 0xffff'ffff'ffff'8788},  {2, false, 0x8788},
        {4, true, 0xffff'ffff'8586'8788},  {4, false, 0x8586'8788},
        {8, false, 0x8182'8384'8586'8788}, {8, true, 0x8182'8384'8586'8788},
    };
    for (const auto& c : kCases) {
        device.requests.clear();
        EXPECT_EQ(access(load(c.width, c.sign_extend)), Outcome::advance(4));
        EXPECT_EQ(hart.get_x(5), c.expected) << unsigned{c.width} << c.sign_extend;
        EXPECT_EQ(device.requests, (std::vector<RecordingDevice::Request>{{false, 8, c.width, 0}}));
    }
}

TEST_F(MmioTest, PositiveValuesStayPositive) {
    device.answer = 0x7f;
    EXPECT_EQ(access(load(1, true)), Outcome::advance(4));
    EXPECT_EQ(hart.get_x(5), 0x7fu);
}

TEST_F(MmioTest, StoresPassExactlyTheirBytes) {
    hart.set_x(6, 0x8182'8384'8586'8788);
    const u64 kExpected[] = {0x88, 0x8788, 0x8586'8788, 0x8182'8384'8586'8788};
    for (unsigned i = 0; i < 4; ++i) {
        const u8 width = static_cast<u8>(1 << i);
        device.requests.clear();
        EXPECT_EQ(access(store(width)), Outcome::advance(4));
        EXPECT_EQ(device.requests, (std::vector<RecordingDevice::Request>{{true, 8, width, kExpected[i]}}));
    }
}

TEST_F(MmioTest, CompressedInstructionsAdvanceByTwo) {
    EXPECT_EQ(access(load(4, true, 8, 2)), Outcome::advance(2));
    EXPECT_EQ(access(store(4, 8, 2)), Outcome::advance(2));
}

TEST_F(MmioTest, LoadToX0StillReads) {
    device.answer = ~0ull;
    EXPECT_EQ(access(load(4, true, 0)), Outcome::advance(4));
    EXPECT_EQ(hart.get_x(0), 0u);
    EXPECT_EQ(device.requests.size(), 1u);
}

TEST_F(MmioTest, FloatingPointLoadsAreBoxedAndDirtyTheState) {
    device.answer = 0x1122'3344'5566'7788;
    const struct {
        u8 width;
        u64 expected;
    } kCases[] = {{2, 0xffff'ffff'ffff'7788}, {4, 0xffff'ffff'5566'7788}, {8, 0x1122'3344'5566'7788}};
    for (const auto& c : kCases) {
        hart.sstatus.set(Sstatus::FS, static_cast<u64>(ExtState::Clean));
        MemoryInsn insn = load(c.width, false, 31);
        insn.fp = true;
        EXPECT_EQ(access(insn), Outcome::advance(4));
        EXPECT_EQ(host.f[31], c.expected);
        EXPECT_EQ(hart.sstatus.get(Sstatus::FS), static_cast<u64>(ExtState::Dirty));
        EXPECT_EQ(hart.get_x(31), 0u);
    }
}

TEST_F(MmioTest, FloatingPointStoresLeaveTheStateAlone) {
    host.f[6] = 0xffff'ffff'3f80'0000;
    hart.set_x(6, 0x1234);
    MemoryInsn insn = store(4);
    insn.fp = true;
    EXPECT_EQ(access(insn), Outcome::advance(4));
    EXPECT_EQ(device.requests.back().value, 0x3f80'0000u);
    EXPECT_EQ(hart.sstatus.get(Sstatus::FS), static_cast<u64>(ExtState::Clean));
}

TEST_F(MmioTest, FloatingPointThatIsOffTouchesNothing) {
    hart.sstatus.set(Sstatus::FS, static_cast<u64>(ExtState::Off));
    for (MemoryInsn insn : {load(8, false), store(8)}) {
        insn.fp = true;
        EXPECT_EQ(access(insn), Outcome::retry());
    }
    EXPECT_TRUE(device.requests.empty());
}

TEST_F(MmioTest, AtomicsFaultByTheirKind) {
    const GuestHart before = hart;
    for (const u8 width : {u8{4}, u8{8}}) {
        MemoryInsn lr = load(width, true);
        MemoryInsn amo = store(width);
        lr.amo = amo.amo = true;
        EXPECT_EQ(access(lr), Outcome::inject({Cause::LoadAccess, kVa.raw}));
        EXPECT_EQ(access(amo), Outcome::inject({Cause::StoreAccess, kVa.raw}));
    }
    EXPECT_TRUE(device.requests.empty());
    EXPECT_EQ(hart, before);
}

TEST_F(MmioTest, MisalignedAccessesFault) {
    for (const u8 width : {u8{2}, u8{4}, u8{8}}) {
        for (u64 offset = 1; offset < width; ++offset) {
            EXPECT_EQ(access(load(width, false), offset), Outcome::inject({Cause::LoadAccess, kVa.raw}));
            EXPECT_EQ(access(store(width), offset), Outcome::inject({Cause::StoreAccess, kVa.raw}));
        }
    }
    EXPECT_TRUE(device.requests.empty());
}

TEST_F(MmioTest, WhatADeviceRefusesFaultsAndChangesNoRegister) {
    device.refuses = true;
    const GuestHart before = hart;
    EXPECT_EQ(access(load(1, false)), Outcome::inject({Cause::LoadAccess, kVa.raw}));
    EXPECT_EQ(access(store(1)), Outcome::inject({Cause::StoreAccess, kVa.raw}));
    EXPECT_EQ(device.requests.size(), 2u);
    EXPECT_EQ(hart, before);
}

TEST_F(MmioTest, AddressesWithoutADeviceFault) {
    EXPECT_EQ(access(load(1, false), 0x14), Outcome::inject({Cause::LoadAccess, kVa.raw}));
    EXPECT_EQ(access(store(1), 0x14), Outcome::inject({Cause::StoreAccess, kVa.raw}));
    EXPECT_EQ(access(load(8, false), 0x10), Outcome::inject({Cause::LoadAccess, kVa.raw})) << "half outside";
    EXPECT_EQ(access(load(4, false), 0x10), Outcome::advance(4));
}

TEST(Bus, RejectsWindowsThatCannotBe) {
    RecordingDevice d;
    Bus bus;
    EXPECT_TRUE(bus.add(Gpa{0x1000}, 0x1000, d));
    EXPECT_FALSE(bus.add(Gpa{0x5000}, 0, d)) << "empty";
    EXPECT_FALSE(bus.add(Gpa{0xfff}, 2, d)) << "overlaps the front";
    EXPECT_FALSE(bus.add(Gpa{0x1fff}, 1, d)) << "overlaps the end";
    EXPECT_FALSE(bus.add(Gpa{0x1400}, 0x10, d)) << "inside";
    EXPECT_FALSE(bus.add(Gpa{0}, 0x10000, d)) << "around";
    EXPECT_FALSE(bus.add(Gpa{~0ull}, 2, d)) << "wraps";
    EXPECT_TRUE(bus.add(Gpa{0xfff}, 1, d));
    EXPECT_TRUE(bus.add(Gpa{0x2000}, 1, d));
    EXPECT_TRUE(bus.add(Gpa{~0ull}, 1, d));
    ASSERT_TRUE(bus.find(Gpa{~0ull}, 1).has_value());
    EXPECT_FALSE(bus.find(Gpa{~0ull}, 2).has_value());
}

TEST(Bus, HoldsItsCapacityAndNoMore) {
    std::array<RecordingDevice, Bus::kCapacity> devices;
    Bus bus;
    for (usize i = 0; i < devices.size(); ++i) ASSERT_TRUE(bus.add(Gpa{i * 0x1000}, 0x1000, devices[i]));
    EXPECT_FALSE(bus.add(Gpa{0x1000'0000}, 0x1000, devices[0]));
    for (usize i = 0; i < devices.size(); ++i) {
        const auto target = bus.find(Gpa{i * 0x1000 + 0xff8}, 8);
        ASSERT_TRUE(target.has_value());
        EXPECT_EQ(&target->device, &devices[i]);
        EXPECT_EQ(target->offset, 0xff8u);
    }
}

}  // namespace
}  // namespace uc
