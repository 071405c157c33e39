// SPDX-License-Identifier: MIT
// The calls that a guest's programs make by way of its management device.

#include "hv/guest_sbi.hpp"

namespace uc {

namespace {

/// As the SBI call of a kernel, but that addresses are offsets into the device's memory: a program has no say over the
/// guest's.
class ManagerSbi final : public GuestSbi {
  public:
    /// `lock` is the one that covers `device`.
    ManagerSbi(Vcpu& caller, ManagerDevice& device, SpinLock& lock) : GuestSbi(caller), device_(device), lock_(lock) {}

    bool is_guest_memory(Gpa offset, u64 size) override { return ManagerDevice::holds(offset.raw, size); }
    void read_guest(Gpa offset, std::span<u8> bytes) override {
        const LockGuard guard(lock_);
        device_.read_data(offset.raw, bytes);
    }
    void write_guest(Gpa offset, std::span<const u8> bytes) override {
        const LockGuard guard(lock_);
        device_.write_data(offset.raw, bytes);
    }

  private:
    ManagerDevice& device_;
    SpinLock& lock_;
};

}  // namespace

// Without the Devices lock: what happens to other guests takes locks that come before it. The store is over for its
// vCPU only when this returns, so that it finds the results in place.
void Guest::manage(Vcpu& vcpu, const ManagerCall& call) {
    ManagerSbi backend(vcpu, *manager_, devices_lock_);
    const sbi::Ret result = call_undercroft(backend, call.function, call.arguments);
    const LockGuard guard(devices_lock_);
    manager_->finish(result);
}

}  // namespace uc
