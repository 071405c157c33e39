// SPDX-License-Identifier: MIT
// What a process may not do ends it, with the exception as its exit code, and nobody else notices.

#include "guest-images/minikernel/user/user.hpp"

using namespace uc;
using namespace uc::mini;

namespace {

constexpr u64 kIllegal = kKilledBy + 2, kBreakpoint = kKilledBy + 3;
constexpr u64 kFetchFault = kKilledBy + 12, kLoadFault = kKilledBy + 13, kStoreFault = kKilledBy + 15;
constexpr u64 kKernelAddress = 0xffff'ffc0'8020'0000;
constexpr u64 kNotCanonical = 0x4000'0000'0000'0000;
const u64 constant = 1;
u32 nothing[4];

u64 load(u64 from) {
    return in_child([=] { return *reinterpret_cast<volatile u64*>(from); });
}
u64 store(u64 to) {
    return in_child([=] {
        *reinterpret_cast<volatile u64*>(to) = 0;
        return 0;
    });
}
u64 jump(u64 to) {
    return in_child([=] { return reinterpret_cast<u64 (*)()>(to)(); });
}

}  // namespace

u64 program(u64) {
    expect(load(8) == kLoadFault, 1);
    expect(store(8) == kStoreFault, 2);
    expect(jump(8) == kFetchFault, 3);
    expect(load(kKernelAddress) == kLoadFault, 4);
    expect(store(kKernelAddress) == kStoreFault, 5);
    expect(jump(kKernelAddress) == kFetchFault, 6);
    expect(load(kNotCanonical) == kLoadFault, 7);
    expect(store(address(&constant)) == kStoreFault, 8);
    expect(store(address(reinterpret_cast<void*>(program))) == kStoreFault, 9);
    expect(jump(address(nothing)) == kFetchFault, 10);

    const auto dies_of = [](u64 code, auto body) { return in_child(body) == code; };
    expect(dies_of(kIllegal,
                   [] {
                       asm volatile(".word 0xffffffff");
                       return 0;
                   }),
           11);
    expect(dies_of(kIllegal,
                   [] {
                       asm volatile("csrr t0, sstatus" ::: "t0");
                       return 0;
                   }),
           12);
    expect(dies_of(kIllegal,
                   [] {
                       asm volatile("csrw satp, zero");
                       return 0;
                   }),
           13);
    expect(dies_of(kIllegal,
                   [] {
                       asm volatile("sfence.vma");
                       return 0;
                   }),
           14);
    expect(dies_of(kIllegal,
                   [] {
                       asm volatile("sret");
                       return 0;
                   }),
           15);
    expect(dies_of(kIllegal,
                   [] {
                       asm volatile("mret");
                       return 0;
                   }),
           16);
    expect(dies_of(kBreakpoint,
                   [] {
                       asm volatile("ebreak");
                       return 0;
                   }),
           17);
    // Endless recursion runs into what is below the stack.
    expect(dies_of(kStoreFault,
                   [] {
                       asm volatile("1: sd zero, (sp)\naddi sp, sp, -1024\nj 1b");
                       return 0;
                   }),
           18);
    return 0;
}
