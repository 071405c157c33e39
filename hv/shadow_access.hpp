// SPDX-License-Identifier: MIT
#pragma once
// A guest's shadow tables, for one hart at a time, and flushes that reach all harts.

#include "hv/spin_lock.hpp"
#include "hv/vcpu.hpp"

namespace uc {

/// Discharges the flushes that a guest's Shadow owes, on behalf of the vCPU that has the Shadow lock.
class ShadowFlusher final : public TlbFlusher {
  public:
    /// `vcpus` are all of the guest's.
    explicit ShadowFlusher(std::span<Vcpu> vcpus) : vcpus_(vcpus) {}
    void set_caller(Vcpu& vcpu) { caller_ = &vcpu; }
    /// Does what `owed` says, on every hart that runs the guest unless it is local, and returns when all have.
    void flush_now(const TlbFlush& owed) override;

  private:
    std::span<Vcpu> vcpus_;
    Vcpu* caller_ = nullptr;
};

/// The right to use the shadow tables of `vcpu`'s guest, for the length of a scope. Others do not wait for the vCPU
/// from then on: it is Outside.
class [[nodiscard]] ShadowAccess {
  public:
    explicit ShadowAccess(Vcpu& vcpu);
    ~ShadowAccess();
    ShadowAccess(const ShadowAccess&) = delete;
    ShadowAccess& operator=(const ShadowAccess&) = delete;

    [[nodiscard]] Shadow* operator->() const;
    /// Discharges what a function of Shadow returned.
    void discharge(const TlbFlush& owed);

  private:
    Guest& guest_;
};

}  // namespace uc
