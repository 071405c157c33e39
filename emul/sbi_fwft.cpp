// SPDX-License-Identifier: MIT
// Firmware features (SBI 3.0, chapter 18). Of those that are defined, one depends on nothing that guests lack: who
// handles misaligned accesses. The hart below is the firmware's to set up, for all guests alike, so a guest is told how
// it is, and may ask for just that.
#include "emul/sbi_extensions.hpp"

namespace uc {
namespace {

using sbi::Error;
using namespace sbi::fwft;

/// Whether a call about `feature` can succeed, and what it says if not.
Error available(u32 feature) {
    switch (feature) {
        case MisalignedExcDeleg: return Error::Success;
        case LandingPad:
        case ShadowStack:
        case DoubleTrap:
        case PteAdHwUpdating:
        case PointerMaskingPmlen: return Error::NotSupported;  // they need extensions that guests do not have
        default: return Error::Denied;                         // reserved, or a platform's that this is not
    }
}

SbiReply set(const SbiCall& call) {
    if (const Error error = available(call.arg32(0)); error != Error::Success) return error;
    const u64 value = call.arg(1), flags = call.arg(2);
    if (value > 1 || (flags & ~kLock) != 0) return Error::InvalidParam;
    bool& locked = call.backend.sbi_state(call.self).misaligned_locked;
    if (locked) return Error::DeniedLocked;
    if ((value != 0) != call.backend.misaligned_delegated()) return Error::Denied;
    locked = flags == kLock;
    return Error::Success;
}

}  // namespace

SbiReply sbi_firmware_features(const SbiCall& call) {
    if (call.fid == Set) return set(call);
    if (call.fid != Get) return Error::NotSupported;
    if (const Error error = available(call.arg32(0)); error != Error::Success) return error;
    return SbiReply::value(call.backend.misaligned_delegated() ? 1 : 0);
}

}  // namespace uc
