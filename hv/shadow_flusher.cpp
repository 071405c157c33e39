// SPDX-License-Identifier: MIT
#include "hv/shadow_flusher.hpp"

#include "hv/guest.hpp"

namespace uc {

void ShadowFlusher::flush_now(const TlbFlush& owed) {
    if (owed.local || vcpus_.size() == 1) return caller_->platform->flush(owed);
    caller_->mailbox.leave();  // two that wait for each other would wait for ever
    // First all are told, then all are waited for. A vCPU that does not run at the moment fences before it does.
    std::array<u64, kMaxVcpus> tickets;
    for (usize i = 0; i < vcpus_.size(); ++i) {
        Vcpu& vcpu = vcpus_[i];
        if (&vcpu == caller_) continue;
        const auto tell = [&](Request request) {
            const Posted posted = vcpu.mailbox.post(request);
            vcpu.guest->reach(vcpu, posted);
            // The later one tells for both: who has left the guest in between has taken the first.
            tickets[i] = posted.ticket;
        };
        if (owed.kind != TlbFlush::Kind::None) tell(Request::Fence);
        if (owed.fetch) tell(Request::FenceI);
    }
    caller_->platform->flush(owed);
    for (usize i = 0; i < vcpus_.size(); ++i) {
        if (&vcpus_[i] != caller_) vcpus_[i].mailbox.await(tickets[i], [] {});
    }
}

}  // namespace uc
