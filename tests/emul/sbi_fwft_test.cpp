// SPDX-License-Identifier: MIT
#include "tests/emul/sbi_scene.hpp"

namespace uc {
namespace {

using namespace test;

struct FwftTest : SbiTest {
    sbi::Ret set(u64 feature, u64 value, u64 flags = 0) { return call(Ext::Fwft, 0, {feature, value, flags}); }
    sbi::Ret get(u64 feature) { return call(Ext::Fwft, 1, {feature}); }
};

TEST_F(FwftTest, MisalignedAccessesAreAsTheHartHasThem) {
    for (const bool delegated : {false, true}) {
        backend.delegates_misaligned = delegated;
        EXPECT_EQ(get(0), gives(delegated));
        EXPECT_EQ(get(0xffff'ffffull << 32), gives(delegated)) << "the feature has 32 bits";
        EXPECT_EQ(set(0, delegated), gives(0));
        EXPECT_EQ(set(0, !delegated), fails(Error::Denied));
        EXPECT_EQ(get(0), gives(delegated));
    }
}

TEST_F(FwftTest, ValuesAndFlagsThatDoNotExist) {
    for (const u64 value : {2ull, 1ull << 32, ~0ull}) EXPECT_EQ(set(0, value), fails(Error::InvalidParam));
    for (const u64 flags : {2ull, 3ull, 1ull << 63}) EXPECT_EQ(set(0, 0, flags), fails(Error::InvalidParam));
    EXPECT_EQ(set(0, 0), gives(0)) << "nothing was locked";
}

TEST_F(FwftTest, ALockHoldsForTheHartThatSetIt) {
    EXPECT_EQ(set(0, 1, 1), fails(Error::Denied));
    EXPECT_EQ(set(0, 0), gives(0)) << "what fails does not lock";
    EXPECT_EQ(set(0, 0, 1), gives(0));
    for (const u64 value : {0, 1}) {
        EXPECT_EQ(set(0, value), fails(Error::DeniedLocked));
        EXPECT_EQ(set(0, value, 1), fails(Error::DeniedLocked));
    }
    EXPECT_EQ(get(0), gives(0));
    self = 1;
    EXPECT_EQ(set(0, 0), gives(0));
}

TEST_F(FwftTest, OtherFeatures) {
    for (const u64 feature : {1, 2, 3, 4, 5}) {
        EXPECT_EQ(get(feature), fails(Error::NotSupported));
        for (const u64 value : {0, 1, 7}) EXPECT_EQ(set(feature, value, 2), fails(Error::NotSupported));
    }
    for (const u64 feature : {0x6ull, 0x3fff'ffffull, 0x4000'0000ull, 0x7fff'ffffull, 0x8000'0000ull, 0xbfff'ffffull,
                              0xc000'0000ull, 0xffff'ffffull}) {
        EXPECT_EQ(get(feature), fails(Error::Denied)) << std::hex << feature;
        EXPECT_EQ(set(feature, 0), fails(Error::Denied)) << std::hex << feature;
    }
}

}  // namespace
}  // namespace uc
