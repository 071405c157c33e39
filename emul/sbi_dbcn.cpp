// SPDX-License-Identifier: MIT
// Debug console (SBI 2.0, chapter 12).
#include <algorithm>
#include <array>

#include "emul/sbi_extensions.hpp"

namespace uc {
namespace {

using sbi::Error;

constexpr usize kChunk = 256;
/// Most bytes moved by one call: the specification lets calls do part of the work, and a guest must not keep its hart
/// in the hypervisor for as long as its memory is large.
constexpr u64 kMost = 4096;

/// Moves min(count, kMost) bytes from `address` on, chunk by chunk, until `move` does less than it was given.
template <class Move>
[[nodiscard]] u64 move_chunks(Gpa address, u64 count, Move&& move) {
    std::array<u8, kChunk> buffer;
    count = std::min(count, kMost);
    u64 done = 0;
    while (done < count) {
        const std::span<u8> chunk = std::span{buffer}.first(std::min<u64>(kChunk, count - done));
        const usize moved = move(address + done, chunk);
        done += moved;
        if (moved < chunk.size()) break;
    }
    return done;
}

SbiReply transfer(const SbiCall& call) {
    const u64 count = call.arg(0);
    const Gpa address{call.arg(1)};
    if (call.arg(2) != 0) return Error::InvalidParam;  // no physical address has a bit 64
    if (count == 0) return SbiReply::value(0);
    SbiBackend& backend = call.backend;
    if (!backend.is_guest_memory(address, count)) return Error::InvalidParam;

    if (call.fid == sbi::dbcn::Write) {
        return SbiReply::value(move_chunks(address, count, [&](Gpa at, std::span<u8> chunk) {
            backend.read_guest(at, chunk);
            return backend.console_write(chunk);
        }));
    }
    return SbiReply::value(move_chunks(address, count, [&](Gpa at, std::span<u8> chunk) {
        const usize got = backend.console_read(chunk);
        backend.write_guest(at, chunk.first(got));
        return got;
    }));
}

}  // namespace

SbiReply sbi_debug_console(const SbiCall& call) {
    switch (call.fid) {
        case sbi::dbcn::Write:
        case sbi::dbcn::Read: return transfer(call);
        case sbi::dbcn::WriteByte: break;
        default: return Error::NotSupported;
    }
    const u8 byte = static_cast<u8>(call.arg(0));
    if (call.backend.console_write({&byte, 1}) == 0) return Outcome::retry();
    return Error::Success;
}

}  // namespace uc
