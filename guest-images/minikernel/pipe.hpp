// SPDX-License-Identifier: MIT
#pragma once
// Open files: the console, or one end of a pipe.

#include "isa/types.hpp"

#include <span>

namespace uc::mini {

/// A ring of bytes between the holders of its two ends. Lives in a frame of its own until both ends are closed.
struct Pipe {
    u64 readers, writers;
    u64 read_count, write_count;  ///< bytes ever read and written
    u8 ring[512];

    /// Moves as many bytes as there are, or as there is room for.
    [[nodiscard]] u64 read(std::span<u8> to);
    [[nodiscard]] u64 write(std::span<const u8> from);
};

struct File {
    enum class Kind : u8 { Closed, Console, PipeReader, PipeWriter };

    Kind kind = Kind::Closed;
    Pipe* pipe = nullptr;

    /// Another handle to the same thing, as fork needs it.
    [[nodiscard]] File duplicate() const;
    /// Closes the handle and wakes who waits at the pipe's other end.
    void close();
};

/// Opens both ends of a new pipe; false: out of memory.
[[nodiscard]] bool open_pipe(File& reader, File& writer);

}  // namespace uc::mini
