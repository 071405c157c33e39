// SPDX-License-Identifier: MIT
#include "emul/sbi_server.hpp"

#include <array>

#include "emul/sbi_extensions.hpp"

namespace uc {
namespace {

using sbi::Error;
using sbi::Ext;

constexpr unsigned kA0 = 10;
constexpr unsigned kA1 = 11;
constexpr unsigned kA6 = 16;
constexpr unsigned kA7 = 17;
constexpr u64 kEcallBytes = 4;

[[nodiscard]] bool is_offered(u64 eid);

SbiReply base(const SbiCall& call) {
    switch (call.fid) {
        case sbi::base::SpecVersion: return SbiReply::value(kSbiSpecVersion);
        case sbi::base::ImplId: return SbiReply::value(kSbiImplId);
        case sbi::base::ImplVersion: return SbiReply::value(kSbiImplVersion);
        case sbi::base::ProbeExtension: return SbiReply::value(is_offered(call.arg(0)));
        case sbi::base::Mvendorid: return SbiReply::value(call.backend.mvendorid());
        case sbi::base::Marchid: return SbiReply::value(call.backend.marchid());
        case sbi::base::Mimpid: return SbiReply::value(call.backend.mimpid());
        default: return Error::NotSupported;
    }
}

SbiReply time(const SbiCall& call) {
    if (call.fid != sbi::time::SetTimer) return Error::NotSupported;
    set_timer(call, call.arg(0));
    return Error::Success;
}

SbiReply ipi(const SbiCall& call) {
    if (call.fid != sbi::ipi::SendIpi) return Error::NotSupported;
    const std::optional<HartSet> harts = HartSet::of(call.arg(0), call.arg(1), call.backend.vcpu_count());
    if (!harts) return Error::InvalidParam;
    harts->for_each([&](unsigned vcpu) { send_ipi(call, vcpu); });
    return Error::Success;
}

/// Types and reasons that are not defined, vendors' and implementations' among them, are not implemented either
/// (SBI 2.0, chapter 10).
SbiReply system_reset(const SbiCall& call) {
    if (call.fid != sbi::srst::Reset) return Error::NotSupported;
    const u32 type = call.arg32(0);
    const u32 reason = call.arg32(1);
    if (type > sbi::srst::WarmReboot || reason > sbi::srst::SystemFailure) return Error::InvalidParam;
    call.backend.system_reset(static_cast<sbi::srst::Type>(type), static_cast<sbi::srst::Reason>(reason));
    return Outcome::leave();
}

struct Extension {
    u64 first;
    u64 last;
    SbiReply (*handler)(const SbiCall&);
};

constexpr Extension one(Ext ext, SbiReply (*handler)(const SbiCall&)) {
    return {static_cast<u64>(ext), static_cast<u64>(ext), handler};
}

/// Ordered by how often kernels call; an extension is offered by being here.
constexpr std::array kExtensions{
    one(Ext::Time, time),
    one(Ext::Ipi, ipi),
    one(Ext::Rfence, sbi_rfence),
    one(Ext::Hsm, sbi_hsm),
    one(Ext::Dbcn, sbi_debug_console),
    one(Ext::Pmu, sbi_pmu),
    Extension{static_cast<u64>(Ext::LegacySetTimer), static_cast<u64>(Ext::LegacyShutdown), sbi_legacy},
    one(Ext::Base, base),
    one(Ext::Srst, system_reset),
    one(Ext::Susp, sbi_system_suspend),
    one(Ext::Sta, sbi_steal_time),
    one(Ext::Fwft, sbi_firmware_features),
    Extension{sbi::undercroft::kExt, sbi::undercroft::kExt, sbi_undercroft},
};

[[nodiscard]] const Extension* find_extension(u64 eid) {
    for (const Extension& e : kExtensions) {
        if (eid >= e.first && eid <= e.last) return &e;
    }
    return nullptr;
}

[[nodiscard]] bool is_offered(u64 eid) { return find_extension(eid) != nullptr; }

[[nodiscard]] constexpr bool is_legacy(u64 eid) { return eid <= static_cast<u64>(Ext::LegacyShutdown); }

}  // namespace

void enter_supervisor(GuestHart& hart, u64 hart_id, u64 opaque) {
    hart.priv = Priv::S;
    hart.satp = {};
    hart.sstatus.set(Sstatus::SIE, 0);
    hart.set_x(kA0, hart_id);
    hart.set_x(kA1, opaque);
}

Outcome sbi_call(GuestHart& hart, unsigned self, SbiBackend& backend) {
    const SbiCall call{hart, self, backend, hart.get_x(kA7), hart.get_x(kA6)};
    const Extension* extension = find_extension(call.eid);
    const SbiReply reply = extension ? extension->handler(call) : SbiReply{Error::NotSupported};
    if (reply.instead) return *reply.instead;
    hart.set_x(kA0, static_cast<u64>(reply.a0));
    if (!is_legacy(call.eid)) hart.set_x(kA1, reply.a1);
    return Outcome::advance(kEcallBytes);
}

}  // namespace uc
