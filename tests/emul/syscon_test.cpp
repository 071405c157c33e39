// SPDX-License-Identifier: MIT
#include "emul/syscon.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace uc {
namespace {

using Kind = ResetRequest::Kind;

class Requests final : public ResetLine {
  public:
    std::vector<ResetRequest> seen;
    void request_reset(ResetRequest request) override { seen.push_back(request); }
};

struct SysconTest : testing::Test {
    Requests requests;
    Syscon syscon{requests};
};

TEST_F(SysconTest, OrdersInTheLowHalfWord) {
    EXPECT_TRUE(syscon.write(0, 4, 0x5555));
    EXPECT_TRUE(syscon.write(0, 2, 0x7777));
    EXPECT_TRUE(syscon.write(0, 4, 0x0001'3333));
    EXPECT_TRUE(syscon.write(0, 4, 0xffff'3333));
    EXPECT_TRUE(syscon.write(0, 2, 0x3333));
    EXPECT_EQ(requests.seen,
              (std::vector<ResetRequest>{
                  {Kind::Poweroff, 0}, {Kind::Reboot, 0}, {Kind::Fail, 1}, {Kind::Fail, 0xffff}, {Kind::Fail, 0}}));
}

TEST_F(SysconTest, AnythingElseDoesNothing) {
    for (u64 value = 0; value <= 0xffff; ++value) {
        if (value == 0x3333 || value == 0x5555 || value == 0x7777) continue;
        EXPECT_TRUE(syscon.write(0, 4, value));
    }
    for (u64 offset = 4; offset < Syscon::kSize; offset += 4) {
        EXPECT_TRUE(syscon.write(offset, 4, 0x5555));
        EXPECT_EQ(syscon.read(offset, 4), 0u);
    }
    EXPECT_TRUE(syscon.write(2, 2, 0x5555));
    EXPECT_EQ(syscon.read(0, 2), 0u);
    EXPECT_TRUE(requests.seen.empty());
}

TEST_F(SysconTest, BytesAndDoublewordsFault) {
    for (const unsigned width : {1u, 8u}) {
        EXPECT_FALSE(syscon.read(0, width).has_value());
        EXPECT_FALSE(syscon.write(0, width, 0x5555));
    }
    EXPECT_TRUE(requests.seen.empty());
}

}  // namespace
}  // namespace uc
