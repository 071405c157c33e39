// SPDX-License-Identifier: MIT
#include "hv/vcpu_switch.hpp"

#include "hv/guest.hpp"

namespace uc {

namespace {

auto counters_of_hart(Vcpu& vcpu) {
    return [&platform = *vcpu.platform](unsigned n) {
        return platform.counter(n == VirtualCounters::kCycle ? CsrNo::cycle : CsrNo::instret);
    };
}

}  // namespace

void begin_stay(Vcpu& vcpu) {
    vcpu.steal_time.running(vcpu, vcpu.entity.waited());
    vcpu.hart().counters.arrive(counters_of_hart(vcpu));
}

void end_stay(Vcpu& vcpu, bool ready) {
    if (ready) vcpu.steal_time.preempted(vcpu);
    vcpu.hart().counters.leave(counters_of_hart(vcpu));
}

}  // namespace uc
