// SPDX-License-Identifier: MIT
// Primes by a chain of processes joined by pipes: each keeps the first number it reads and passes on what that does not
// divide.

#include "guest-images/minikernel/user/user.hpp"

using namespace uc;
using namespace uc::mini;

namespace {

constexpr u64 kLimit = 100;

bool receive(u64 file, u64& number) { return read(file, &number, sizeof(number)) == sizeof(number); }
void send(u64 file, u64 number) { expect(write(file, &number, sizeof(number)) == sizeof(number), 90); }

/// Number of primes that come out of `source`, this process's own included.
u64 filter(u64 source) {
    u64 prime;
    if (!receive(source, prime)) return 0;
    PipeEnds next;
    expect(pipe(next) == 0, 91);
    const i64 pid = fork();
    expect(pid >= 0, 92);
    if (pid == 0) {
        close(source);
        close(next.writer);
        exit(filter(next.reader));
    }
    close(next.reader);
    for (u64 number; receive(source, number);)
        if (number % prime != 0) send(next.writer, number);
    close(next.writer);
    return wait() + 1;
}

}  // namespace

u64 program(u64) {
    PipeEnds first;
    expect(pipe(first) == 0, 1);
    const i64 pid = fork();
    expect(pid >= 0, 2);
    if (pid == 0) {
        close(first.writer);
        exit(filter(first.reader));
    }
    close(first.reader);
    for (u64 number = 2; number < kLimit; ++number) send(first.writer, number);
    close(first.writer);
    expect(wait() == 25, 3);  // primes below 100
    return 0;
}
