// SPDX-License-Identifier: MIT
#pragma once
// A guest: its memory, its devices, its vCPUs, and its life from creation to its end.

#include <span>

#include "emul/decode.hpp"
#include "emul/features.hpp"
#include "emul/goldfish_rtc.hpp"
#include "emul/manager_device.hpp"
#include "emul/plic.hpp"
#include "emul/sbi_server.hpp"
#include "emul/syscon.hpp"
#include "emul/uart16550.hpp"
#include "hv/console.hpp"
#include "hv/guest_action.hpp"
#include "hv/guest_config.hpp"
#include "hv/guest_fdt.hpp"
#include "hv/guest_layout.hpp"
#include "hv/guest_life.hpp"
#include "hv/guest_resources.hpp"
#include "hv/output_ring.hpp"
#include "hv/shadow_flusher.hpp"

namespace uc {

class Guest;

/// All guests, as one of them may concern the others.
class GuestKeeper {
  public:
    /// Does what a request that was posted to `vcpu` needs for being noticed. Allowed under any lock up to Shadow.
    virtual void reach(Vcpu& vcpu, const Posted& posted) = 0;
    /// A guest has ended, or is to be started, destroyed or created: somebody has to follow that up.
    virtual void state_changed(const Guest& guest) = 0;
    [[nodiscard]] virtual std::span<Guest* const> guests() const = 0;
    /// Does something to a guest as a whole; false where its state does not allow that, or the memory for it is
    /// lacking. Takes effect when the caller's exit is over, or somewhat later. From any hart, under no lock but
    /// Console.
    [[nodiscard]] virtual bool act(Guest& guest, GuestAction action) = 0;
    /// The time that exits have taken, in units of the ExitClock, in ns; 0 where it is not measured.
    [[nodiscard]] virtual u64 exit_ns(u64 units) const = 0;

  protected:
    ~GuestKeeper() = default;
};

/// What guests have in common: the machine as they may see it.
struct GuestEnvironment {
    Platform* platform = nullptr;  ///< some hart, for what any of them may be asked
    HostMemory* memory = nullptr;
    Console* console = nullptr;
    WallClock* wall_clock = nullptr;  ///< null: the machine has none
    Features features;
    IsaSet isa;  ///< of the guests' harts
    u64 timebase_hz = 0;
    u32 cbom_block_size = 0, cboz_block_size = 0;  ///< bytes
    u64 mvendorid = 0, marchid = 0, mimpid = 0;
    Bytes rng_seed;  ///< the machine's, mixed into each guest's
    Window window;
    u16 host_asid_bits = 0;
    unsigned guests = 1;                ///< that share the ASIDs, each with a range of its own
    GuestKeeper* keeper = nullptr;      ///< null: there is one guest with one vCPU
    bool misaligned_delegated = false;  ///< firmware hands misaligned accesses down
    u64 vlenb = 0;                      ///< bytes of a vector register; 0: guests have none
    bool replace = true;                ///< privileged instructions may be replaced (docs/replacing.md)
};

/// What several harts do at once is told apart by locks: `devices_lock_` covers the devices, `shadow_lock_` the shadow
/// tables, `guest_lock_` who of the vCPUs runs. The state is a word: who changes it first has changed it.
class alignas(Vcpu) Guest final : public ExternalLine, public ConsolePort, public ResetLine, public ConsoleClient {
  public:
    /// Allocates all that `config` needs out of the environment's memory, and checks that its images fit and that its
    /// device tree can be made: what was created can be started. The guest is Created, not started. `config` and
    /// `environment` must outlive it. `number` tells it from the environment's other guests, from 0. An error leaves
    /// nothing allocated. The guest itself and its vCPUs stay for good, whatever becomes of its resources: others may
    /// hold on to them.
    [[nodiscard]] static std::expected<Guest*, LoadError> create(const GuestConfig& config,
                                                                 const GuestEnvironment& environment,
                                                                 unsigned number = 0);

