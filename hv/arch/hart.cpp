// SPDX-License-Identifier: MIT
#include "hv/arch/hart.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <utility>

#include "hv/arch/csr_access.hpp"
#include "hv/arch/frame_offsets.h"
#include "hv/arch/sbi_call.hpp"
#include "hv/trap_handler.hpp"

extern "C" void uc_enter_guest(uc::VcpuFrame* frame);
extern "C" uc::u64 uc_read_fp(uc::u64 reg);
extern "C" void uc_write_fp(uc::u64 reg, uc::u64 bits);
extern "C" void uc_save_fp(uc::FpRegisters* to);
extern "C" void uc_load_fp(const uc::FpRegisters* from);
extern "C" void uc_save_vector(uc::VectorRegisters* to);
extern "C" void uc_load_vector(const uc::VectorRegisters* from);

namespace uc::arch {

static_assert(offsetof(VcpuFrame, hart.x) == FRAME_X(0));
static_assert(offsetof(VcpuFrame, hart.pc) == FRAME_PC);
static_assert(offsetof(VcpuFrame, host_sp) == FRAME_HOST_SP);
static_assert(offsetof(VcpuFrame, host_tp) == FRAME_HOST_TP);
static_assert(offsetof(FpRegisters, fcsr) == 256);
static_assert(offsetof(VectorRegisters, vcsr) == 8 && offsetof(VectorRegisters, vl) == 16 &&
              offsetof(VectorRegisters, vtype) == 24 && offsetof(VectorRegisters, v) == 32);

namespace {

constexpr u64 kExtensionState = Sstatus::FS.mask | Sstatus::VS.mask;
constexpr u64 kOurInterrupts = irq_bit(Irq::SSI) | irq_bit(Irq::STI) | irq_bit(Irq::SEI);
constexpr u64 kAllCounters = 0xffff'ffff;
constexpr u64 kMret = 0x3020'0073;

constexpr unsigned kFirstHpm = static_cast<unsigned>(CsrNo::hpmcounter3);
constexpr CsrNo hpm(usize i) { return static_cast<CsrNo>(kFirstHpm + i); }

template <usize... I>
u32 probe_hpm(std::index_sequence<I...>) {
    return ((csr_probe<hpm(I)>() ? 1u << (I + 3) : 0u) | ...);
}

template <usize... I>
u64 read_hpm(unsigned index, std::index_sequence<I...>) {
    u64 value = 0;
    static_cast<void>(((index == I && (value = csr_read<hpm(I)>(), true)) || ...));
    return value;
}

// tp is the hypervisor's own while it runs.
[[gnu::always_inline]] inline void set_this_hart(Hart& hart) { asm volatile("mv tp, %0" ::"r"(&hart)); }
[[gnu::always_inline]] inline Hart& this_hart() {
    Hart* hart;
    asm("mv %0, tp" : "=r"(hart));
    return *hart;
}

bool field_is_writable(u64 mask) {
    csr_set<CsrNo::sstatus>(mask);
    const bool writable = (csr_read<CsrNo::sstatus>() & mask) != 0;
    csr_clear<CsrNo::sstatus>(mask);
    return writable;
}

u16 probe_asid_bits() {
    const u64 satp = csr_read<CsrNo::satp>();
    csr_write<CsrNo::satp>(satp | Satp::ASID.mask);
    const u64 ones = Satp{{csr_read<CsrNo::satp>()}}.get(Satp::ASID);
    csr_write<CsrNo::satp>(satp);
    sfence_all();
    return static_cast<u16>(std::popcount(ones));
}

}  // namespace

HartAbilities probe_hart(bool named_sstc) {
    HartAbilities a;
    a.sstc = named_sstc && csr_probe<CsrNo::stimecmp>();
    a.envcfg = csr_probe<CsrNo::senvcfg>().has_value();
    a.fpu = field_is_writable(Sstatus::FS.mask);
    a.vector = field_is_writable(Sstatus::VS.mask);
    if (a.vector) {
        csr_set<CsrNo::sstatus>(Sstatus::VS.mask);
        a.vlenb = csr_probe<CsrNo::vlenb>().value_or(0);
        csr_clear<CsrNo::sstatus>(Sstatus::VS.mask);
    }
    a.exact_stval = stval_of_mret() == kMret;
    a.asid_bits = probe_asid_bits();
    a.counters = (csr_probe<CsrNo::cycle>() ? 1u : 0u) | (csr_probe<CsrNo::time>() ? 2u : 0u) |
                 (csr_probe<CsrNo::instret>() ? 4u : 0u) | probe_hpm(std::make_index_sequence<29>());
    // Each trap that a probe took has left SPP set; entering a guest wants it clear.
    csr_clear<CsrNo::sstatus>(Sstatus::SPP.mask | Sstatus::SPIE.mask | Sstatus::SIE.mask);
    return a;
}

void Hart::init(u64 id, const HartAbilities& abilities, const Machine& machine) {
    id_ = id;
    abilities_ = abilities;
    machine_ = machine;
    use_exit_counter(exit_counter_);
    satp_ = machine.host_satp;
    set_this_hart(*this);
    csr_write<CsrNo::scounteren>(scounteren_);
    if (abilities_.envcfg) csr_write<CsrNo::senvcfg>(senvcfg_);
    arm(~0ull);
}

// Boot code leaves tp zero.
Hart* Hart::current() { return &this_hart(); }

void Hart::route_terminal(const PlicContext& plic, unsigned source, TerminalListener& listener) {
    plic_ = plic;
    terminal_source_ = source;
    terminal_ = &listener;
    plic_.enable(source);
}

void Hart::start() {
    const u64 external = terminal_ == nullptr ? irq_bit(Irq::SEI) : 0;
    csr_write<CsrNo::sie>(kOurInterrupts & ~external);
}

// A guest's kernel has the counters and cache operations that firmware grants us; its user what the kernel grants. What
// the kernel writes to these CSRs takes effect when it returns to its user, which leads through here.
void Hart::load_user_rights(const GuestHart& hart) {
    const bool user = hart.priv == Priv::U;
    Senvcfg senvcfg{{user ? hart.senvcfg.raw : Senvcfg::CBIE.mask | Senvcfg::CBCFE.mask | Senvcfg::CBZE.mask}};
    // cbo.inval must not uncover what memory held before it was zeroed for this guest: it flushes instead.
    if (senvcfg.get(Senvcfg::CBIE) != 0) senvcfg.set(Senvcfg::CBIE, 1);
    const u64 scounteren = (user ? hart.scounteren.raw : kAllCounters) & ~u64{hart.counters.hidden()};
    if (scounteren != scounteren_) csr_write<CsrNo::scounteren>(scounteren_ = scounteren);
    if (abilities_.envcfg && senvcfg.raw != senvcfg_) csr_write<CsrNo::senvcfg>(senvcfg_ = senvcfg.raw);
}

void Hart::use_translation(u64 host_satp) {
    if (host_satp != satp_) csr_write<CsrNo::satp>(satp_ = host_satp);
}

// Each CSR is written only when it changes: on emulators and on some cores a write costs far more than the comparison.
void Hart::run(VcpuFrame& frame) {
    if (&frame != loaded_ || frame.home != this) switch_to(frame);
    stored_ = false;
    load_user_rights(frame.hart);
    load_extension_state(frame.hart);
    uc_enter_guest(&frame);
}

// The f and v registers of a vCPU stay in the hart until another one runs here. What they hold while FS or VS are off
// has to last as well, so all of them change places, whatever the guest says of them.
void Hart::switch_to(VcpuFrame& frame) {
    // Nor may an sc of this vCPU succeed for want of other harts' stores, when another vCPU has stored on this one.
    break_reservation();
    csr_set<CsrNo::sstatus>(kExtensionState);
    save_loaded();
    if (abilities_.fpu) uc_load_fp(&frame.fp);
    if (abilities_.vector && frame.vector.v != nullptr) uc_load_vector(&frame.vector);
    extension_state_ = csr_read<CsrNo::sstatus>() & kExtensionState;
    loaded_ = &frame;
    frame.home = this;
}

// Wants FS and VS on.
void Hart::save_loaded() {
    if (stored_ || loaded_->home != this) return;
    if (abilities_.fpu) uc_save_fp(&loaded_->fp);
    if (abilities_.vector && loaded_->vector.v != nullptr) uc_save_vector(&loaded_->vector);
    stored_ = true;
}

void Hart::put_away(VcpuFrame& frame) {
    if (loaded_ != &frame || stored_) return;
    csr_set<CsrNo::sstatus>(kExtensionState);
    save_loaded();
    extension_state_ = csr_read<CsrNo::sstatus>() & kExtensionState;
}

inline void Hart::load_extension_state(const GuestHart& hart) {
    const u64 wanted = hart.sstatus.raw & kExtensionState;
    if (wanted == extension_state_) [[likely]]
        return;
    csr_clear<CsrNo::sstatus>(kExtensionState & ~wanted);
    csr_set<CsrNo::sstatus>(wanted);
    extension_state_ = wanted;
}

[[gnu::always_inline]] inline u64 Hart::read_exit_counter() const {
    if (exit_counter_ == ExitCounter::Cycle) [[likely]]
        return csr_read<CsrNo::cycle>();
    return exit_counter_ == ExitCounter::Time ? csr_read<CsrNo::time>() : 0;
}

u64 Hart::exit_clock() { return read_exit_counter(); }

inline bool Hart::after_trap(VcpuFrame& frame) {
    GuestHart& hart = frame.hart;
    TrapInfo trap{{{csr_read<CsrNo::scause>()}}, csr_read<CsrNo::stval>(), {{csr_read<CsrNo::sstatus>()}}};
    u64 entered;
    if (usual_) [[likely]] {
        entered = csr_read<CsrNo::cycle>();
    } else {
        entered = read_exit_counter();
        // QEMU 10.0 leaves the word of an earlier instruction there for some: better none than a wrong one.
        if (!abilities_.exact_stval && trap.scause == Scause::of(Cause::IllegalInstruction)) trap.stval = 0;
    }
    hart.sstatus.raw ^= (hart.sstatus.raw ^ trap.sstatus.raw) & kExtensionState;
    extension_state_ = hart.sstatus.raw & kExtensionState;
    if (!handle_trap(frame, trap, entered, [this] { return read_exit_counter(); })) return false;
    load_extension_state(hart);
    return true;
}

/// Called by uc_trap_entry when the guest's registers are saved: whether to go back to it at once.
extern "C" [[gnu::visibility("hidden")]] bool uc_after_trap(VcpuFrame* frame) { return this_hart().after_trap(*frame); }

void Hart::perform(const TlbFlush& flush) {
    switch (flush.kind) {
        case TlbFlush::Kind::None: break;
        case TlbFlush::Kind::Page: sfence_page(flush.va.raw); break;
        case TlbFlush::Kind::Asid: sfence_asid(flush.asid); break;
        case TlbFlush::Kind::All: sfence_all(); break;
    }
    if (flush.fetch) arch::fence_i();
}

// What the hart remembers of the guest's tables stays: whoever changes those owes the fences.
void Hart::park() { use_translation(machine_.host_satp); }

void Hart::interrupt() {
    // For oneself firmware is not needed.
    if (this == &this_hart()) return csr_set<CsrNo::sip>(irq_bit(Irq::SSI));
    fence_interrupts();
    sbi_call(sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, id_);
}

void Hart::arm(u64 deadline) {
    armed_ = deadline;
    if (abilities_.sstc) {
        csr_write<CsrNo::stimecmp>(deadline);
    } else if (machine_.sbi_time) {
        sbi_call(sbi::Ext::Time, sbi::time::SetTimer, deadline);
    } else {
        sbi_call(sbi::Ext::LegacySetTimer, 0, deadline);
    }
}

void Hart::set_timer(u64 deadline) {
    if (deadline >= armed_) return;
    arm(deadline);
    csr_set<CsrNo::sie>(irq_bit(Irq::STI));
}

u64 Hart::take_interrupts() {
    const u64 pending = csr_read<CsrNo::sip>() & csr_read<CsrNo::sie>();
    if ((pending & irq_bit(Irq::STI)) != 0) {
        // Masking silences it without a call to firmware; the next set_timer() clears it.
        csr_clear<CsrNo::sie>(irq_bit(Irq::STI));
        armed_ = ~0ull;
    }
    if ((pending & irq_bit(Irq::SSI)) != 0) csr_clear<CsrNo::sip>(irq_bit(Irq::SSI));
    fence_interrupts();
    if ((pending & irq_bit(Irq::SEI)) != 0) {
        if (const unsigned source = plic_.claim()) {  // if others wait, the line stays up
            if (source == terminal_source_) terminal_->terminal_interrupted();
            plic_.complete(source);
        }
    }
    return pending;
}

void Hart::wait() { wait_for_interrupt(); }
void Hart::fence_i() { arch::fence_i(); }
u64 Hart::time() { return csr_read<CsrNo::time>(); }

u64 Hart::counter(CsrNo number) {
    switch (number) {
        case CsrNo::cycle: return csr_read<CsrNo::cycle>();
        case CsrNo::time: return csr_read<CsrNo::time>();
        case CsrNo::instret: return csr_read<CsrNo::instret>();
        default: return read_hpm(static_cast<unsigned>(number) - kFirstHpm, std::make_index_sequence<29>());
    }
}

u64 Hart::read_fp(unsigned reg) { return uc_read_fp(reg); }
void Hart::write_fp(unsigned reg, u64 bits) { uc_write_fp(reg, bits); }

u64 Hart::read_user_csr(CsrNo number) {
    switch (number) {
        case CsrNo::fflags: return csr_read<CsrNo::fflags>();
        case CsrNo::frm: return csr_read<CsrNo::frm>();
        case CsrNo::fcsr: return csr_read<CsrNo::fcsr>();
        case CsrNo::vstart: return csr_read<CsrNo::vstart>();
        case CsrNo::vxsat: return csr_read<CsrNo::vxsat>();
        case CsrNo::vxrm: return csr_read<CsrNo::vxrm>();
        case CsrNo::vcsr: return csr_read<CsrNo::vcsr>();
        case CsrNo::vl: return csr_read<CsrNo::vl>();
        case CsrNo::vtype: return csr_read<CsrNo::vtype>();
        case CsrNo::vlenb: return csr_read<CsrNo::vlenb>();
        default: return 0;
    }
}

void Hart::write_user_csr(CsrNo number, u64 value) {
    switch (number) {
        case CsrNo::fflags: return csr_write<CsrNo::fflags>(value);
        case CsrNo::frm: return csr_write<CsrNo::frm>(value);
        case CsrNo::fcsr: return csr_write<CsrNo::fcsr>(value);
        case CsrNo::vstart: return csr_write<CsrNo::vstart>(value);
        case CsrNo::vxsat: return csr_write<CsrNo::vxsat>(value);
        case CsrNo::vxrm: return csr_write<CsrNo::vxrm>(value);
        case CsrNo::vcsr: return csr_write<CsrNo::vcsr>(value);
        default: return;
    }
}

u64 GoldfishClock::now_ns() {
    // Reading the low half holds the high half (QEMU, goldfish_rtc). All harts share what is held: where another
    // has read the low half since, after it had passed its end, two readings in a row differ in the high half.
    const auto read = [this] {
        const u32 low = *reinterpret_cast<volatile u32*>(base_.raw);
        const u32 high = *reinterpret_cast<volatile u32*>(base_.raw + 4);
        return static_cast<u64>(high) << 32 | low;
    };
    for (u64 before = read();;) {
        const u64 after = read();
        if (before >> 32 == after >> 32) return after;
        before = after;
    }
}

}  // namespace uc::arch
