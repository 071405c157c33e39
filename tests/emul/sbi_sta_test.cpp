// SPDX-License-Identifier: MIT
#include "tests/emul/sbi_scene.hpp"

namespace uc {
namespace {

using namespace test;

TEST_F(SbiTest, StealTimeGetsAnEmptyRecord) {
    self = 2;
    for (const u64 at : {kRam, kRam + 0x40, kRamEnd - 0x40}) {
        backend.events.clear();
        std::fill(backend.ram.begin(), backend.ram.end(), u8{0xee});
        EXPECT_EQ(call(Ext::Sta, 0, {at, 0, 0}), gives(0));
        EXPECT_EQ(backend.events, (std::vector<Event>{{Kind::StealTime, 2, at}}));
        for (u64 i = 0; i < FakeSbiBackend::kRamSize; ++i)
            ASSERT_EQ(backend.ram[i], kRam + i >= at && kRam + i < at + 64 ? 0 : 0xee) << i;
    }
}

TEST_F(SbiTest, StealTimeIsSwitchedOff) {
    EXPECT_EQ(call(Ext::Sta, 0, {~0ull, ~0ull, 0}), gives(0));
    EXPECT_EQ(backend.events, (std::vector<Event>{{Kind::StealTime, 0, ~0ull}}));
}

TEST_F(SbiTest, StealTimeRefusesWhatIsNoRecord) {
    const struct {
        u64 low, high, flags;
        Error error;
    } kCases[] = {
        {kRam, 0, 1, Error::InvalidParam},
        {kRam, 0, 1ull << 63, Error::InvalidParam},
        {~0ull, ~0ull, 1, Error::InvalidParam},
        {kRam + 1, 0, 0, Error::InvalidParam},
        {kRam + 32, 0, 0, Error::InvalidParam},
        {~0ull, 0, 0, Error::InvalidParam},
        {1, 0, 0, Error::InvalidParam},
        {0, 0, 0, Error::InvalidAddress},
        {kRam - 64, 0, 0, Error::InvalidAddress},
        {kRamEnd, 0, 0, Error::InvalidAddress},
        {~0ull - 63, 0, 0, Error::InvalidAddress},
        {kRam, 1, 0, Error::InvalidAddress},
        {kRam, ~0ull, 0, Error::InvalidAddress},
    };
    std::fill(backend.ram.begin(), backend.ram.end(), u8{0xee});
    for (const auto& c : kCases)
        EXPECT_EQ(call(Ext::Sta, 0, {c.low, c.high, c.flags}), fails(c.error)) << std::hex << c.low << " " << c.high;
    EXPECT_TRUE(backend.events.empty());
    EXPECT_EQ(std::count(backend.ram.begin(), backend.ram.end(), 0xee), FakeSbiBackend::kRamSize);
}

}  // namespace
}  // namespace uc