    /// Loads the images and starts vCPU 0 as a machine that was just switched on; also how a guest reboots. No hart has
    /// a vCPU of it meanwhile, nor uses its tables.
    [[nodiscard]] LoadStatus start();
    /// From Reboot to Starting.
    void start_over() { static_cast<void>(change_state(GuestState::Reboot, GuestState::Starting)); }
    /// What a person, or another guest, may do to it; false where its state does not allow that, or where there is no
    /// memory to create it again. Starting, destroying and creating take effect in the run loop. From any hart, under
    /// no lock but Console.
    [[nodiscard]] bool act(GuestAction action);
    /// From Creating to Created: its memory is cleared, and its vCPUs are as new. False: it is to be destroyed again.
    [[nodiscard]] bool finish_creating();
    /// From Destroying to Destroyed: gives back all it owns. No hart uses it, and the scheduler has none of its vCPUs.
    void finish_destroying();
    /// Ends the guest because of something it did that no architecture answers; `reason` is printed by the machine.
    /// False: it does not run any more. A vCPU that finds it paused has to do that again when it goes on.
    bool fail(std::string_view reason);
    /// It could not be started: as fail(), while it is Starting.
    void fail_to_start(std::string_view reason);

    [[nodiscard]] std::string_view name() const { return config_.name; }
    /// What tells it from the other guests: create()'s `number`.
    [[nodiscard]] unsigned number() const { return number_; }
    [[nodiscard]] const GuestConfig& config() const { return config_; }
    /// Others change it at any time: who asks more than one thing of it loads it once.
    [[nodiscard]] GuestState state() const { return life_.state(); }
    /// Whether its vCPUs may run.
    [[nodiscard]] bool running() const { return state() == GuestState::Running; }
    /// Whether it is in the middle of a life; true as well while somebody pauses or resumes it.
    [[nodiscard]] bool lasts() const { return uc::lasts(state()); }
    /// After a failure: starts it again if its configuration has it so, and not too often already.
    [[nodiscard]] bool restart_after_failure();
    /// Whether all that its last life printed and counted was told. For who follows guests up, as the next.
    [[nodiscard]] bool was_told() const { return was_told_; }
    void set_told() { was_told_ = true; }
    /// An end that nobody has followed up yet, even if somebody has started the guest again since; it counts as
    /// followed up then. When no hart uses the guest: why it failed is written until then.
    [[nodiscard]] std::optional<GuestState> take_end() { return life_.take_end(); }
    /// Whether there is nothing left to follow up or to wait for, unless somebody starts it.
    [[nodiscard]] bool is_over() const {
        const auto [state, untold] = life_.look();
        return !is_live(state) && state != GuestState::Destroying && !untold;
    }
    /// Whether it was ever started: before, there is no shadow().
    [[nodiscard]] bool has_run() const { return shadow_.has_value(); }
    /// Whether its address spaces are told apart by ASIDs of the host.
    [[nodiscard]] bool has_asids() const { return shadow_->has_asids(); }
    /// Whether it has something to lose, or is about to.
    [[nodiscard]] bool live() const { return is_live(state()); }
    [[nodiscard]] std::string_view fail_reason() const { return fail_reason_.view(); }
    /// None while it is destroyed. Other harts than those that use the guest look under the Console or Guest lock.
    [[nodiscard]] std::span<Vcpu> vcpus() { return vcpus_; }
    /// Whether it is destroyed or not: for the scheduler.
    [[nodiscard]] std::span<Vcpu> all_vcpus() { return all_vcpus_; }
    /// Takes the Guest and Shadow locks.
    [[nodiscard]] GuestAccount account();
    [[nodiscard]] const Features& features() const { return features_; }
    /// Through ShadowAccess, but for what needs no lock.
    [[nodiscard]] Shadow& shadow() { return *shadow_; }
    [[nodiscard]] SpinLock& shadow_lock() { return shadow_lock_; }
    [[nodiscard]] GuestRam& ram() { return ram_; }
    [[nodiscard]] const Bus& bus() const { return bus_; }

