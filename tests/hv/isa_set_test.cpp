// SPDX-License-Identifier: MIT
#include "hv/isa_set.hpp"

#include <gtest/gtest.h>

namespace uc {
namespace {

using namespace std::literals;

constexpr GuestCpu kAll{.fpu = true,
                        .vector = true,
                        .sstc = true,
                        .svinval = true,
                        .svnapot = true,
                        .svpbmt = true,
                        .svadu = true,
                        .zicbom = true,
                        .zicboz = true};

std::string through(std::string_view isa) { return std::string(parse_riscv_isa(isa).riscv_isa().view()); }

TEST(IsaSet, ReadsAndWritesCanonically) {
    EXPECT_EQ(through("rv64imafdch_zicsr_zifencei_zihintpause_zba_zbb_zbc_zbs_sstc"),
              "rv64imafdch_zicsr_zifencei_zihintpause_zba_zbb_zbc_zbs_sstc");
    EXPECT_EQ(through("rv64cami_svpbmt_zbs_zfh_zawrs_zicsr"), "rv64imac_zicsr_zawrs_zfh_zbs_svpbmt");
    EXPECT_EQ(through("rv64gc"), "rv64imafdc_zicsr_zifencei");
    EXPECT_EQ(through("rv64imafdcsu"), "rv64imafdc");
    EXPECT_EQ(through("rv64imac_zk"), "rv64imac_zkn_zkt");  // without the seed CSR of zkr
}

TEST(IsaSet, SkipsVersionsAndUnknownNames) {
    EXPECT_EQ(through("rv64i2p1_m2p0_a2_c2p0_zicsr2p0_zifencei2_zimop1p0_zcmp1p0"), "rv64imac_zicsr_zifencei_zimop");
    EXPECT_EQ(through("rv64imacq_zfuture_sfuture_xvendor_zbb"), "rv64imac_zbb");
    EXPECT_EQ(through("rv64iv_zvl128b_zic64b_zve32x1p0"), "rv64iv_zic64b_zve32x_zvl128b");
}

TEST(IsaSet, OnlyFor64Bit) {
    for (const char* text : {"", "rv32imac", "rv", "imac", "RV64IMAC"})
        EXPECT_EQ(parse_riscv_isa(text), IsaSet{}) << text;
}

TEST(IsaSet, HasWhatIsNamedAndWhatTheBaseOnceHad) {
    const IsaSet set = parse_riscv_isa("rv64imac_sstc");
    EXPECT_TRUE(set.has("i") && set.has("sstc"));
    EXPECT_FALSE(set.has("f") || set.has("h") || set.has("svpbmt") || set.has("nonsense") || set.has(""));
    EXPECT_TRUE(set.has("zicsr") && set.has("zicntr") && set.has("zihpm") && set.has("zifencei"));
    EXPECT_EQ(set.riscv_isa_extensions().view(), "i\0m\0a\0c\0zicntr\0zicsr\0zifencei\0zihpm\0sstc\0"sv);
}

TEST(IsaSet, ReadsExtensionLists) {
    const std::string_view names = "i\0m\0zicsr\0unknown\0sstc\0"sv;
    const IsaSet set = parse_riscv_isa_extensions({"", std::as_bytes(std::span{names})});
    EXPECT_EQ(set.riscv_isa().view(), "rv64im_zicsr_sstc");
    EXPECT_EQ(set.riscv_isa_extensions().view(), "i\0m\0zicsr\0sstc\0"sv);  // nothing is implied here
}

TEST(GuestIsa, LeavesOutWhatIsNotVirtualised) {
    const IsaSet host = parse_riscv_isa(
        "rv64imafdcvh_zicbom_zicboz_zicsr_zfh_zba_zve64d_zvkb_sscofpmf_ssaia_sstc_svadu_svinval_svnapot_svpbmt_smaia");
    EXPECT_EQ(guest_isa(host, kAll).riscv_isa().view(),
              "rv64imafdcv_zicbom_zicboz_zicsr_zfh_zba_zve64d_zvkb_sstc_svadu_svinval_svnapot_svpbmt");
    EXPECT_EQ(guest_isa(host, {}).riscv_isa().view(), "rv64imac_zicsr_zba");
    EXPECT_EQ(guest_isa(host, {.fpu = true}).riscv_isa().view(), "rv64imafdc_zicsr_zfh_zba");
    EXPECT_EQ(guest_isa(host, {.vector = true}).riscv_isa().view(), "rv64imacv_zicsr_zba_zvkb");
}

TEST(GuestIsa, NeverMoreThanTheHost) {
    const IsaSet host = parse_riscv_isa("rv64imac_zicsr");
    EXPECT_EQ(guest_isa(host, kAll), host);
}

TEST(GuestIsa, AccessedAndDirtyBitsAreEitherFaultedOrUpdated) {
    const IsaSet host = parse_riscv_isa("rv64i_svade_svadu");
    EXPECT_EQ(guest_isa(host, {.svadu = true}).riscv_isa().view(), "rv64i_svadu");
    EXPECT_EQ(guest_isa(host, {.svadu = false}).riscv_isa().view(), "rv64i_svade");
}

}  // namespace
}  // namespace uc
