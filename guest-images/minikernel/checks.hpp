// SPDX-License-Identifier: MIT
#pragma once
// The kernel's checks of the machine: each is a short function that states what the privileged specification promises.

#include "isa/types.hpp"

#include <span>
#include <string_view>

namespace uc::mini {

/// One check's verdict. The first thing that does not hold is kept for the report.
class Check {
  public:
    void that(bool holds, std::string_view what) {
        if (!holds) fail(what, 0, 0);
    }
    void equal(std::string_view what, u64 got, u64 expected) {
        if (got != expected) fail(what, got, expected);
    }
    [[nodiscard]] bool ok() const { return failure_.empty(); }
    /// Prints `ok NAME` (not if `quiet`) or `FAIL NAME: what: got X, expected Y`.
    void report(std::string_view name, bool quiet) const;

  private:
    void fail(std::string_view what, u64 got, u64 expected);

    std::string_view failure_;
    u64 got_ = 0, expected_ = 0;
};

struct NamedCheck {
    std::string_view name;
    void (*run)(Check&);
};

/// The checks of checks_csr.cpp, checks_trap.cpp, checks_paging.cpp and checks_user.cpp.
[[nodiscard]] std::span<const NamedCheck> csr_checks();
[[nodiscard]] std::span<const NamedCheck> trap_checks();
[[nodiscard]] std::span<const NamedCheck> paging_checks();
[[nodiscard]] std::span<const NamedCheck> user_checks();

/// Runs them all; whether all held.
[[nodiscard]] bool run_checks(bool quiet);

}  // namespace uc::mini
