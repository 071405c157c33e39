// SPDX-License-Identifier: MIT
#pragma once
// A guest: its memory, its devices, its vCPUs, and its life from creation to its end.

#include <span>

#include "emul/features.hpp"
#include "emul/goldfish_rtc.hpp"
#include "emul/plic.hpp"
#include "emul/sbi_server.hpp"
#include "emul/syscon.hpp"
#include "emul/uart16550.hpp"
#include "hv/console.hpp"
#include "hv/guest_action.hpp"
#include "hv/guest_config.hpp"
#include "hv/guest_fdt.hpp"
#include "hv/host_memory.hpp"
#include "hv/platform.hpp"
#include "hv/vcpu.hpp"
#include "mm/shadow.hpp"

namespace uc {

class Guest;

/// All guests, as one of them may concern the others.
class GuestKeeper {
  public:
    /// A vCPU may have something to do: an interrupt pends for it, or it was started.
    virtual void wake(Vcpu& vcpu) = 0;
    [[nodiscard]] virtual std::span<Guest* const> guests() const = 0;
    /// Does something to a guest as a whole; false where its state does not allow that. Takes effect when the caller's
    /// exit is over.
    [[nodiscard]] virtual bool act(Guest& guest, GuestAction action) = 0;

  protected:
    ~GuestKeeper() = default;
};

/// What guests have in common: the machine as they may see it.
struct GuestEnvironment {
    Platform* platform = nullptr;
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
    unsigned guests = 1;            ///< that share the ASIDs, each with a range of its own
    GuestKeeper* keeper = nullptr;  ///< null: there is one guest with one vCPU
    u64 vlenb = 0;                  ///< bytes of a vector register; 0: guests have none
    bool replace = true;            ///< privileged instructions may be replaced (docs/replacing.md)
};

/// Why a guest does not run.
enum class GuestState : u8 {
    Created,   ///< not started yet
    Starting,  ///< to be started
    Running,
    Paused,    ///< its vCPUs wait until it is resumed
    Shutdown,  ///< has ended by itself
    Stopped,   ///< was ended
    Reboot,    ///< to be started again
    Failed,
};
/// As people read it.
[[nodiscard]] std::string_view name(GuestState state);

class Guest final : public SbiBackend, public ExternalLine, public ConsolePort, public ResetLine, public ConsoleClient {
  public:
    /// Allocates all that `config` needs out of the environment's memory, and checks that its images fit and that its
    /// device tree can be made: what was created can be started. The guest is Created, not started. `config` and
    /// `environment` must outlive it. `number` tells it from the environment's other guests, from 0. An error leaves
    /// nothing allocated.
    [[nodiscard]] static std::expected<Guest*, LoadError> create(const GuestConfig& config,
                                                                 const GuestEnvironment& environment,
                                                                 unsigned number = 0);

    /// Loads the images and starts vCPU 0 as a machine that was just switched on; also how a guest reboots.
    [[nodiscard]] LoadStatus start();
    /// What a person, or another guest, may do to it; false where its state does not allow that. Starting takes effect
    /// in the run loop.
    [[nodiscard]] bool act(GuestAction action);
    /// Ends the guest because of something it did that no architecture answers; `reason` is printed by the machine.
    void fail(std::string_view reason);

    [[nodiscard]] std::string_view name() const { return config_.name; }
    /// What tells it from the other guests: create()'s `number`.
    [[nodiscard]] unsigned number() const { return number_; }
    [[nodiscard]] const GuestConfig& config() const { return config_; }
    [[nodiscard]] GuestState state() const { return state_; }
    /// Whether its vCPUs may run.
    [[nodiscard]] bool running() const { return state_ == GuestState::Running; }
    /// After a failure: starts it again if its configuration has it so, and not too often already.
    [[nodiscard]] bool restart_after_failure();
    /// Whether the end of its last life was told.
    [[nodiscard]] bool ended() const { return ended_; }
    void set_ended() { ended_ = true; }
    /// Whether it was ever started: before, there is no shadow().
    [[nodiscard]] bool has_run() const { return shadow_.has_value(); }
    /// Whether its address spaces are told apart by ASIDs of the host.
    [[nodiscard]] bool has_asids() const { return shadow_->has_asids(); }
    /// Whether it has something to lose, or is about to.
    [[nodiscard]] bool live() const {
        return running() || state_ == GuestState::Paused || state_ == GuestState::Starting ||
               state_ == GuestState::Reboot;
    }
    [[nodiscard]] std::string_view fail_reason() const { return fail_reason_.view(); }
    [[nodiscard]] std::span<Vcpu> vcpus() { return vcpus_; }
    [[nodiscard]] const Features& features() const { return features_; }
    [[nodiscard]] Platform& platform() { return *environment_.platform; }
    [[nodiscard]] Shadow& shadow() { return *shadow_; }
    [[nodiscard]] GuestRam& ram() { return ram_; }
    [[nodiscard]] const Bus& bus() const { return bus_; }

