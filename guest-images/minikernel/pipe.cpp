// SPDX-License-Identifier: MIT
#include "guest-images/minikernel/pipe.hpp"

#include "guest-images/minikernel/frames.hpp"
#include "guest-images/minikernel/process.hpp"

#include <algorithm>

namespace uc::mini {

static_assert(sizeof(Pipe) <= kPageSize);

u64 Pipe::read(std::span<u8> to) {
    const u64 n = std::min<u64>(to.size(), write_count - read_count);
    for (u64 i = 0; i < n; ++i) to[i] = ring[read_count++ % sizeof(ring)];
    if (n != 0) wake(this);
    return n;
}

u64 Pipe::write(std::span<const u8> from) {
    const u64 n = std::min<u64>(from.size(), sizeof(ring) - (write_count - read_count));
    for (u64 i = 0; i < n; ++i) ring[write_count++ % sizeof(ring)] = from[i];
    if (n != 0) wake(this);
    return n;
}

File File::duplicate() const {
    if (kind == Kind::PipeReader) ++pipe->readers;
    if (kind == Kind::PipeWriter) ++pipe->writers;
    return *this;
}

void File::close() {
    if (kind == Kind::PipeReader) --pipe->readers;
    if (kind == Kind::PipeWriter) --pipe->writers;
    if (pipe != nullptr) {
        wake(pipe);
        if (pipe->readers + pipe->writers == 0) frames::release(physical(pipe));
    }
    *this = {};
}

bool open_pipe(File& reader, File& writer) {
    const auto frame = frames::allocate();
    if (!frame) return false;
    auto* pipe = direct<Pipe>(*frame);
    pipe->readers = pipe->writers = 1;
    reader = {File::Kind::PipeReader, pipe};
    writer = {File::Kind::PipeWriter, pipe};
    return true;
}

}  // namespace uc::mini
