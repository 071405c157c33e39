// SPDX-License-Identifier: MIT
// Remote fences (SBI 2.0, chapter 8). The hypervisor fences, functions 3 to 6, belong to an extension guests lack.
#include "emul/sbi_extensions.hpp"

namespace uc {

std::expected<std::optional<SfenceRange>, sbi::Error> sfence_range(u64 start, u64 size, std::optional<u16> asid) {
    if ((start == 0 && size == 0) || size == SfenceRange::kEverything) {
        return SfenceRange{Gva{0}, SfenceRange::kEverything, asid};
    }
    if (size == 0) return std::nullopt;
    if (size - 1 > ~start) return std::unexpected(sbi::Error::InvalidAddress);  // past the last address
    return SfenceRange{Gva{start}, size, asid};
}

SbiReply sbi_rfence(const SbiCall& call) {
    if (call.fid > sbi::rfence::SfenceVmaAsid) return sbi::Error::NotSupported;
    const std::optional<HartSet> harts = HartSet::of(call.arg(0), call.arg(1), call.backend.vcpu_count());
    if (!harts) return sbi::Error::InvalidParam;

    if (call.fid == sbi::rfence::FenceI) {
        harts->for_each([&](unsigned vcpu) { send_fence_i(call, vcpu); });
        return sbi::Error::Success;
    }
    // As in rs2 of sfence.vma, bits above those of an ASID are ignored (Privileged 1.12, 4.2.1).
    std::optional<u16> asid;
    if (call.fid == sbi::rfence::SfenceVmaAsid) asid = static_cast<u16>(call.arg(4));
    const auto range = sfence_range(call.arg(2), call.arg(3), asid);
    if (!range) return range.error();
    if (*range) harts->for_each([&](unsigned vcpu) { send_sfence(call, vcpu, **range); });
    return sbi::Error::Success;
}

}  // namespace uc