    /// Brings STIP of `vcpu` up to date and asks the host for the next timer interrupt it needs.
    void update_timer(Vcpu& vcpu);
    /// Lets time-driven devices act and asks the host for the next timer interrupt they need. To be called at each
    /// timer interrupt and after each device access.
    void poll_devices();
    /// The guest's own translation of `gva`, with every effect it has on accessed and dirty bits.
    [[nodiscard]] std::expected<Gpa, Cause> translate(const Vcpu& vcpu, Gva gva, Access access);
    /// The instruction at pc as one word, its upper half zero when the first is a compressed one; or what fetching it
    /// raises.
    [[nodiscard]] std::expected<u32, Exception> fetch(const Vcpu& vcpu);

    /// Serves the ecall that `vcpu` executed in its S-mode.
    [[nodiscard]] Outcome serve_sbi(Vcpu& vcpu);

    // ConsoleClient
    bool type(u8 byte) override { return uart_.receive(byte); }
    /// Passes on what the guest's UART still holds; true when nothing is left.
    [[nodiscard]] bool drain_output() { return uart_.drain(); }
    void resume_output() override { uart_.drain(); }

  private:
    Guest(const GuestConfig& config, const GuestEnvironment& environment, unsigned number, HostRange ram,
          HostRange pool, HostRange code, std::span<std::byte> metadata, std::span<Vcpu> vcpus, std::byte* vectors);

    [[nodiscard]] ShadowOptions shadow_options() const;
    [[nodiscard]] LoadStatus write_device_tree(const Placement& placement);
    void reset_vcpus();
    void wake(Vcpu& vcpu) {
        if (environment_.keeper != nullptr) environment_.keeper->wake(vcpu);
    }

    // SbiBackend
    u64 vcpu_count() override { return vcpus_.size(); }
    u64 mvendorid() override { return environment_.mvendorid; }
    u64 marchid() override { return environment_.marchid; }
    u64 mimpid() override { return environment_.mimpid; }
    void set_timer(unsigned vcpu, u64 deadline) override;
    void send_ipi(unsigned vcpu) override;
    void remote_fence_i(unsigned vcpu) override;
    void remote_sfence(unsigned vcpu, const SfenceRange& range) override;
    sbi::Error hart_start(unsigned vcpu, Gpa pc, u64 opaque) override;
    void hart_stop(unsigned vcpu) override;
    sbi::hsm::State hart_state(unsigned vcpu) override { return vcpus_[vcpu].state; }
    void hart_suspend(unsigned vcpu, bool retentive) override;
    void system_reset(sbi::srst::Type type, sbi::srst::Reason reason) override;
    bool is_manager() override { return config_.manager && environment_.keeper != nullptr; }
    u64 guest_count() override { return environment_.keeper->guests().size(); }
    std::optional<sbi::undercroft::GuestRecord> guest_record(u64 guest) override;
    bool guest_act(u64 guest, sbi::undercroft::Action action) override;
    usize console_write(std::span<const u8> bytes) override;
    usize console_read(std::span<u8> bytes) override;
    bool is_guest_memory(Gpa address, u64 size) override { return ram_.contains(address, size); }
    void read_guest(Gpa address, std::span<u8> bytes) override;
    void write_guest(Gpa address, std::span<const u8> bytes) override;
    std::expected<u64, Exception> read_virtual(Gva address) override;

    // Devices
    void set_seip(unsigned vcpu, bool level) override;
    bool write(u8 byte) override { return environment_.console->put(*this, byte); }
    void request_reset(ResetRequest request) override;

    const GuestConfig& config_;
    const GuestEnvironment& environment_;
    unsigned number_;
    Features features_;
    GuestState state_ = GuestState::Created;
    Text<200> fail_reason_;
    GuestRam ram_;
    HostRange pool_range_;
    HostRange code_range_;
    u16 asid_first_, asid_last_;  ///< host ASIDs
    std::span<std::byte> metadata_;
    std::optional<FramePool> pool_;  ///< made anew at each start, as is the next
    std::optional<Shadow> shadow_;
    std::span<Vcpu> vcpus_;
    Plic plic_;
    Uart16550 uart_;
    Syscon syscon_;
    std::optional<GoldfishRtc> rtc_;
    Bus bus_;
    bool ended_ = false;
    u32 restarts_ = 0;        ///< after failures
    Vcpu* caller_ = nullptr;  ///< whose SBI call is being served
    u64 starts_ = 0;
};

}  // namespace uc
