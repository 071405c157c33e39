// SPDX-License-Identifier: MIT
// After fork both sides see the same memory, and neither sees the other's stores.

#include "guest-images/minikernel/user/user.hpp"

using namespace uc;
using namespace uc::mini;

namespace {

constexpr unsigned kPages = 16;
volatile u64 memory[kPages * kPageSize / sizeof(u64)];
volatile u64 initialised = 0x1234;

volatile u64& word(unsigned page) { return memory[page * kPageSize / sizeof(u64)]; }

bool all_are(u64 value) {
    for (unsigned page = 0; page < kPages; ++page)
        if (word(page) != value + page) return false;
    return true;
}

void set_all(u64 value) {
    for (unsigned page = 0; page < kPages; ++page) word(page) = value + page;
}

u64 grandchild() {
    expect(all_are(2000), 11);
    set_all(3000);
    expect(all_are(3000), 12);
    return 0;
}

u64 child() {
    expect(all_are(1000) && initialised == 0x1234, 21);
    set_all(2000);
    initialised = 0x5678;
    expect(all_are(2000), 22);
    expect(in_child(grandchild) == 0, 23);
    expect(all_are(2000), 24);
    return 0;
}

}  // namespace

u64 program(u64) {
    set_all(1000);
    set_all(1000);  // the first time ended in page faults, now the TLB knows the pages
    const i64 pid = fork();
    if (pid == 0) exit(child());
    // The child has most likely not run yet: a kernel that forgot to fence leaves us stale permission to store.
    set_all(4000);
    expect(wait() == 0, 1);
    expect(all_are(4000) && initialised == 0x1234, 2);
    // The kernel's own stores to user memory break the sharing, too: wait() in a child writes through such a page.
    static u64 code = 77;
    const u64 result = in_child([] {
        if (fork() == 0) exit(5);
        call(Call::Wait, address(&code));
        return code == 5 ? 0 : 31;
    });
    expect(result == 0, 3);
    expect(*const_cast<volatile u64*>(&code) == 77, 4);
    return 0;
}
