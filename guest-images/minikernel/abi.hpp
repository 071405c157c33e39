// SPDX-License-Identifier: MIT
#pragma once
// What kernel and user programs agree on: a7 = Call, arguments in a0 to a2, result in a0, negative for errors.

#include "isa/types.hpp"

namespace uc::mini {

enum class Call : u64 {
    Exit,      ///< (code): never returns
    Fork,      ///< (): the child's pid in the parent, 0 in the child
    Exec,      ///< (name, length, argument): becomes an embedded program; returns only on failure
    Wait,      ///< (code*): a child's pid when it has exited, its exit code stored
    Kill,      ///< (pid): the process exits with kKilled
    Getpid,    ///< ()
    Yield,     ///< (): the rest of the time slice goes to the others
    Sleep,     ///< (ms)
    Write,     ///< (file, bytes, size): how many were written; waits for room for the first
    Read,      ///< (file, bytes, size): how many were read; waits for the first; 0: all writers are gone
    Pipe,      ///< (u64[2]): stores the file to read from and the one to write to
    Close,     ///< (file)
    Sbrk,      ///< (bytes): grows the heap by whole pages; its former end
    Slices,    ///< (pid): time slices the process has used up
    Timebase,  ///< (): ticks of `time` in a second
};

enum Errno : i64 {
    kNoEntry = -2,
    kBadFile = -9,
    kNoChild = -10,
    kNoMemory = -12,
    kBadAddress = -14,
    kBadArgument = -22,
    kBrokenPipe = -32,
    kNoCall = -38,
};

inline constexpr u64 kConsole = 1;     ///< file that every process has open
inline constexpr u64 kKilled = 255;    ///< exit code of a killed process
inline constexpr u64 kKilledBy = 128;  ///< exit code of a process killed by an exception: this plus the cause
inline constexpr u64 kStackSize = 256 * kKiB;

}  // namespace uc::mini
