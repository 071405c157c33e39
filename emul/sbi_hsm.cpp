// SPDX-License-Identifier: MIT
// Hart state management (SBI 2.0, chapter 9).
#include "emul/sbi_extensions.hpp"

namespace uc {
namespace {

using sbi::Error;

SbiReply start(const SbiCall& call) {
    const u64 target = call.arg(0);
    if (target >= call.backend.vcpu_count()) return Error::InvalidParam;
    if (!is_entry(call, call.arg(1))) return Error::InvalidAddress;
    return call.backend.hart_start(static_cast<unsigned>(target), Gpa{call.arg(1)}, call.arg(2));
}

SbiReply status(const SbiCall& call) {
    const u64 target = call.arg(0);
    if (target >= call.backend.vcpu_count()) return Error::InvalidParam;
    return SbiReply::value(call.backend.hart_state(static_cast<unsigned>(target)));
}

/// Only the two default types exist; the others are reserved, or a platform's that this is not.
SbiReply suspend(const SbiCall& call) {
    switch (call.arg32(0)) {
        case sbi::hsm::kSuspendRetentive: call.backend.hart_suspend(call.self, true); return Error::Success;
        case sbi::hsm::kSuspendNonRetentive: break;
        default: return Error::InvalidParam;
    }
    const u64 resume = call.arg(1);
    if (!is_entry(call, resume)) return Error::InvalidAddress;
    enter_supervisor(call.hart, call.self, call.arg(2));
    call.backend.hart_suspend(call.self, false);
    return Outcome::jump(resume);
}

}  // namespace

bool is_entry(const SbiCall& call, u64 pc) { return pc % 2 == 0 && call.backend.is_guest_memory(Gpa{pc}, 2); }

SbiReply sbi_hsm(const SbiCall& call) {
    switch (call.fid) {
        case sbi::hsm::Start: return start(call);
        case sbi::hsm::Stop: call.backend.hart_stop(call.self); return Outcome::leave();
        case sbi::hsm::Status: return status(call);
        case sbi::hsm::Suspend: return suspend(call);
        default: return Error::NotSupported;
    }
}

}  // namespace uc
