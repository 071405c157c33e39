// SPDX-License-Identifier: MIT
#include "emul/sbi_undercroft.hpp"

#include "emul/sbi_extensions.hpp"

namespace uc {
namespace {

using sbi::Error;
using namespace sbi::undercroft;

template <class Record>
SbiReply write(const SbiCall& call, const std::optional<Record>& record, Gpa to) {
    if (!record) return Error::InvalidParam;
    if (!is_aligned(to.raw, 8) || !call.backend.is_guest_memory(to, sizeof *record)) return Error::InvalidAddress;
    const auto* bytes = reinterpret_cast<const u8*>(&*record);
    call.backend.write_guest(to, {bytes, sizeof *record});
    return Error::Success;
}

SbiReply guest_act(const SbiCall& call) {
    if (!call.backend.guest_record(call.arg(0)) || call.arg(1) >= Actions) return Error::InvalidParam;
    return call.backend.guest_act(call.arg(0), static_cast<Action>(call.arg(1))) ? Error::Success : Error::Failed;
}

}  // namespace

SbiReply sbi_undercroft(const SbiCall& call) {
    if (call.fid == Version) return SbiReply::value(kSbiImplVersion);
    if (call.fid > GuestExits) return Error::NotSupported;
    if (!call.backend.is_manager()) return Error::Denied;
    switch (call.fid) {
        case GuestCount: return SbiReply::value(call.backend.guest_count());
        case GuestInfo: return write(call, call.backend.guest_record(call.arg(0)), Gpa{call.arg(1)});
        case GuestMemory: return write(call, call.backend.guest_memory(call.arg(0)), Gpa{call.arg(1)});
        case MachineMemory: return write(call, std::optional(call.backend.machine_memory()), Gpa{call.arg(0)});
        case GuestExits: return write(call, call.backend.guest_exits(call.arg(0), call.arg(1)), Gpa{call.arg(2)});
        default: return guest_act(call);
    }
}

sbi::Ret call_undercroft(SbiBackend& backend, u64 fid, std::span<const u64, 6> arguments) {
    GuestHart hart;  // whose registers they are taken from
    for (unsigned n = 0; n < arguments.size(); ++n) hart.set_x(10 + n, arguments[n]);
    const SbiReply reply = sbi_undercroft({hart, 0, backend, kExt, fid});
    return {static_cast<Error>(reply.a0), reply.a1};
}

}  // namespace uc
