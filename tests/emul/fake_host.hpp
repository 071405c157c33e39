// SPDX-License-Identifier: MIT
#pragma once
// A machine made of maps, for tests of the core.

#include <array>
#include <map>

#include "emul/host.hpp"

namespace uc::test {

/// Every register reads back what was put there; nothing is legalised.
class FakeHost final : public Host {
  public:
    std::map<unsigned, u64> csrs;  ///< time, counters and the CSRs of F and V, by number; reading an absent one throws
    std::array<u64, 32> f{};

    u64 time() override { return at(CsrNo::time); }
    u64 counter(CsrNo number) override { return at(number); }
    u64 read_fp(unsigned reg) override { return f.at(reg); }
    void write_fp(unsigned reg, u64 bits) override { f.at(reg) = bits; }
    u64 read_user_csr(CsrNo number) override { return at(number); }
    void write_user_csr(CsrNo number, u64 value) override { csrs[static_cast<unsigned>(number)] = value; }

  private:
    u64 at(CsrNo number) { return csrs.at(static_cast<unsigned>(number)); }
};

}  // namespace uc::test
