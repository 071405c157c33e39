// SPDX-License-Identifier: MIT
#pragma once
// Flushes that reach all harts.

#include <span>

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

}  // namespace uc
