// SPDX-License-Identifier: MIT
#include "hv/arch/sbi_call.hpp"

#include "hv/arch/csr_access.hpp"

namespace uc::arch {

bool sbi_probe(sbi::Ext ext) {
    const auto ret = sbi_call(sbi::Ext::Base, sbi::base::ProbeExtension, static_cast<u64>(ext));
    return ret.error == sbi::Error::Success && ret.value != 0;
}

Firmware probe_firmware() {
    const auto base = [](u64 fid) { return sbi_call(sbi::Ext::Base, fid).value; };
    return {
        .spec_version = base(sbi::base::SpecVersion),
        .impl_id = base(sbi::base::ImplId),
        .impl_version = base(sbi::base::ImplVersion),
        .mvendorid = base(sbi::base::Mvendorid),
        .marchid = base(sbi::base::Marchid),
        .mimpid = base(sbi::base::Mimpid),
        .time = sbi_probe(sbi::Ext::Time),
        .ipi = sbi_probe(sbi::Ext::Ipi),
        .rfence = sbi_probe(sbi::Ext::Rfence),
        .hsm = sbi_probe(sbi::Ext::Hsm),
        .srst = sbi_probe(sbi::Ext::Srst),
        .dbcn = sbi_probe(sbi::Ext::Dbcn),
        .pmu = sbi_probe(sbi::Ext::Pmu),
        .misaligned_delegated =
            sbi_probe(sbi::Ext::Fwft) &&
            sbi_call(sbi::Ext::Fwft, sbi::fwft::Get, sbi::fwft::MisalignedExcDeleg) == sbi::Ret{sbi::Error::Success, 1},
    };
}

void sbi_console_write(std::string_view text, u64 pa, bool dbcn) {
    if (dbcn) {
        while (!text.empty()) {
            const auto ret = sbi_call(sbi::Ext::Dbcn, sbi::dbcn::Write, text.size(), pa, 0);
            if (ret.error != sbi::Error::Success) break;
            text.remove_prefix(ret.value);
            pa += ret.value;
        }
    }
    for (const char c : text) sbi_call(sbi::Ext::LegacyPutchar, 0, static_cast<u8>(c));
}

void sbi_system_reset(sbi::srst::Type type, sbi::srst::Reason reason) {
    if (sbi_probe(sbi::Ext::Srst)) sbi_call(sbi::Ext::Srst, sbi::srst::Reset, type, reason);
    sbi_call(sbi::Ext::LegacyShutdown, 0);
    for (;;) wait_for_interrupt();
}

void early_die(std::string_view line) {
    sbi_console_write(line, reinterpret_cast<u64>(line.data()), sbi_probe(sbi::Ext::Dbcn));
    sbi_system_reset(sbi::srst::Shutdown, sbi::srst::SystemFailure);
}

}  // namespace uc::arch
