// SPDX-License-Identifier: MIT
#include "emul/sbi_undercroft.hpp"

#include "emul/sbi_extensions.hpp"

namespace uc {
namespace {

using sbi::Error;
using namespace sbi::undercroft;

SbiReply guest_info(const SbiCall& call) {
    const auto record = call.backend.guest_record(call.arg(0));
    if (!record) return Error::InvalidParam;
    const Gpa to{call.arg(1)};
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
    if (call.fid > GuestAct) return Error::NotSupported;
    if (!call.backend.is_manager()) return Error::Denied;
    switch (call.fid) {
        case GuestCount: return SbiReply::value(call.backend.guest_count());
        case GuestInfo: return guest_info(call);
        default: return guest_act(call);
    }
}

}  // namespace uc
