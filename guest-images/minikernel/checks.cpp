// SPDX-License-Identifier: MIT
#include "guest-images/minikernel/checks.hpp"

#include "guest-images/minikernel/console.hpp"

namespace uc::mini {

void Check::fail(std::string_view what, u64 got, u64 expected) {
    if (!ok()) return;
    failure_ = what;
    got_ = got;
    expected_ = expected;
}

void Check::report(std::string_view name, bool quiet) const {
    if (!ok())
        print("FAIL ", name, ": ", failure_, ": got ", Hex{got_}, ", expected ", Hex{expected_});
    else if (!quiet)
        print("ok ", name);
}

bool run_checks(bool quiet) {
    bool pass = true;
    for (const auto group : {csr_checks(), trap_checks(), paging_checks(), user_checks()}) {
        for (const auto& [name, run] : group) {
            Check check;
            run(check);
            check.report(name, quiet);
            pass = pass && check.ok();
        }
    }
    return pass;
}

}  // namespace uc::mini
