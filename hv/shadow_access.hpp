// SPDX-License-Identifier: MIT
#pragma once
// A guest's shadow tables, for one hart at a time.

#include "hv/guest.hpp"

namespace uc {

/// The right to use the shadow tables of `vcpu`'s guest, for the length of a scope. The vCPU may be Inside: it stays
/// there as long as it has to wait for nobody, and is Outside afterwards if it had to.
class [[nodiscard]] ShadowAccess {
  public:
    explicit ShadowAccess(Vcpu& vcpu) : vcpu_(vcpu), guest_(*vcpu.guest) {
        if (!guest_.shadow_lock_.try_lock()) [[unlikely]] {
            vcpu.mailbox.leave();
            guest_.shadow_lock_.lock();
        }
        guest_.flusher_.set_caller(vcpu);
    }
    ~ShadowAccess() { guest_.shadow_lock_.unlock(); }
    ShadowAccess(const ShadowAccess&) = delete;
    ShadowAccess& operator=(const ShadowAccess&) = delete;

    [[nodiscard]] Shadow* operator->() const { return &guest_.shadow(); }
    /// Discharges what a function of Shadow returned.
    [[gnu::always_inline]] void discharge(const TlbFlush& owed) {
        if (owed.empty()) return;
        if (owed.local || guest_.vcpus().size() == 1) return vcpu_.platform->flush(owed);
        guest_.flusher_.flush_now(owed);
    }

  private:
    Vcpu& vcpu_;
    Guest& guest_;
};

}  // namespace uc
