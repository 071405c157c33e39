// SPDX-License-Identifier: MIT
// Memory appears when it is touched, and is zero.

#include "guest-images/minikernel/user/user.hpp"

using namespace uc;
using namespace uc::mini;

namespace {

constexpr u64 kHeap = 64 * kMiB;  // far more than is ever touched
constexpr u64 kStride = 3 * kMiB + kPageSize;
volatile u8 bss[8 * kPageSize];

/// Uses a page of stack for each level.
u64 deep(unsigned level) {
    volatile u8 page[kPageSize];
    page[0] = static_cast<u8>(level);
    const u64 below = level == 0 ? 0 : deep(level - 1);
    return below + page[0];
}

}  // namespace

u64 program(u64) {
    for (const volatile u8& byte : bss) expect(byte == 0, 1);

    volatile u8* heap = sbrk(kHeap);
    expect(heap != nullptr, 2);
    for (u64 i = 0; i < kHeap; i += kStride) expect(heap[i] == 0, 3);
    for (u64 i = 0; i < kHeap; i += kStride) heap[i] = static_cast<u8>(i / kStride + 1);
    for (u64 i = 0; i < kHeap; i += kStride) expect(heap[i] == static_cast<u8>(i / kStride + 1), 4);
    expect(sbrk(0) == heap + kHeap, 5);
    expect(sbrk(~0ull) == nullptr, 6);

    expect(deep(40) == 40 * 41 / 2, 7);
    return 0;
}
