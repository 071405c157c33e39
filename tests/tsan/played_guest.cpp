// SPDX-License-Identifier: MIT
#include "tests/tsan/played_guest.hpp"

#include <utility>

#include "isa/sbi.hpp"

namespace uc::stress {

namespace {

ThreadPlatform& hart_of(Vcpu& vcpu) { return static_cast<ThreadPlatform&>(*vcpu.platform); }

TrapInfo interrupted(u64 pending) {
    for (const Irq irq : {Irq::SEI, Irq::SSI}) {
        if ((pending & irq_bit(irq)) != 0) return {Scause::of(irq), 0, {}};
    }
    return {Scause::of(Irq::STI), 0, {}};
}

template <class... Args>
Site ecall(Vcpu& vcpu, u64 ext, u64 fid, Args... args) {
    unsigned reg = 10;
    (vcpu.hart().set_x(reg++, static_cast<u64>(args)), ...);
    vcpu.hart().set_x(16, fid);
    vcpu.hart().set_x(17, ext);
    return kEcallSite;
}
template <class... Args>
Site ecall(Vcpu& vcpu, sbi::Ext ext, u64 fid, Args... args) {
    return ecall(vcpu, static_cast<u64>(ext), fid, args...);
}

Site store(Vcpu& vcpu, Gpa at, u64 value, Site site = kStore) {
    vcpu.hart().set_x(kArgument, at.raw);
    vcpu.hart().set_x(kData, value);
    return site;
}
Site load(Vcpu& vcpu, Gpa at) {
    vcpu.hart().set_x(kArgument, at.raw);
    return kLoad;
}
Site with(Vcpu& vcpu, Site site, u64 argument) {
    vcpu.hart().set_x(kArgument, argument);
    return site;
}

}  // namespace

PlayedGuest::PlayedGuest(const Part& part, HartMask may_have, u64 seed, std::atomic<u64>& progress)
    : part_(part), may_have_(may_have), progress_(progress), cpus_(new Cpu[part.vcpus]) {
    for (u32 i = 0; i < part.vcpus; ++i) cpus_[i].random.seed(static_cast<unsigned>(seed * 64 + i + 1));
}

void PlayedGuest::enter(Vcpu& vcpu, unsigned hart) {
    if (cpus_[vcpu.id].on.exchange(static_cast<int>(hart)) != -1) fail("a vCPU runs on two harts");
    if ((may_have_ & hart_bit(hart)) == 0) fail("a vCPU runs on a hart that is not its guest's");
}

void PlayedGuest::leave(Vcpu& vcpu) { cpus_[vcpu.id].on.store(-1); }

// Nothing of the life before runs any more.
void PlayedGuest::begin_life() {
    lives_.fetch_add(1);
    for (u32 i = 0; i < part_.vcpus; ++i) {
        cpus_[i].inbox.store(0);
        cpus_[i].tokens.store(0);
        cpus_[i].up.store(false);
    }
    Cpu& first = cpus_[0];
    first.tokens.store(1);
    first.to_start = 1;
    first.frozen = 0;
    first.asked = false;
}

TrapInfo PlayedGuest::play(Vcpu& vcpu) {
    Cpu& cpu = cpus_[vcpu.id];
    ThreadPlatform& here = hart_of(vcpu);
    // Who has been asked to leave has an interrupt, or will get one from whoever asked first.
    if (frozen_.load() && (here.pending() & irq_bit(Irq::SSI)) == 0 && !vcpu.mailbox.any()) {
        fail("a guest runs that was paused");
    }
    // Who ends or pauses a guest interrupts it, however long it would go on by itself.
    if (!vcpu.guest->running()) {
        while (here.pending() == 0) std::this_thread::yield();
    }
    if (const u64 pending = here.pending(); pending != 0 && below(cpu, 4) != 0) return interrupted(pending);

    GuestHart& hart = vcpu.hart();
    Site site = site_at(hart.pc);
    if (is_free(site)) {
        compute(vcpu, cpu);
        if (const u64 pending = here.pending(); pending != 0) return interrupted(pending);
        site = choose(vcpu, cpu);
        hart.pc = address_of(site);
    }
    prepare(vcpu, cpu, site);
    return trap(vcpu, cpu, site);
}

// The instructions of sequences find their arguments in registers as well.
void PlayedGuest::prepare(Vcpu& vcpu, Cpu& cpu, Site site) {
    GuestHart& hart = vcpu.hart();
    const bool relay = part_.role == Role::Relay;
    switch (site) {
        case kEntry: begin_life(); break;
        case kSetStvec: hart.set_x(kArgument, address_of(kHandler)); break;
        case kSetSie:
            hart.set_x(kArgument, irq_bit(Irq::SSI) | (relay ? 0 : irq_bit(Irq::STI) | irq_bit(Irq::SEI)));
            break;
        case kFirstAlarm:
        case kNextAlarm: hart.set_x(kArgument, relay ? ~0ull : now() + 50 + below(cpu, 3000)); break;
        case kAllow: cpu.up.store(true); break;
        case kSleep: hart.set_x(kArgument, now() + below(cpu, 500)); break;
        // The IPI was acknowledged: whoever hands over another token from now on sends another.
        case kClaim:
            if (const u32 got = cpu.inbox.exchange(0); got != 0) cpu.tokens.fetch_add(got);
            hart.set_x(kArgument, plic_claim(vcpu.id).raw);
            break;
        case kTakeKey:
            cpu.claimed = static_cast<u32>(hart.get_x(kData));
            hart.set_x(kArgument, kGuestUart.raw);
            break;
        case kAckClock: store(vcpu, kClockAck, 1); break;
        case kComplete: store(vcpu, plic_claim(vcpu.id), cpu.claimed); break;
        default: break;
    }
}

// As the hart reports it. A privileged instruction that was replaced arrives as an ecall; whether this one was only the
// tables know, and a hart may have fetched it before or after.
TrapInfo PlayedGuest::trap(Vcpu& vcpu, Cpu& cpu, Site site) {
    const GuestHart& hart = vcpu.hart();
    const u64 address = hart.get_x(kArgument);
    switch (kProgram[site]) {
        case kEcallInsn: return {Scause::of(Cause::EcallFromU), 0, {}};
        case kEbreakInsn: return {Scause::of(Cause::Breakpoint), hart.pc, {}};
        case kLoadWord:
        case kLoadByte: return {Scause::of(Cause::LoadPageFault), address, {}};
        case kStoreWord:
        case kStoreByte: return {Scause::of(Cause::StorePageFault), address, {}};
        default: break;
    }
    if (below(cpu, 2) == 0) return {Scause::of(Cause::EcallFromU), 0, {}};
    return {Scause::of(Cause::IllegalInstruction), below(cpu, 8) == 0 ? 0 : kProgram[site], {}};
}

// In user mode, as it were: until there is an interrupt, or for a while.
void PlayedGuest::compute(Vcpu& vcpu, Cpu& cpu) {
    const ThreadPlatform& here = hart_of(vcpu);
    for (u64 left = below(cpu, 16) == 0 ? below(cpu, 400) : 0; left != 0 && here.pending() == 0; --left) {
        std::this_thread::yield();
    }
}

void PlayedGuest::progress() {
    done_.fetch_add(1);
    progress_.fetch_add(1);
}

bool PlayedGuest::alone() const {
    for (u32 i = 0; i < part_.vcpus; ++i) {
        if (!cpus_[i].up.load()) return true;
    }
    return false;
}

Site PlayedGuest::choose(Vcpu& vcpu, Cpu& cpu) {
    std::optional<Site> site;
    if (vcpu.id == 0 && cpu.to_start < part_.vcpus) {
        return ecall(vcpu, sbi::Ext::Hsm, sbi::hsm::Start, cpu.to_start++, address_of(kStart), 0);
    }
    if (part_.role == Role::Manager && vcpu.id == 0) site = manage(vcpu, cpu);
    if (!site && part_.role == Role::Relay) site = relay(vcpu, cpu);
    if (!site && part_.role != Role::Relay) site = end(vcpu, cpu);
    return site ? *site : noise(vcpu, cpu);
}

std::optional<Site> PlayedGuest::relay(Vcpu& vcpu, Cpu& cpu) {
    if (cpu.tokens.load() == 0) return below(cpu, 4) != 0 ? std::optional(kWfi) : std::nullopt;
    if (alone()) return std::nullopt;
    if (done_.load() >= part_.goal) return end(vcpu, cpu);
    const u64 to = (vcpu.id + 1 + below(cpu, part_.vcpus - 1)) % part_.vcpus;
    cpu.tokens.fetch_sub(1);
    cpus_[to].inbox.fetch_add(1);
    progress();
    return ecall(vcpu, sbi::Ext::Ipi, sbi::ipi::SendIpi, u64{1} << to, 0);
}

// Its wards are paused, looked at for a while, and let go.
std::optional<Site> PlayedGuest::manage(Vcpu& vcpu, Cpu& cpu) {
    using namespace sbi::undercroft;
    const auto act = [&](unsigned guest, Action action) { return ecall(vcpu, kExt, GuestAct, guest, action); };
    if (std::exchange(cpu.asked, false) && vcpu.hart().get_x(10) == 0) {
        wards_[cpu.ward].second->frozen_.store(true);
        cpu.frozen = 1 + static_cast<unsigned>(below(cpu, 20));
    }
    if (cpu.frozen != 0) {
        if (--cpu.frozen != 0) return std::nullopt;
        wards_[cpu.ward].second->frozen_.store(false);
        return act(wards_[cpu.ward].first, Resume);
    }
    if (below(cpu, 4) != 0) return std::nullopt;
    progress();
    if (!wards_.empty() && below(cpu, 2) == 0 && done_.load() < part_.goal) {
        cpu.ward = below(cpu, wards_.size());
        cpu.asked = true;
        return act(wards_[cpu.ward].first, Pause);
    }
    const u64 guest = below(cpu, 5), record = kScratch.raw + 0x100ull * vcpu.id;
    switch (below(cpu, 5)) {
        case 0: return ecall(vcpu, kExt, GuestCount);
        case 1: return ecall(vcpu, kExt, GuestMemory, guest, record);
        case 2: return ecall(vcpu, kExt, MachineMemory, record);
        case 3: return ecall(vcpu, kExt, GuestExits, guest, below(cpu, 8), record);
        default: return ecall(vcpu, kExt, GuestInfo, guest, record);
    }
}

std::optional<Site> PlayedGuest::end(Vcpu& vcpu, Cpu& cpu) {
    if (part_.role == Role::Manager && (vcpu.id != 0 || cpu.frozen != 0)) return std::nullopt;
    if (part_.role == Role::Brief) {
        if (done_.load() < part_.goal) progress();
        return ecall(vcpu, sbi::Ext::Srst, sbi::srst::Reset, sbi::srst::Shutdown, sbi::srst::SystemFailure);
    }
    const bool over = done_.load() >= part_.goal;
    if (!over && (part_.role != Role::Noise || below(cpu, 600) != 0)) return std::nullopt;
    if (below(cpu, 4) == 0) return store(vcpu, kGuestSyscon, over ? 0x5555 : 0x7777);
    return ecall(vcpu, sbi::Ext::Srst, sbi::srst::Reset, over ? sbi::srst::Shutdown : sbi::srst::ColdReboot,
                 sbi::srst::None);
}

Site PlayedGuest::noise(Vcpu& vcpu, Cpu& cpu) {
    const bool relay = part_.role == Role::Relay;
    if (!relay) progress();
    switch (below(cpu, relay ? 12 : 18)) {
        case 0: return with(vcpu, kWriteSatp, 0);
        case 1:
        case 2: {
            const u64 space = below(cpu, kSpaces);
            Satp satp;
            satp.set(Satp::MODE, static_cast<u64>(SatpMode::Sv39)).set(Satp::ASID, space + 1 + below(cpu, 2) * kSpaces);
            return with(vcpu, kWriteSatp, satp.set(Satp::PPN, (kRoots + space * kPageSize).frame()).raw);
        }
        case 3: return kFenceAll;
        case 4: return with(vcpu, kFencePage, kScratch.raw + below(cpu, 16) * kPageSize);
        case 5: return with(vcpu, kFenceSpace, 1 + below(cpu, 4));
        case 6: return kReadCsr;
        case 7:
            return below(cpu, 2) == 0 ? with(vcpu, kLoad, kScratch.raw + below(cpu, 256) * kPageSize)
                                      : store(vcpu, kScratch + below(cpu, 256) * kPageSize, 0);
        case 8: return kNoSuchCsr;
        case 9: return kBreak;
        case 10:
            return ecall(vcpu, sbi::Ext::Rfence, below(cpu, 3), below(cpu, 16), 0, kScratch.raw,
                         below(cpu, 4) * kPageSize, 1);
        case 11: return store(vcpu, kGuestUart, below(cpu, 24) == 0 ? '\n' : 'a' + below(cpu, 26), kStoreOne);
        case 12: return kMaskAll;
        case 13: return kUnmaskAll;
        case 14: return kSleep;
        case 15: return device(vcpu, cpu);
        default: return call(vcpu, cpu);
    }
}

Site PlayedGuest::device(Vcpu& vcpu, Cpu& cpu) {
    switch (below(cpu, 8)) {
        case 0: return store(vcpu, plic_priority(kGuestUartIrq + static_cast<unsigned>(below(cpu, 2))), 1);
        case 1: return store(vcpu, plic_enable(vcpu.id), 3u << kGuestUartIrq);
        case 2: return store(vcpu, plic_enable(vcpu.id), 0);
        case 3: return store(vcpu, kGuestUart + 1, below(cpu, 2), kStoreOne);
        case 4: return store(vcpu, kClockEnable, 1);
        case 5: return store(vcpu, kClockAlarmHigh, 0);
        case 6: return store(vcpu, kClockAlarmLow, now() * 1000 + below(cpu, 1'000'000));
        default: return load(vcpu, kGuestUart + 5);
    }
}

Site PlayedGuest::call(Vcpu& vcpu, Cpu& cpu) {
    const u64 other = below(cpu, part_.vcpus);
    const Gpa scratch = kScratch + 0x1000ull + 0x100ull * vcpu.id;
    switch (below(cpu, 11)) {
        case 0: return ecall(vcpu, sbi::Ext::Time, sbi::time::SetTimer, now() + below(cpu, 1000));
        case 1: return ecall(vcpu, sbi::Ext::Ipi, sbi::ipi::SendIpi, below(cpu, 16), 0);
        case 2: return ecall(vcpu, sbi::Ext::Hsm, sbi::hsm::Start, other, address_of(kStart), 0);
        case 3:
            if (vcpu.id == 0) return ecall(vcpu, sbi::Ext::Hsm, sbi::hsm::Status, other);
            return ecall(vcpu, sbi::Ext::Hsm, sbi::hsm::Stop);
        case 4: return ecall(vcpu, sbi::Ext::Hsm, sbi::hsm::Suspend, sbi::hsm::kSuspendRetentive, 0, 0);
        case 5:
            return ecall(vcpu, sbi::Ext::Hsm, sbi::hsm::Suspend, sbi::hsm::kSuspendNonRetentive, address_of(kStart), 0);
        case 6: return ecall(vcpu, sbi::Ext::Dbcn, sbi::dbcn::Write, below(cpu, 18), kText.raw, 0);
        case 7: return ecall(vcpu, sbi::Ext::Dbcn, sbi::dbcn::Read, 8, scratch.raw, 0);
        case 8: return ecall(vcpu, sbi::Ext::Sta, sbi::sta::SetShmem, scratch.raw + 0x80, 0, 0);
        case 9:
            return ecall(vcpu, sbi::Ext::Pmu, below(cpu, 5), 0, 1 + 4 * below(cpu, 2), sbi::pmu::kAutoStart,
                         1 + below(cpu, 2), 0);
        default: return ecall(vcpu, sbi::Ext::Susp, sbi::susp::SystemSuspend, 0, address_of(kStart), 0);
    }
}

void PlayedGuest::check_tokens() const {
    u32 tokens = 0;
    for (u32 i = 0; i < part_.vcpus; ++i) {
        if (cpus_[i].on.load() != -1) fail(std::string(part_.name) + ": a vCPU was never left");
        tokens += cpus_[i].tokens.load() + cpus_[i].inbox.load();
    }
    if (lives_.load() != 0 && tokens != 1) fail(std::string(part_.name) + ": tokens are lost or doubled");
}

std::string PlayedGuest::describe() const {
    std::string text = std::string(part_.name) + ": " + std::to_string(done_.load()) + " of " +
                       std::to_string(part_.goal) + " done, " + std::to_string(lives_.load()) + " lives" +
                       (frozen_.load() ? ", frozen" : "");
    for (u32 i = 0; i < part_.vcpus; ++i) {
        text += "; vCPU " + std::to_string(i) + (cpus_[i].up.load() ? "" : " (down)") + " on " +
                std::to_string(cpus_[i].on.load()) + " tokens " + std::to_string(cpus_[i].tokens.load()) + "+" +
                std::to_string(cpus_[i].inbox.load());
    }
    return text;
}

}  // namespace uc::stress
