// SPDX-License-Identifier: MIT
#include "hv/firmware_events.hpp"

#include "hv/vcpu.hpp"

namespace uc {

// Traps that the bare machine's firmware would have passed on are those that end at the guest.
u64 firmware_events(const Vcpu& vcpu, sbi::pmu::FirmwareEvent event) {
    const ExitStats& stats = vcpu.stats;
    switch (event) {
        case sbi::pmu::MisalignedLoad: return stats.passed_on(Cause::LoadMisaligned);
        case sbi::pmu::MisalignedStore: return stats.passed_on(Cause::StoreMisaligned);
        case sbi::pmu::AccessLoad: return stats.passed_on(Cause::LoadAccess);
        case sbi::pmu::AccessStore: return stats.passed_on(Cause::StoreAccess);
        case sbi::pmu::IllegalInsn: return stats.of(ExitReason::Illegal).count.get();
        default: return vcpu.received.of(event);
    }
}

}  // namespace uc
