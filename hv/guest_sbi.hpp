// SPDX-License-Identifier: MIT
#pragma once
// What the SBI calls of a vCPU ask of its guest and of the machine.

#include "hv/shadow_access.hpp"

namespace uc {

/// One call of `caller`, which is Outside from its first wait on. Made for the call and gone with it.
class GuestSbi : public SbiBackend {
  public:
    explicit GuestSbi(Vcpu& caller) : caller_(caller), guest_(*caller.guest) {}
    /// Waits until all that the call asked of other vCPUs is as good as done.
    ~GuestSbi();
    GuestSbi(const GuestSbi&) = delete;
    GuestSbi& operator=(const GuestSbi&) = delete;

    u64 vcpu_count() override { return guest_.vcpus_.size(); }
    u64 mvendorid() override { return guest_.environment_.mvendorid; }
    u64 marchid() override { return guest_.environment_.marchid; }
    u64 mimpid() override { return guest_.environment_.mimpid; }
    void set_timer(unsigned vcpu, u64 deadline) override;
    void send_ipi(unsigned vcpu) override;
    void remote_fence_i(unsigned vcpu) override;
    void remote_sfence(unsigned vcpu, const SfenceRange& range) override;
    sbi::Error hart_start(unsigned vcpu, Gpa pc, u64 opaque) override;
    void hart_stop(unsigned vcpu) override;
    sbi::hsm::State hart_state(unsigned vcpu) override { return guest_.vcpus_[vcpu].state; }
    void hart_suspend(unsigned vcpu, bool retentive) override;
    SbiState& sbi_state(unsigned vcpu) override { return guest_.vcpus_[vcpu].sbi; }
    u32 hart_counters() override { return guest_.features_.counters; }
    u64 hart_counter(CsrNo number) override { return caller_.platform->counter(number); }
    u64 firmware_events(unsigned vcpu, sbi::pmu::FirmwareEvent event) override {
        return uc::firmware_events(guest_.vcpus_[vcpu], event);
    }
    bool misaligned_delegated() override { return guest_.environment_.misaligned_delegated; }
    void set_steal_time(unsigned vcpu, std::optional<Gpa> record) override {
        Vcpu& v = guest_.vcpus_[vcpu];
        v.steal_time.enable(record, v.entity.waited());
    }
    void system_reset(sbi::srst::Type type, sbi::srst::Reason reason) override;
    bool is_manager() override { return guest_.config_.manager && guest_.environment_.keeper != nullptr; }
    u64 guest_count() override { return guest_.environment_.keeper->guests().size(); }
    std::optional<sbi::undercroft::GuestRecord> guest_record(u64 guest) override;
    std::optional<sbi::undercroft::GuestMemoryRecord> guest_memory(u64 guest) override;
    sbi::undercroft::MachineMemoryRecord machine_memory() override;
    std::optional<sbi::undercroft::GuestExitsRecord> guest_exits(u64 guest, u64 kind) override;
    bool guest_act(u64 guest, sbi::undercroft::Action action) override;
    usize console_write(std::span<const u8> bytes) override;
    usize console_read(std::span<u8> bytes) override;
    bool is_guest_memory(Gpa address, u64 size) override { return guest_.ram_.contains(address, size); }
    void read_guest(Gpa address, std::span<u8> bytes) override;
    void write_guest(Gpa address, std::span<const u8> bytes) override;
    std::expected<u64, Exception> read_virtual(Gva address) override;

  private:
    [[nodiscard]] Guest* find(u64 guest) const;

    Vcpu& caller_;
    Guest& guest_;
    u64 fences_i_ = 0;     ///< bit n: vCPU n was asked for fence.i
    bool fenced_ = false;  ///< the call's range was fenced
    std::array<u64, kMaxVcpus> tickets_;
};

}  // namespace uc
