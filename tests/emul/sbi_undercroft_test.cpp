// SPDX-License-Identifier: MIT
#include "emul/sbi_undercroft.hpp"

#include <cstring>

#include "tests/emul/sbi_scene.hpp"

namespace uc {
namespace {

using namespace test;

TEST_F(SbiTest, OurOwnExtension) {
    EXPECT_EQ(call(sbi::undercroft::kExt, 0), gives(kSbiImplVersion));
    for (u64 fid = 1; fid < 7; ++fid) EXPECT_EQ(call(sbi::undercroft::kExt, fid), fails(Error::Denied)) << fid;
    for (const u64 fid : {7ull, 1ull << 32, ~0ull}) {
        EXPECT_EQ(call(sbi::undercroft::kExt, fid), fails(Error::NotSupported)) << fid;
    }
    EXPECT_TRUE(backend.acts.empty());
}

TEST_F(SbiTest, ManagersLookAfterGuests) {
    using namespace sbi::undercroft;
    backend.manager = true;
    EXPECT_EQ(call(kExt, GuestCount), gives(2));
    const u64 last = FakeSbiBackend::kRam + FakeSbiBackend::kRamSize - sizeof(GuestRecord);
    EXPECT_EQ(call(kExt, GuestInfo, {1, last}), gives(0));
    GuestRecord record;
    std::memcpy(&record, &backend.ram[last - FakeSbiBackend::kRam], sizeof record);
    EXPECT_STREQ(record.name.data(), "b");
    EXPECT_EQ(record.vcpus, 3u);
    EXPECT_EQ(call(kExt, GuestInfo, {2, last}), fails(Error::InvalidParam));
    for (const u64 wrong : {last + 8, last - 4, u64{0}, ~u64{7}}) {
        EXPECT_EQ(call(kExt, GuestInfo, {1, wrong}), fails(Error::InvalidAddress)) << wrong;
    }
    const u64 exits = FakeSbiBackend::kRam + FakeSbiBackend::kRamSize - sizeof(GuestExitsRecord);
    EXPECT_EQ(call(kExt, GuestExits, {0, 1, exits}), gives(0));
    GuestExitsRecord exits_record;
    std::memcpy(&exits_record, &backend.ram[exits - FakeSbiBackend::kRam], sizeof exits_record);
    EXPECT_STREQ(exits_record.name.data(), "k1");
    EXPECT_EQ(exits_record.count, 1000u);
    EXPECT_EQ(call(kExt, GuestExits, {0, 2, exits}), fails(Error::InvalidParam));
    EXPECT_EQ(call(kExt, GuestExits, {2, 0, exits}), fails(Error::InvalidParam));
    EXPECT_EQ(call(kExt, GuestExits, {0, 1, exits + 8}), fails(Error::InvalidAddress));

    EXPECT_EQ(call(kExt, GuestAct, {1, Pause}), gives(0));
    EXPECT_EQ(backend.acts, (std::vector{std::pair{u64{1}, Pause}}));
    backend.act_works = false;
    EXPECT_EQ(call(kExt, GuestAct, {0, Reset}), fails(Error::Failed));
    for (const u64 action : {u64{Actions}, ~u64{0}}) {
        EXPECT_EQ(call(kExt, GuestAct, {1, action}), fails(Error::InvalidParam));
    }
    EXPECT_EQ(call(kExt, GuestAct, {2, Start}), fails(Error::InvalidParam));
    EXPECT_EQ(backend.acts.size(), 2u);
}

TEST_F(SbiTest, ManagersAreToldOfMemory) {
    using namespace sbi::undercroft;
    backend.manager = true;
    const u64 to = FakeSbiBackend::kRam + 8;
    const auto word = [&](usize n) {
        u64 value = 0;
        std::memcpy(&value, &backend.ram[to - FakeSbiBackend::kRam + 8 * n], sizeof value);
        return value;
    };
    EXPECT_EQ(call(kExt, GuestMemory, {1, to}), gives(0));
    EXPECT_EQ(word(0), 2u);
    EXPECT_EQ(word(6), 7u);
    EXPECT_EQ(call(kExt, GuestMemory, {2, to}), fails(Error::InvalidParam));
    EXPECT_EQ(call(kExt, GuestMemory, {1, to + 4}), fails(Error::InvalidAddress));
    EXPECT_EQ(call(kExt, MachineMemory, {to}), gives(0));
    EXPECT_EQ(word(0), 10u);
    EXPECT_EQ(word(3), 3u);
    EXPECT_EQ(call(kExt, MachineMemory, {0}), fails(Error::InvalidAddress));
    EXPECT_EQ(call(kExt, GuestAct, {1, Destroy}), gives(0));
    EXPECT_EQ(call(kExt, GuestAct, {1, Create}), gives(0));
    EXPECT_EQ(call(kExt, GuestAct, {1, Create + 1}), fails(Error::InvalidParam));
}

}  // namespace
}  // namespace uc