    /// Brings STIP of `vcpu` up to date and asks its hart for the next timer interrupt it needs.
    void update_timer(Vcpu& vcpu);
    /// Lets time-driven devices act and asks the calling hart, `here`, for the next timer interrupt they need. To be
    /// called at each timer interrupt of any hart.
    void poll_devices(Platform& here);
    /// The guest's own translation of `gva`, with every effect it has on accessed and dirty bits.
    [[nodiscard]] std::expected<Gpa, Cause> translate(Vcpu& vcpu, Gva gva, Access access);
    /// The instruction at pc as one word, its upper half zero when the first is a compressed one; or what fetching it
    /// raises.
    [[nodiscard]] std::expected<u32, Exception> fetch(Vcpu& vcpu);
    /// Executes the load or store `insn` of `vcpu`, which leads to `gpa`, where no memory is.
    [[nodiscard]] Outcome access_device(Vcpu& vcpu, const MemoryInsn& insn, Gpa gpa, Gva gva);

    /// Serves the ecall that `vcpu` executed in its S-mode.
    [[nodiscard]] Outcome serve_sbi(Vcpu& vcpu);
    /// Does what others have asked of `vcpu`, which is Outside or Asleep, on the hart that runs it.
    void serve_requests(Vcpu& vcpu, Requests requests);
    /// Lets a vCPU begin that is StartPending.
    void begin(Vcpu& vcpu);
    /// Passes on what a request that was posted to `vcpu` asks for.
    void reach(Vcpu& vcpu, const Posted& posted) {
        if (environment_.keeper != nullptr) environment_.keeper->reach(vcpu, posted);
    }

    // ConsoleClient
    bool type(u8 byte) override;
    void resume_output() override;
    /// Whether output waits for the console.
    [[nodiscard]] bool has_output() const { return !output_.empty(); }
    /// Whether nothing that the guest has printed waits for the console, after it was looked after once more.
    [[nodiscard]] bool drain_output();

  private:
    Guest(const GuestConfig& config, const GuestEnvironment& environment, unsigned number, std::span<Vcpu> vcpus);

    [[nodiscard]] ShadowOptions shadow_options();
    [[nodiscard]] LoadStatus write_device_tree(const Placement& placement);
    void equip(const GuestResources& resources);
    void reset_vcpus();
    void reset_devices();
    [[nodiscard]] bool reserve();
    [[nodiscard]] bool change_state(GuestState from, GuestState to);
    void tell_vcpus();
    template <class Allowed>
    [[nodiscard]] bool change_state_from(Allowed allowed, GuestState to);
    void poll_clock(Platform& here);
    void manage(Vcpu& vcpu, const ManagerCall& call);
    [[nodiscard]] std::optional<u8> take_received();

    // Devices, under their lock
    void set_seip(unsigned vcpu, bool level) override;
    bool write(u8 byte) override { return output_.push(byte); }
    void request_reset(ResetRequest request) override;

    const GuestConfig& config_;
    const GuestEnvironment& environment_;
    unsigned number_;
    Features features_;
    GuestLife life_;
    Text<200> fail_reason_;
    GuestResources resources_;  ///< while Creating not in use yet
    GuestRam ram_{kGuestRamBase, Hpa{}, {}};
    u16 asid_first_, asid_last_;     ///< host ASIDs
    std::optional<FramePool> pool_;  ///< made anew at each start, as is the next
    SpinLock guest_lock_{LockRank::Guest};
    SpinLock devices_lock_{LockRank::Devices};
    alignas(64) SpinLock shadow_lock_{LockRank::Shadow};  ///< beside what it is for
    std::optional<Shadow> shadow_;
    std::span<Vcpu> all_vcpus_;
    std::span<Vcpu> vcpus_;  ///< the same, or none
    ShadowFlusher flusher_;
    OutputRing output_;
    Plic plic_;
    Uart16550 uart_;
    Syscon syscon_;
    std::optional<GoldfishRtc> rtc_;
    std::optional<ManagerDevice> manager_;  ///< of a guest that may look after others
    std::atomic<bool> clock_armed_{false};  ///< its alarm is set
    bool reset_refused_ = false;            ///< by a pause; under the Devices lock
    Bus bus_;
    bool was_told_ = false;  ///< under the Lifecycle lock
    u32 restarts_ = 0;       ///< after failures
    std::atomic<u64> starts_ = 0;

    friend class GuestSbi;
    friend class ShadowAccess;
};

}  // namespace uc
