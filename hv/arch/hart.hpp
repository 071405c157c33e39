// SPDX-License-Identifier: MIT
#pragma once
// The real hart: Platform on live CSRs and firmware calls.

#include "emul/features.hpp"
#include "emul/goldfish_rtc.hpp"
#include "hv/arch/plic_context.hpp"
#include "hv/exit_clock.hpp"
#include "hv/platform.hpp"
#include "hv/spin_lock.hpp"
#include "hv/terminal.hpp"

namespace uc::arch {

/// What a hart can do, found by asking it (Features::counters and such are what guests may be given of it).
struct HartAbilities {
    bool sstc = false;         ///< stimecmp works
    bool envcfg = false;       ///< senvcfg exists
    bool fpu = false;          ///< sstatus.FS is writable
    bool vector = false;       ///< sstatus.VS is writable
    u64 vlenb = 0;             ///< bytes of a vector register
    bool exact_stval = false;  ///< an illegal instruction leaves its own word in stval
    u16 asid_bits = 0;
    u32 counters = 0;  ///< numbered as in scounteren
};

/// Tries each ability on the hart that calls; `named_sstc`: its ISA string names Sstc. For boot only.
[[nodiscard]] HartAbilities probe_hart(bool named_sstc);

class Hart final : public Platform {
  public:
    Hart() = default;
    /// One that others may interrupt before its init().
    explicit Hart(u64 id) : id_(id) {}

    /// What all harts have in common.
    struct Machine {
        bool sbi_time = false;  ///< firmware has the TIME extension
        u64 timebase_hz = 0;
        u64 host_satp = 0;  ///< the hypervisor's own tables, in use now
    };
    /// The hart that calls; null before its init().
    [[nodiscard]] static Hart* current();
    /// What the hart holds, for builds that check it.
    [[nodiscard]] LockContext& locks() { return locks_; }
    /// `id`: mhartid. On the hart itself.
    void init(u64 id, const HartAbilities& abilities, const Machine& machine);
    /// External interrupts of `source` at `plic` are the terminal's.
    void route_terminal(const PlicContext& plic, unsigned source, TerminalListener& listener);
    /// What exits are timed with. Before start().
    void use_exit_counter(ExitCounter counter) {
        exit_counter_ = counter;
        usual_ = counter == ExitCounter::Cycle && abilities_.exact_stval;
    }
    /// Lets interrupts reach the hypervisor while guests run.
    void start();

    void use_translation(u64 host_satp) override;
    void run(VcpuFrame& frame) override;
    u64 exit_clock() override;
    /// Reads the trap that has just been taken and handles it; whether the guest may go on at once. For the entry code.
    [[nodiscard]] bool after_trap(VcpuFrame& frame);
    void park() override;
    void put_away(VcpuFrame& frame) override;
    void interrupt() override;
    void set_timer(u64 deadline) override;
    u64 timebase_hz() const override { return machine_.timebase_hz; }
    u64 take_interrupts() override;
    void wait() override;
    void fence_i() override;

    u64 time() override;
    u64 counter(CsrNo number) override;
    u64 read_fp(unsigned reg) override;
    void write_fp(unsigned reg, u64 bits) override;
    u64 read_user_csr(CsrNo number) override;
    void write_user_csr(CsrNo number, u64 value) override;

  private:
    void perform(const TlbFlush& flush) override;
    u64 read_exit_counter() const;
    void switch_to(VcpuFrame& frame);
    void save_loaded();
    void load_extension_state(const GuestHart& hart);
    void load_user_rights(const GuestHart& hart);
    void arm(u64 deadline);

    HartAbilities abilities_;
    u64 id_ = 0;
    LockContext locks_;
    Machine machine_;
    PlicContext plic_;
    unsigned terminal_source_ = 0;
    TerminalListener* terminal_ = nullptr;
    VcpuFrame* loaded_ = nullptr;  ///< whose f and v registers are in the hart, if it is their home
    bool stored_ = true;           ///< and in the frame as well
    ExitCounter exit_counter_ = ExitCounter::None;
    bool usual_ = false;       ///< exits are timed by cycle, and stval is exact
    u64 armed_ = ~0ull;        ///< the deadline the hardware has
    u64 satp_ = 0;             ///< last written
    u64 extension_state_ = 0;  ///< FS and VS as the hart has them
    u64 scounteren_ = ~0u;     ///< last written, as the next
    u64 senvcfg_ = 0;
};

/// The machine's goldfish RTC.
class GoldfishClock final : public WallClock {
  public:
    explicit GoldfishClock(Hva base) : base_(base) {}
    u64 now_ns() override;

  private:
    Hva base_;
};

}  // namespace uc::arch
