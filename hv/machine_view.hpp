// SPDX-License-Identifier: MIT
#pragma once
// The machine as the monitor sees it.

#include "hv/machine.hpp"
#include "hv/monitor_target.hpp"

namespace uc {

class MachineView final : public MonitorTarget {
  public:
    /// `memory` is what the guests have theirs of.
    MachineView(Machine& machine, const HostMemory& memory) : machine_(machine), memory_(memory) {}

    usize guest_count() override { return machine_.guests().size(); }
    MonitorGuest guest(usize number) override;
    MonitorVcpu vcpu(usize guest, unsigned number) override;
    std::optional<usize> attached() override;
    void attach(usize guest) override;
    MonitorStatus act(usize guest, GuestAction action) override;
    MemoryAccount memory() override { return account_of(memory_, machine_.guests()); }
    GuestAccount account(usize guest) override { return at(guest).account(); }
    MonitorStats stats(usize guest) override;
    std::span<const TracedExit> trace() override { return machine_.history().collect(ExitHistory::Reader::Monitor); }
    std::expected<GuestHart, MonitorError> registers(usize guest, unsigned vcpu) override;
    std::expected<MonitorWalk, MonitorError> walk(usize guest, unsigned vcpu, Gva va) override;
    bool read(usize guest, Gpa address, std::span<u8> bytes) override;
    void set_log_level(LogLevel level) override { the_log.set_level(level); }
    void quit() override { machine_.quit(); }

  private:
    [[nodiscard]] Guest& at(usize number) { return *machine_.guests()[number]; }

    Machine& machine_;
    const HostMemory& memory_;
};

}  // namespace uc
