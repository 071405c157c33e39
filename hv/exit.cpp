// SPDX-License-Identifier: MIT
// The policy half of the trap path (docs/trap-path.md).

#include "hv/exit.hpp"

#include "emul/decode.hpp"
#include "emul/mmio.hpp"
#include "emul/privileged.hpp"
#include "emul/trap.hpp"
#include "hv/log.hpp"
#include "hv/shadow_access.hpp"

namespace uc {

namespace {

// Follows up what an emulated instruction changed outside GuestHart. A change of privilege, SUM, MXR or interrupt
// enables needs nothing: the run loop compares them before every entry.
[[gnu::noinline]] ExitReason follow_up(Vcpu& vcpu, const Effect& effect) {
    Guest& guest = *vcpu.guest;
    switch (effect.kind) {
        case Effect::Kind::Fence: {
            ShadowAccess shadow(vcpu);
            shadow.discharge(shadow->fence(effect.fence.va, effect.fence.asid));
            return ExitReason::Fence;
        }
        case Effect::Kind::Satp: vcpu.translation_stale = true; return ExitReason::Satp;
        case Effect::Kind::Wait: vcpu.waiting = true; return ExitReason::Wfi;
        default: guest.update_timer(vcpu); return ExitReason::Csr;
    }
}

// Executes an instruction that trapped because the guest's kernel runs in U-mode.
[[gnu::always_inline]] inline ExitReason emulate(Vcpu& vcpu, u32 insn) {
    Guest& guest = *vcpu.guest;
    GuestHart& hart = vcpu.hart();
    const Step step = execute_privileged({hart, guest.features(), *vcpu.platform, vcpu.lines}, insn);
    commit(hart, step.outcome);
    if (step.outcome.kind == Outcome::Kind::Inject) return ExitReason::Illegal;
    if (step.outcome.kind == Outcome::Kind::Jump) return ExitReason::Sret;
    switch (step.effect.kind) {
        case Effect::Kind::Fence:
        case Effect::Kind::Satp:
        case Effect::Kind::Wait:
        case Effect::Kind::Timer: return follow_up(vcpu, step.effect);
        default: return ExitReason::Csr;
    }
}

ExitReason illegal_instruction(Vcpu& vcpu, u64 stval) {
    Guest& guest = *vcpu.guest;
    GuestHart& hart = vcpu.hart();
    const Gva pc{hart.pc};
    const bool supervisor = hart.priv == Priv::S;
    if (supervisor) {
        ShadowAccess shadow(vcpu);
        TlbFlush flush;
        const bool undone = shadow->undo_replacement(vcpu.id, pc, static_cast<u32>(stval), flush);
        shadow.discharge(flush);
        if (undone) return ExitReason::ShadowFill;
    }
    // Harts may report 0 instead of the instruction (Privileged 1.12, 4.1.9).
    if (stval == 0) [[unlikely]] {
        const auto insn = guest.fetch(vcpu);
        if (!insn) {
            inject(hart, insn.error());
            return ExitReason::GuestException;
        }
        stval = *insn;
    }
    const u32 insn = static_cast<u32>(stval);
    const ExitReason reason = emulate(vcpu, insn);
    // Once is enough: the next time it shall be an ecall, which firmware does not see.
    if (supervisor && reason != ExitReason::Illegal) {
        ShadowAccess shadow(vcpu);
        shadow.discharge(shadow->replace(vcpu.id, pc, insn));
    }
    return reason;
}

ExitReason device_access(Vcpu& vcpu, Gva gva, Gpa gpa, Access access) {
    Guest& guest = *vcpu.guest;
    GuestHart& hart = vcpu.hart();
    const Exception fault{access_fault(access), gva.raw};
    if (access == Access::Fetch) {
        inject(hart, fault);
        return ExitReason::GuestException;
    }
    const auto word = guest.fetch(vcpu);
    if (!word) {
        inject(hart, word.error());
        return ExitReason::GuestException;
    }
    const auto insn = decode_memory(*word);
    // Not a load or store of the standard encodings: another hart changed the instruction, or an extension accessed
    // memory in a way that no device takes.
    const Outcome outcome = insn ? guest.access_device(vcpu, *insn, gpa, gva) : Outcome::inject(fault);
    if (outcome.kind == Outcome::Kind::Inject) vcpu.stats.pass_on(outcome.cause);
    commit(hart, outcome);
    return ExitReason::Mmio;
}

struct Filled {
    Shadow::FaultResult result;
    bool first_conflict;  ///< of this life with the hypervisor's window
};

Filled fill_shadow(Vcpu& vcpu, Gva gva, Access access) {
    ShadowAccess shadow(vcpu);
    const auto result = shadow->handle_fault(vcpu.id, vcpu.view(), gva, access);
    shadow.discharge(result.flush);
    return {result, result.window_conflict && shadow->stats().window_conflicts == 1};
}

// Whoever waits for the console is Outside: who has it may wait for the guest's tables, and they for this vCPU.
void tell_conflict(Vcpu& vcpu, Gva gva) {
    vcpu.mailbox.leave();
    log_warn("{}: the guest maps {}, where the hypervisor lives; it sees a page fault there", vcpu.guest->name(), gva);
}

ExitReason page_fault(Vcpu& vcpu, Gva gva, Access access) {
    const auto [result, first_conflict] = fill_shadow(vcpu, gva, access);
    switch (result.kind) {
        case Shadow::FaultResult::Kind::Retry: return ExitReason::ShadowFill;
        case Shadow::FaultResult::Kind::Device: return device_access(vcpu, gva, result.gpa, access);
        case Shadow::FaultResult::Kind::Inject: break;
    }
    if (first_conflict) tell_conflict(vcpu, gva);
    inject(vcpu.hart(), {result.cause, gva.raw});
    return ExitReason::GuestPageFault;
}

// An ecall of the guest's own.
ExitReason environment_call(Vcpu& vcpu) {
    GuestHart& hart = vcpu.hart();
    if (hart.priv == Priv::U) {
        inject(hart, Exception{Cause::EcallFromU, 0});
        return ExitReason::UserEcall;
    }
    // It trapped where nothing is replaced, as far as the tables tell now. Another vCPU may have changed that since the
    // trap: then it has to try again.
    if (vcpu.guest->vcpus().size() > 1) {
        const auto insn = vcpu.guest->fetch(vcpu);
        if (insn && *insn != kEcall) return ExitReason::ShadowFill;
    }
    commit(hart, vcpu.guest->serve_sbi(vcpu));
    return ExitReason::Sbi;
}

ExitReason interrupt(Scause scause) {
    switch (static_cast<Irq>(scause.get(Scause::Code))) {
        case Irq::SSI: return ExitReason::Software;
        case Irq::SEI: return ExitReason::External;
        default: return ExitReason::Timer;
    }
}

// What `vcpu`, a supervisor, has at its pc in place of the ecall that it trapped on.
u32 find_original(Vcpu& vcpu) {
    ShadowAccess shadow(vcpu);
    return shadow->original(vcpu.id, Gva{vcpu.hart().pc});
}

// Everything but the ecalls that privileged instructions have become.
[[gnu::noinline]] ExitReason handle_rare_exit(Vcpu& vcpu, TrapInfo trap) {
    if (trap.scause == Scause::of(Cause::IllegalInstruction)) return illegal_instruction(vcpu, trap.stval);
    if (trap.scause.is_interrupt()) return interrupt(trap.scause);
    const Gva address{trap.stval};
    const auto cause = static_cast<Cause>(trap.scause.get(Scause::Code));
    switch (cause) {
        case Cause::FetchPageFault: return page_fault(vcpu, address, Access::Fetch);
        case Cause::LoadPageFault: return page_fault(vcpu, address, Access::Load);
        case Cause::StorePageFault: return page_fault(vcpu, address, Access::Store);
        case Cause::EcallFromU: return environment_call(vcpu);
        default: break;
    }
    // Misaligned accesses, access faults and breakpoints are the guest's as they are: on the bare machine, firmware
    // would have handed its kernel the same.
    vcpu.stats.pass_on(cause);
    inject(vcpu.hart(), {cause, trap.stval});
    return ExitReason::GuestException;
}

// An ecall of a supervisor that is its own, or at a place that was not met lately.
[[gnu::noinline]] ExitReason handle_ecall(Vcpu& vcpu, const TrapInfo& trap) {
    const u32 insn = find_original(vcpu);
    return insn != kEcall ? emulate(vcpu, insn) : handle_rare_exit(vcpu, trap);
}

}  // namespace

ExitReason handle_exit(Vcpu& vcpu, TrapInfo trap) {
    // A privileged instruction arrives as what it is for the first time only; then it is replaced.
    const GuestHart& hart = vcpu.hart();
    if (trap.scause == Scause::of(Cause::EcallFromU) && hart.priv == Priv::S) [[likely]] {
        const u32 insn = vcpu.guest->shadow().known_original(vcpu.id, Gva{hart.pc}).value_or(kEcall);
        if (insn == kEcall) [[unlikely]]
            return handle_ecall(vcpu, trap);
        return emulate(vcpu, insn);
    }
    return handle_rare_exit(vcpu, trap);
}

}  // namespace uc
