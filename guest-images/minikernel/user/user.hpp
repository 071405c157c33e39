// SPDX-License-Identifier: MIT
#pragma once
// The system calls as user programs see them.

#include "guest-images/minikernel/abi.hpp"

#include <string_view>

/// A program: its argument is exec's, its result the exit code, 0 for success.
extern "C" uc::u64 program(uc::u64 argument);

namespace uc::mini {

inline i64 call(Call number, u64 arg0 = 0, u64 arg1 = 0, u64 arg2 = 0) {
    register u64 a0 asm("a0") = arg0;
    register u64 a1 asm("a1") = arg1;
    register u64 a2 asm("a2") = arg2;
    register u64 a7 asm("a7") = static_cast<u64>(number);
    asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return static_cast<i64>(a0);
}

inline u64 address(const void* pointer) { return reinterpret_cast<u64>(pointer); }

[[noreturn]] inline void exit(u64 code) {
    call(Call::Exit, code);
    __builtin_unreachable();
}
inline i64 fork() { return call(Call::Fork); }
inline i64 exec(std::string_view name, u64 argument = 0) {
    return call(Call::Exec, address(name.data()), name.size(), argument);
}
inline i64 kill(i64 pid) { return call(Call::Kill, static_cast<u64>(pid)); }
inline i64 getpid() { return call(Call::Getpid); }
inline void yield() { call(Call::Yield); }
inline void sleep(u64 ms) { call(Call::Sleep, ms); }
inline i64 write(u64 file, const void* from, u64 size) { return call(Call::Write, file, address(from), size); }
inline i64 read(u64 file, void* to, u64 size) { return call(Call::Read, file, address(to), size); }
inline i64 close(u64 file) { return call(Call::Close, file); }
inline i64 slices(i64 pid) { return call(Call::Slices, static_cast<u64>(pid)); }

struct PipeEnds {
    u64 reader, writer;
};
inline i64 pipe(PipeEnds& ends) { return call(Call::Pipe, address(&ends)); }

/// Grows the heap; nullptr if that cannot be.
inline u8* sbrk(u64 bytes) {
    const i64 result = call(Call::Sbrk, bytes);
    return result < 0 ? nullptr : reinterpret_cast<u8*>(result);
}

/// The exit code of the next child to exit; ~0 if there is no child.
inline u64 wait() {
    u64 code = 0;
    return call(Call::Wait, address(&code)) < 0 ? ~0ull : code;
}

/// Runs `body` in a child and returns the child's exit code.
template <class Body>
u64 in_child(Body body) {
    const i64 pid = fork();
    if (pid < 0) return ~0ull;
    if (pid == 0) exit(body());
    return wait();
}

/// Ends the program with `code` unless `holds`: every expectation of a program has a code of its own.
inline void expect(bool holds, u64 code) {
    if (!holds) exit(code);
}

inline u64 now() {
    u64 time;
    asm volatile("rdtime %0" : "=r"(time));
    return time;
}

}  // namespace uc::mini
