// SPDX-License-Identifier: MIT
// The calls of SBI 0.1 (SBI 2.0, chapter 5): one extension each, a6 ignored, a bare long in a0.
#include "emul/sbi_extensions.hpp"

namespace uc {
namespace {

using sbi::Error;
using sbi::Ext;

SbiReply putchar(const SbiCall& call) {
    const u8 byte = static_cast<u8>(call.arg(0));
    if (call.backend.console_write({&byte, 1}) == 0) return Outcome::retry();
    return SbiReply::legacy(0);
}

SbiReply getchar(const SbiCall& call) {
    u8 byte = 0;
    return SbiReply::legacy(call.backend.console_read({&byte, 1}) == 1 ? byte : -1);
}

SbiReply clear_ipi(const SbiCall& call) {
    const bool was_pending = call.hart.sip.get(Sip::SSIP) != 0;
    call.hart.sip.set(Sip::SSIP, 0);
    return SbiReply::legacy(was_pending);
}

/// Acts on each hart of the bit vector that a0 points to in the guest's virtual memory; a null pointer means all, as
/// in every firmware that Linux met. A page that faults midway makes the guest repeat the call, which these actions
/// don't mind.
template <class Action>
SbiReply for_each_hart(const SbiCall& call, Action&& action) {
    const u64 pointer = call.arg(0);
    const u64 count = call.backend.vcpu_count();
    for (u64 first = 0; first < count; first += 64) {
        u64 mask = ~0ull;
        if (pointer != 0) {
            const std::expected<u64, Exception> word = call.backend.read_virtual(Gva{pointer + first / 8});
            if (!word) return Outcome::inject(word.error());
            mask = *word;
        }
        HartSet::existing(mask, first, count).for_each(action);
    }
    return SbiReply::legacy(0);
}

SbiReply remote_sfence(const SbiCall& call, std::optional<u16> asid) {
    const auto range = sfence_range(call.arg(1), call.arg(2), asid);
    if (!range) return range.error();
    return for_each_hart(call, [&](unsigned vcpu) {
        if (*range) send_sfence(call, vcpu, **range);
    });
}

}  // namespace

SbiReply sbi_legacy(const SbiCall& call) {
    SbiBackend& backend = call.backend;
    switch (static_cast<Ext>(call.eid)) {
        case Ext::LegacySetTimer: set_timer(call, call.arg(0)); return SbiReply::legacy(0);
        case Ext::LegacyPutchar: return putchar(call);
        case Ext::LegacyGetchar: return getchar(call);
        case Ext::LegacyClearIpi: return clear_ipi(call);
        case Ext::LegacySendIpi: return for_each_hart(call, [&](unsigned vcpu) { send_ipi(call, vcpu); });
        case Ext::LegacyRemoteFenceI: return for_each_hart(call, [&](unsigned vcpu) { send_fence_i(call, vcpu); });
        case Ext::LegacyRemoteSfenceVma: return remote_sfence(call, std::nullopt);
        case Ext::LegacyRemoteSfenceVmaAsid: return remote_sfence(call, static_cast<u16>(call.arg(3)));
        case Ext::LegacyShutdown: backend.system_reset(sbi::srst::Shutdown, sbi::srst::None); return Outcome::leave();
        default: return Error::NotSupported;
    }
}

}  // namespace uc
