// SPDX-License-Identifier: MIT
#pragma once
// The SBI that guests see (SBI 2.0): Base, TIME, IPI, RFENCE, HSM, SRST, DBCN, PMU, SUSP, STA, legacy 0 to 8, SBI 3.0's
// FWFT, and an extension of our own. Arguments are checked here; what is left of a call goes to the backend.

#include <expected>
#include <span>

#include "emul/guest_hart.hpp"
#include "emul/outcome.hpp"
#include "emul/sbi_pmu.hpp"
#include "emul/sbi_undercroft.hpp"

namespace uc {

/// sbi_get_spec_version: major in bits 30:24, minor in 23:0.
inline constexpr u64 kSbiSpecVersion = 2u << 24;

/// Virtual addresses [start, start + size) that remote harts forget. `size` is not zero.
struct SfenceRange {
    static constexpr u64 kEverything = ~0ull;

    Gva start;
    u64 size = kEverything;   ///< in bytes; kEverything (with start 0) is the whole address space
    std::optional<u16> asid;  ///< empty: every address space, and global mappings

    friend constexpr bool operator==(const SfenceRange&, const SfenceRange&) = default;
};

/// What the SBI keeps about one vCPU, and forgets when that starts anew.
struct SbiState {
    SbiPmu pmu;
    bool misaligned_locked = false;  ///< FWFT: MISALIGNED_EXC_DELEG

    friend bool operator==(const SbiState&, const SbiState&) = default;
};

/// What SBI calls do to the guest's vCPUs, console and memory. vCPU numbers passed in exist; number n is hart id n.
class SbiBackend {
  public:
    [[nodiscard]] virtual u64 vcpu_count() = 0;
    [[nodiscard]] virtual u64 mvendorid() = 0;
    [[nodiscard]] virtual u64 marchid() = 0;
    [[nodiscard]] virtual u64 mimpid() = 0;

    /// STIP of `vcpu` goes low, and high at `deadline` (ticks of `time`; already past: at once; ~0: never).
    virtual void set_timer(unsigned vcpu, u64 deadline) = 0;
    /// Sets SSIP. Fences and interrupts for a vCPU that is neither started nor suspended have no effect.
    virtual void send_ipi(unsigned vcpu) = 0;
    virtual void remote_fence_i(unsigned vcpu) = 0;
    virtual void remote_sfence(unsigned vcpu, const SfenceRange& range) = 0;

    /// Starts `vcpu` as enter_supervisor() says; AlreadyAvailable unless it was stopped. `pc` is in guest memory.
    [[nodiscard]] virtual sbi::Error hart_start(unsigned vcpu, Gpa pc, u64 opaque) = 0;
    /// The calling vCPU stops; its outcome is Leave.
    virtual void hart_stop(unsigned vcpu) = 0;
    [[nodiscard]] virtual sbi::hsm::State hart_state(unsigned vcpu) = 0;
    /// The calling vCPU sleeps until an interrupt is pending and enabled in sie. With `retentive` false its state is
    /// already the one to wake up in: satp and privilege may have changed. Until it wakes, hart_state() is Suspended.
    virtual void hart_suspend(unsigned vcpu, bool retentive) = 0;

    /// What is kept about the calling vCPU.
    [[nodiscard]] virtual SbiState& sbi_state(unsigned vcpu) = 0;
    /// The counters of the calling vCPU's hart that exist, numbered as in scounteren, and what cycle or instret has in
    /// hardware.
    [[nodiscard]] virtual u32 hart_counters() = 0;
    [[nodiscard]] virtual u64 hart_counter(CsrNo number) = 0;
    /// How often that has happened to `vcpu`, of those events that are not made by its own SBI calls.
    [[nodiscard]] virtual u64 firmware_events(unsigned vcpu, sbi::pmu::FirmwareEvent event) = 0;
    /// Whether misaligned accesses reach the guest's own handler (FWFT).
    [[nodiscard]] virtual bool misaligned_delegated() = 0;
    /// From now on steal time of the calling vCPU is told in the sbi::sta::Record at `record`, guest memory that is all
    /// zero; nullopt: nowhere.
    virtual void set_steal_time(unsigned vcpu, std::optional<Gpa> record) = 0;

    /// The whole guest resets; the caller's outcome is Leave. The arguments are defined values.
    virtual void system_reset(sbi::srst::Type type, sbi::srst::Reason reason) = 0;

    /// Whether the guest may look after others; the next ones, up to guest_act(), are called only then.
    [[nodiscard]] virtual bool is_manager() = 0;
    [[nodiscard]] virtual u64 guest_count() = 0;
    /// nullopt: there is no such guest.
    [[nodiscard]] virtual std::optional<sbi::undercroft::GuestRecord> guest_record(u64 guest) = 0;
    /// nullopt: there is no such guest.
    [[nodiscard]] virtual std::optional<sbi::undercroft::GuestMemoryRecord> guest_memory(u64 guest) = 0;
    [[nodiscard]] virtual sbi::undercroft::MachineMemoryRecord machine_memory() = 0;
    /// nullopt: there is no such guest, or no such kind of exits.
    [[nodiscard]] virtual std::optional<sbi::undercroft::GuestExitsRecord> guest_exits(u64 guest, u64 kind) = 0;
    /// `guest` exists; false where its state does not allow `action`, or memory for it is lacking. The caller may be
    /// acting on itself.
    [[nodiscard]] virtual bool guest_act(u64 guest, sbi::undercroft::Action action) = 0;

    /// Bytes taken, from the front; fewer when the console is full. Calls that may block execute their ecall again
    /// until a byte goes through, so the console must drain meanwhile.
    [[nodiscard]] virtual usize console_write(std::span<const u8> bytes) = 0;
    /// Bytes given; none when nothing was typed.
    [[nodiscard]] virtual usize console_read(std::span<u8> bytes) = 0;

    /// Whether all of [address, address + size) is the guest's memory; `size` is not zero and the sum may wrap.
    [[nodiscard]] virtual bool is_guest_memory(Gpa address, u64 size) = 0;
    /// Copies from and to what is_guest_memory() accepted.
    virtual void read_guest(Gpa address, std::span<u8> bytes) = 0;
    virtual void write_guest(Gpa address, std::span<const u8> bytes) = 0;
    /// Loads eight bytes as the calling guest's supervisor would, or says what it would trap with.
    [[nodiscard]] virtual std::expected<u64, Exception> read_virtual(Gva address) = 0;

  protected:
    ~SbiBackend() = default;
};

/// The state that HSM promises a hart that starts or resumes (SBI 2.0, chapter 9), except pc: S-mode, satp 0,
/// SIE 0, a0 = hart id, a1 = opaque. Everything else stays.
void enter_supervisor(GuestHart& hart, u64 hart_id, u64 opaque);

/// Serves the ecall that `hart`, vCPU `self`, executed in S-mode. Writes a0 and a1 (legacy calls: a0 alone).
/// Advance past the ecall; Jump for a hart that resumes elsewhere; Retry while the console is full; Inject for a
/// legacy pointer that cannot be read; Leave when the vCPU stopped or the guest resets.
[[nodiscard]] Outcome sbi_call(GuestHart& hart, unsigned self, SbiBackend& backend);

/// What function `fid` of our own extension answers to `arguments`, a0 to a5, without an ecall. Addresses among them
/// are the backend's.
[[nodiscard]] sbi::Ret call_undercroft(SbiBackend& backend, u64 fid, std::span<const u64, 6> arguments);

}  // namespace uc
