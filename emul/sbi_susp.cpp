// SPDX-License-Identifier: MIT
// System suspend (SBI 2.0, chapter 13). The system is the guest.
#include "emul/sbi_extensions.hpp"

namespace uc {

using sbi::Error;

SbiReply sbi_system_suspend(const SbiCall& call) {
    if (call.fid != sbi::susp::SystemSuspend) return Error::NotSupported;
    // The other types are reserved, or a platform's that this is not.
    if (call.arg32(0) != sbi::susp::kSuspendToRam) return Error::InvalidParam;
    const u64 resume = call.arg(1);
    if (!is_entry(call, resume)) return Error::InvalidAddress;
    const u64 count = call.backend.vcpu_count();
    for (unsigned vcpu = 0; vcpu < count; ++vcpu) {
        if (vcpu != call.self && call.backend.hart_state(vcpu) != sbi::hsm::Stopped) return Error::Denied;
    }
    enter_supervisor(call.hart, call.self, call.arg(2));
    call.backend.hart_suspend(call.self, false);
    return Outcome::jump(resume);
}

}  // namespace uc
