// SPDX-License-Identifier: MIT
#pragma once
// The machine, as the monitor sees it.

#include <array>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "emul/guest_hart.hpp"
#include "hv/exit_history.hpp"
#include "hv/guest_action.hpp"
#include "hv/guest_resources.hpp"
#include "hv/log.hpp"
#include "hv/page_table_view.hpp"
#include "hv/text.hpp"
#include "isa/cause.hpp"

namespace uc {

/// Why something could not be done: one line without the guest's name.
using MonitorError = Text<160>;
using MonitorStatus = std::expected<void, MonitorError>;

struct MonitorGuest {
    std::string_view name;
    std::string_view state;  ///< "running", "paused", ...
    bool live = false;       ///< has something to lose: running or paused
    u64 memory = 0;          ///< bytes
    unsigned vcpus = 0;
};

struct MonitorVcpu {
    std::string_view state;   ///< "running", "waiting", "stopped", ...
    std::optional<u64> hart;  ///< the host hart it runs on, or ran on last
    u64 exits = 0;
    u64 pc = 0;
    Priv priv = Priv::S;
    u64 warnings = 0;  ///< told by the Watchman
};

/// Exits of one kind.
struct MonitorExits {
    u64 count = 0;
    u64 ns = 0;  ///< spent on them in the hypervisor; 0: not measured
};
using MonitorStats = std::array<MonitorExits, kExitReasons>;

/// One address seen by the guest and by the hardware that runs it.
struct MonitorWalk {
    u16 asid = 0;  ///< the guest's
    PageTableView guest;
    PageTableView shadow;
};

/// Guests are numbered from 0 in the order they were made, vCPUs within their guest. The monitor asks only for those
/// that exist.
class MonitorTarget {
  public:
    [[nodiscard]] virtual usize guest_count() = 0;
    [[nodiscard]] virtual MonitorGuest guest(usize number) = 0;
    [[nodiscard]] virtual MonitorVcpu vcpu(usize guest, unsigned number) = 0;
    /// The guest that has the terminal; nullopt: none.
    [[nodiscard]] virtual std::optional<usize> attached() = 0;
    virtual void attach(usize guest) = 0;
    [[nodiscard]] virtual MonitorStatus act(usize guest, GuestAction action) = 0;
    [[nodiscard]] virtual MemoryAccount memory() = 0;
    [[nodiscard]] virtual GuestAccount account(usize guest) = 0;
    /// All exits since the guest was made, of all its vCPUs.
    [[nodiscard]] virtual MonitorStats stats(usize guest) = 0;
    /// The last exits and marks of all harts, the newest at the end. Valid until the next call.
    [[nodiscard]] virtual std::span<const TracedExit> trace() = 0;
    /// The registers of a vCPU that need not be still.
    [[nodiscard]] virtual std::expected<GuestHart, MonitorError> registers(usize guest, unsigned vcpu) = 0;
    /// What becomes of `va` in the vCPU's address space of the moment, without effect on the guest. view_guest_tables()
    /// and view_shadow_entry() make the two views.
    [[nodiscard]] virtual std::expected<MonitorWalk, MonitorError> walk(usize guest, unsigned vcpu, Gva va) = 0;
    /// Memory only, never devices: false where any of it is not.
    [[nodiscard]] virtual bool read(usize guest, Gpa address, std::span<u8> bytes) = 0;
    virtual void set_log_level(LogLevel level) = 0;
    /// Ends all guests and the machine, successfully. May return: the end comes once the monitor has.
    virtual void quit() = 0;

  protected:
    ~MonitorTarget() = default;
};

}  // namespace uc
