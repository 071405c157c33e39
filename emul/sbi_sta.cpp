// SPDX-License-Identifier: MIT
// Steal-time accounting (SBI 2.0, chapter 16): where a vCPU is told for how long it had to wait for a hart.
#include "emul/sbi_extensions.hpp"

namespace uc {

using sbi::Error;

SbiReply sbi_steal_time(const SbiCall& call) {
    if (call.fid != sbi::sta::SetShmem) return Error::NotSupported;
    constexpr u64 kNowhere = ~0ull;
    constexpr sbi::sta::Record kEmpty{};
    const u64 low = call.arg(0), high = call.arg(1);
    if (call.arg(2) != 0) return Error::InvalidParam;
    if (low == kNowhere && high == kNowhere) {
        call.backend.set_steal_time(call.self, std::nullopt);
        return Error::Success;
    }
    const Gpa record{low};
    if (!is_aligned(low, sizeof kEmpty)) return Error::InvalidParam;
    // No physical address has a bit 64.
    if (high != 0 || !call.backend.is_guest_memory(record, sizeof kEmpty)) return Error::InvalidAddress;
    call.backend.write_guest(record, {reinterpret_cast<const u8*>(&kEmpty), sizeof kEmpty});
    call.backend.set_steal_time(call.self, record);
    return Error::Success;
}

}  // namespace uc
