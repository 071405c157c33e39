// SPDX-License-Identifier: MIT
// System calls with arguments that make no sense get an error, and the kernel's memory is out of their reach.

#include "guest-images/minikernel/user/user.hpp"

using namespace uc;
using namespace uc::mini;

namespace {
constexpr u64 kKernelAddress = 0xffff'ffc0'8020'0000;
const u64 constant = 1;
}  // namespace

u64 program(u64) {
    expect(call(static_cast<Call>(1000)) == kNoCall, 1);
    u64 word = 0;
    expect(call(Call::Write, kConsole, kKernelAddress, 8) == kBadAddress, 2);
    expect(call(Call::Write, kConsole, 0, 8) == kBadAddress, 3);
    expect(call(Call::Write, kConsole, ~0ull - 3, 8) == kBadAddress, 4);
    expect(call(Call::Write, 7, address(&word), 8) == kBadFile, 5);
    expect(call(Call::Write, 1000, address(&word), 8) == kBadFile, 6);
    expect(read(kConsole, &word, 8) == kBadFile, 7);
    expect(call(Call::Pipe, kKernelAddress) == kBadAddress, 8);
    expect(call(Call::Pipe, address(&constant)) == kBadAddress, 9);
    expect(call(Call::Wait, address(&word)) == kNoChild, 10);
    expect(kill(12345678) == kNoEntry, 11);
    expect(close(6) == kBadFile, 12);

    PipeEnds ends;
    expect(pipe(ends) == 0, 13);
    expect(write(ends.writer, "uc", 2) == 2, 14);
    expect(read(ends.reader, &word, 8) == 2, 15);
    expect(close(ends.reader) == 0, 16);
    expect(write(ends.writer, "uc", 2) == kBrokenPipe, 17);
    expect(close(ends.writer) == 0, 18);

    const i64 self = getpid();
    yield();
    expect(getpid() == self, 19);
    return 0;
}
