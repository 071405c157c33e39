// SPDX-License-Identifier: MIT
#pragma once
// The harts beside the one that boots: firmware is asked to start them, and they wait until all is ready.

#include <atomic>
#include <new>

#include "hv/arch/hart.hpp"
#include "hv/arch/host_map.hpp"
#include "hv/runner.hpp"

namespace uc::arch {

/// What a hart finds on its way in. boot.S reads it at its physical address, which stands in uc_expected_entry.
struct HartEntry {
    u64 satp = 0;
    u64 continue_at = 0;  ///< virtual
    u64 stack_top = 0;    ///< virtual
    u64 argument = 0;     ///< virtual address of the SecondaryHart
    u64 refused = 0;      ///< set by a hart that does not have the translation mode of `satp`
    u64 hart = 0;         ///< its id: no other hart may use this
};

/// All that such a hart has for itself. Lives in pages of its own, for good.
class SecondaryHart {
  public:
    /// Has firmware start the hart, which tells what it can do; null, with a warning in the log, when there is none to
    /// be had: it cannot be started, cannot use the hypervisor's tables, or there is no memory for it.
    [[nodiscard]] static SecondaryHart* start(const HostHart& host, HostMap& map, HostMemory& memory);

    [[nodiscard]] const HartAbilities& abilities() const { return abilities_; }
    [[nodiscard]] Hart& hart() { return hart_; }
    /// Makes its runner, before release().
    Runner& emplace_runner(uc::Machine& machine, unsigned number) {
        return runner_.emplace(machine, hart_, number, id_);
    }
    /// Lets it run guests. `common` is what harts have in common.
    void release(const Hart::Machine& common);

    /// What the hart itself does; returns when the machine is over.
    void main();

  private:
    enum class Stage : u32 { Starting, Ready, GivenUp, Released };

    explicit SecondaryHart(const HostHart& host) : id_(host.id), named_sstc_(host.isa.has("sstc")), hart_(host.id) {}
    [[nodiscard]] bool wait_until_ready();

    HartEntry entry_;
    u64 id_;
    bool named_sstc_;
    std::atomic<Stage> stage_{Stage::Starting};
    HartAbilities abilities_;
    Hart hart_;
    Hart::Machine common_;
    std::optional<Runner> runner_;
};

}  // namespace uc::arch
