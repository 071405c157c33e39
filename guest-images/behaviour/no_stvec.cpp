// SPDX-License-Identifier: MIT
// A trap with stvec pointing nowhere: fetching the handler faults, for ever.

#include "guest-images/behaviour/rt/rt.hpp"

using namespace uc;
using namespace uc::rt;

GUEST(no_stvec) {
    say("from here on there is no handler");
    csr_write<CsrNo::stvec>(0x18000000);
    asm volatile(".word 0");
    expect(false, "still alive");
}
