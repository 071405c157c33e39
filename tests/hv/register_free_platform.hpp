// SPDX-License-Identifier: MIT
#pragma once
// What harts have in common that are threads: no registers or translations of their own beside the frame.

#include "hv/platform.hpp"

namespace uc::test {

class RegisterFreePlatform : public Platform {
  public:
    void fence_i() override {}
    u64 read_fp(unsigned) override { return 0; }
    void write_fp(unsigned, u64) override {}
    u64 read_user_csr(CsrNo) override { return 0; }
    void write_user_csr(CsrNo, u64) override {}

  protected:
    void perform(const TlbFlush&) override {}
    ~RegisterFreePlatform() = default;
};

}  // namespace uc::test
