// SPDX-License-Identifier: MIT
#include "hv/exit.hpp"

#include <gtest/gtest.h>

#include "tests/hv/exit_scene.hpp"
#include "tests/ref/memory_patterns.hpp"

namespace uc {
namespace {

using test::exception;
using test::ExitTest;
using test::kExitVector;
using test::kNothingThere;
using test::kScratch;
using test::kUart;
using test::place;

// Illegal instructions.

TEST_F(ExitTest, EmulatesAPrivilegedInstruction) {
    hart.set_x(5, kScratch);
    EXPECT_EQ(execute(test::csr_insn(test::kCsrrw, CsrNo::sscratch, 0, 5)), ExitReason::Csr);
    EXPECT_EQ(hart.sscratch, kScratch);
    EXPECT_EQ(hart.pc, pc + 4);
}

TEST_F(ExitTest, GivesTheGuestWhatIsIllegalForItToo) {
    EXPECT_EQ(execute(test::kMret), ExitReason::Illegal);
    expect_injected({Cause::IllegalInstruction, test::kMret});
}

TEST_F(ExitTest, PrivilegedInstructionsAreIllegalForTheGuestsUser) {
    hart.priv = Priv::U;
    EXPECT_EQ(execute(test::kSret), ExitReason::Illegal);
    expect_injected({Cause::IllegalInstruction, test::kSret}, pc, Priv::U);
}

TEST_F(ExitTest, FetchesTheInstructionThatHardwareDidNotReport) {
    hart.set_x(5, kScratch);
    place(guest, Gpa{pc}, test::csr_insn(test::kCsrrw, CsrNo::sscratch, 0, 5));
    EXPECT_EQ(execute(0), ExitReason::Csr);
    EXPECT_EQ(hart.sscratch, kScratch);
    EXPECT_EQ(hart.pc, pc + 4);
}

TEST_F(ExitTest, FetchesAnUnreportedCompressedInstruction) {
    constexpr u32 kReserved = 0x8000'9c41;  // followed by half of something else
    place(guest, Gpa{pc}, kReserved | 3);
    place(guest, Gpa{pc}, kReserved & 0xffff);
    EXPECT_EQ(execute(0), ExitReason::Illegal);
    expect_injected({Cause::IllegalInstruction, kReserved & 0xffff});
}

TEST_F(ExitTest, AllZeroesIsAnInstructionOfItsOwn) {
    place(guest, Gpa{pc}, 0);
    EXPECT_EQ(execute(0), ExitReason::Illegal);
    expect_injected({Cause::IllegalInstruction, 0});
}

TEST_F(ExitTest, FetchesAcrossTheEndOfMemoryAsTheHartWould) {
    const Gpa last = kGuestRamBase + test::TestMachine::kGuestMemory - 2;
    EXPECT_TRUE(guest.ram().store<u16>(last, 0x0073));  // the first half of a four-byte instruction
    hart.pc = last.raw;
    EXPECT_EQ(execute(0), ExitReason::GuestException);
    expect_injected({Cause::FetchAccess, last.raw + 2}, last.raw);
}

TEST_F(ExitTest, FetchRaisesThePageFaultOfTheHalfThatIsUnmapped) {
    use_sv39();
    constexpr Gva kRegion{0x1'8000'0000};
    constexpr Gpa kTable = kRoot + kPageSize;
    EXPECT_TRUE(guest.ram().store<u64>(kRoot + 8 * 6, (kTable.frame() << Pte::PPN.lsb) | Pte::V.mask));
    const u64 two_megabytes = (kGuestRamBase.frame() << Pte::PPN.lsb) | kRwx | Pte::A.mask | Pte::D.mask | Pte::V.mask;
    EXPECT_TRUE(guest.ram().store<u64>(kTable, two_megabytes));
    EXPECT_TRUE(guest.ram().store<u64>(kTable + 8, 0));
    EXPECT_TRUE(guest.ram().store<u16>(kGuestRamBase + 2 * kMiB - 2, 0x0073));
    const Gva next = kRegion + 2 * kMiB;
    hart.pc = next.raw - 2;
    EXPECT_EQ(execute(0), ExitReason::GuestException);
    expect_injected({Cause::FetchPageFault, next.raw}, next.raw - 2);
}

TEST_F(ExitTest, FetchRaisesThePageFaultOfAPageThatIsNotExecutable) {
    use_sv39();
    hart.pc = kReadOnlyRam.raw;
    EXPECT_EQ(execute(0), ExitReason::GuestException);
    expect_injected({Cause::FetchPageFault, kReadOnlyRam.raw}, kReadOnlyRam.raw);
}

// What privileged instructions lead to outside of GuestHart.

TEST_F(ExitTest, WfiWaits) {
    EXPECT_EQ(execute(test::kWfi), ExitReason::Wfi);
    EXPECT_TRUE(vcpu.waiting);
    EXPECT_EQ(hart.pc, pc + 4);
}

TEST_F(ExitTest, SretJumps) {
    hart.sepc = 0x8000'1234;
    EXPECT_EQ(execute(test::kSret), ExitReason::Sret);
    EXPECT_EQ(hart.pc, 0x8000'1234);
    EXPECT_EQ(hart.priv, Priv::U);
}

TEST_F(ExitTest, WritingSatpOutdatesTheTranslation) {
    vcpu.translation_stale = false;
    hart.set_x(5, static_cast<u64>(SatpMode::Sv39) << Satp::MODE.lsb | kRoot.frame());
    EXPECT_EQ(execute(test::csr_insn(test::kCsrrw, CsrNo::satp, 0, 5)), ExitReason::Satp);
    EXPECT_EQ(hart.satp.mode(), SatpMode::Sv39);
    EXPECT_TRUE(vcpu.translation_stale);
}

TEST_F(ExitTest, WritingStimecmpMovesTheTimer) {
    hart.set_x(5, platform.now);
    EXPECT_EQ(execute(test::csr_insn(test::kCsrrw, CsrNo::stimecmp, 0, 5)), ExitReason::Csr);
    EXPECT_EQ(vcpu.lines, irq_bit(Irq::STI));
    hart.set_x(5, platform.now + 500);
    EXPECT_EQ(execute(test::csr_insn(test::kCsrrw, CsrNo::stimecmp, 0, 5)), ExitReason::Csr);
    EXPECT_EQ(vcpu.lines, 0);
    EXPECT_EQ(platform.deadline, platform.now + 500);
}

TEST_F(ExitTest, AFenceMakesTheShadowFollowTheGuestsTables) {
    use_sv39();
    const Gva va = kUserRam + 0x1000;
    hart.sstatus.set(Sstatus::SUM, 1);
    activate();
    EXPECT_EQ(exit(exception(Cause::LoadPageFault, va.raw)), ExitReason::ShadowFill);
    ASSERT_TRUE(shadow_of(va));
    // A table in use is protected: the guest's store to it traps first.
    EXPECT_EQ(exit(exception(Cause::StorePageFault, kRoot.raw)), ExitReason::ShadowFill);
    set_root_entry(kUserRam, Gpa{0}, 0);
    platform.flushes.clear();

    EXPECT_EQ(execute(test::sfence_vma(0, 0)), ExitReason::Fence);
    EXPECT_FALSE(shadow_of(va));
    EXPECT_FALSE(platform.flushes.empty());
    EXPECT_EQ(hart.pc, pc + 4);
}

// Page faults.

TEST_F(ExitTest, FillsTheShadowOfMemory) {
    activate();
    const Gva va{kGuestRamBase.raw + 0x3123};
    EXPECT_EQ(exit(exception(Cause::StorePageFault, va.raw)), ExitReason::ShadowFill);
    const auto entry = shadow_of(va);
    ASSERT_TRUE(entry);
    EXPECT_NE(entry->pte.get(Pte::W), 0);
    EXPECT_NE(entry->pte.get(Pte::U), 0);
    const u64 in_leaf = level_size(entry->level) - 1;
    EXPECT_EQ(host_target(entry->pte).raw | (va.raw & in_leaf), guest.ram().hpa(Gpa{va.raw}).raw);
    EXPECT_EQ(hart.pc, pc);  // the access is made again
    EXPECT_EQ(hart.scause, Scause{});
}

TEST_F(ExitTest, GivesTheGuestItsOwnPageFaults) {
    use_sv39();
    const Gva unmapped{0x40'0000'0000 - 8};
    for (const Access access : {Access::Fetch, Access::Load, Access::Store}) {
        hart.pc = pc;
        EXPECT_EQ(exit(exception(page_fault(access), unmapped.raw)), ExitReason::GuestPageFault);
        expect_injected({page_fault(access), unmapped.raw});
    }
    hart.pc = pc;
    EXPECT_EQ(exit(exception(Cause::StorePageFault, kReadOnlyRam.raw + 5)), ExitReason::GuestPageFault);
    expect_injected({Cause::StorePageFault, kReadOnlyRam.raw + 5});
    hart.pc = pc;
    EXPECT_EQ(exit(exception(Cause::LoadPageFault, kReadOnlyRam.raw + 5)), ExitReason::ShadowFill);
}

TEST_F(ExitTest, UserPagesNeedSumInTheGuestToo) {
    use_sv39();
    EXPECT_EQ(exit(exception(Cause::LoadPageFault, kUserRam.raw)), ExitReason::GuestPageFault);
    expect_injected({Cause::LoadPageFault, kUserRam.raw});
    hart.pc = pc;
    hart.sstatus.set(Sstatus::SUM, 1);
    activate();
    EXPECT_EQ(exit(exception(Cause::LoadPageFault, kUserRam.raw)), ExitReason::ShadowFill);
}

// Devices.

/// An instruction of the row `pattern` whose register, where it has one, is `reg` (8 to 15).
u32 encode(const ref::MemoryPattern& pattern, unsigned reg) {
    u32 insn = 0;
    unsigned length = 0;
    for (const char c : pattern.bits) length += c != ' ';
    unsigned wide = 5, narrow = 3;
    for (const char c : pattern.bits) {
        if (c == ' ') continue;
        --length;
        u32 bit = c == '1';
        if (c == 'd' || c == 'D' || c == 's') bit = reg >> --wide & 1;
        if (c == 'e' || c == 't') bit = (reg - 8) >> --narrow & 1;
        insn |= bit << length;
    }
    return insn;
}

unsigned length_of(u32 insn) { return (insn & 3) == 3 ? 4 : 2; }

struct MmioForm : ExitTest, testing::WithParamInterface<ref::MemoryPattern> {
    static constexpr unsigned kReg = 13;
    const ref::MemoryPattern& form = GetParam();
    const u32 insn = encode(form, kReg);

    MmioForm() {
        hart.sstatus.set(Sstatus::FS, static_cast<u64>(ExtState::Clean));
        place(guest, Gpa{pc}, insn);
        activate();
    }
    ExitReason access() {
        return exit(exception(form.access == Access::Load ? Cause::LoadPageFault : Cause::StorePageFault, kUart.raw));
    }
};

TEST_P(MmioForm, ReachesTheDevice) {
    constexpr u64 kByte = 0x9a;  // its top bit tells signed loads apart, and only those of one byte
    const u64 sign = form.width == 1 && form.sign_extend ? ~0xffull : 0;
    const u64 nan_box = form.width == 8 ? 0 : ~0ull << (8 * form.width);
    if (form.amo) {
        EXPECT_EQ(access(), ExitReason::Mmio);
        expect_injected({access_fault(form.access), kUart.raw});
        return;
    }
    if (form.access == Access::Load) {
        ASSERT_TRUE(guest.type(kByte));
        EXPECT_EQ(access(), ExitReason::Mmio);
        if (form.fp) {
            EXPECT_EQ(platform.f[kReg], kByte | nan_box);
            EXPECT_EQ(hart.sstatus.get(Sstatus::FS), static_cast<u64>(ExtState::Dirty));
        } else {
            EXPECT_EQ(hart.get_x(kReg), kByte | sign);
        }
    } else {
        hart.set_x(kReg, form.fp ? '?' : 'G');
        platform.f[kReg] = form.fp ? 'G' : '?';
        EXPECT_EQ(access(), ExitReason::Mmio);
        EXPECT_EQ(machine.output(), "G");
    }
    EXPECT_EQ(hart.pc, pc + length_of(insn));
    EXPECT_EQ(hart.scause, Scause{});
}

TEST_P(MmioForm, FaultsWhereNoDeviceIs) {
    const GuestHart before = hart;
    EXPECT_EQ(exit(exception(page_fault(form.access), kNothingThere.raw)), ExitReason::Mmio);
    expect_injected({access_fault(form.access), kNothingThere.raw});
    EXPECT_EQ(hart.x, before.x);
}

std::string form_name(const testing::TestParamInfo<ref::MemoryPattern>& info) {
    std::string name(info.param.name);
    std::ranges::replace(name, '.', '_');
    return name;
}
INSTANTIATE_TEST_SUITE_P(Every, MmioForm, testing::ValuesIn(ref::kMemoryPatterns), form_name);

TEST_F(ExitTest, DevicesAreReachedThroughTheGuestsTables) {
    use_sv39();
    constexpr Gva kUartVa{0x3'4000'0000 + kGuestUart.raw};
    set_root_entry(kUartVa, Gpa{0}, Pte::R.mask | Pte::W.mask);
    constexpr u32 kSb = 0x0080'0023;  // sb x8, 0(x0)
    place(guest, Gpa{pc}, kSb);
    hart.set_x(8, 'v');
    EXPECT_EQ(exit(exception(Cause::StorePageFault, kUartVa.raw)), ExitReason::Mmio);
    EXPECT_EQ(machine.output(), "v");
    EXPECT_EQ(hart.pc, pc + 4);
}

TEST_F(ExitTest, NoInstructionIsFetchedFromADevice) {
    activate();
    hart.pc = kUart.raw;
    EXPECT_EQ(exit(exception(Cause::FetchPageFault, kUart.raw)), ExitReason::GuestException);
    expect_injected({Cause::FetchAccess, kUart.raw}, kUart.raw);
}

TEST_F(ExitTest, AnAccessThatIsNoStandardLoadOrStoreFaults) {
    activate();
    constexpr u32 kNop = 0x13;
    place(guest, Gpa{pc}, kNop);
    EXPECT_EQ(exit(exception(Cause::StorePageFault, kUart.raw)), ExitReason::Mmio);
    expect_injected({Cause::StoreAccess, kUart.raw});
    EXPECT_EQ(machine.output(), "");
}

TEST_F(ExitTest, AnInstructionThatWentAwayIsFetchedAgain) {
    use_sv39();
    hart.pc = kReadOnlyRam.raw;  // not executable any more
    EXPECT_EQ(exit(exception(Cause::LoadPageFault, kUart.raw)), ExitReason::GuestException);
    expect_injected({Cause::FetchPageFault, kReadOnlyRam.raw}, kReadOnlyRam.raw);
}

// Calls.

TEST_F(ExitTest, AnEcallOfTheKernelIsAnSbiCall) {
    const TrapInfo trap = test::sbi_ecall(hart, sbi::Ext::Base, sbi::base::ImplId);
    EXPECT_EQ(exit(trap), ExitReason::Sbi);
    EXPECT_EQ(hart.get_x(10), 0);
    EXPECT_EQ(hart.get_x(11), kSbiImplId);
    EXPECT_EQ(hart.pc, pc + 4);
}

TEST_F(ExitTest, AnEcallOfTheUserIsTheKernelsToServe) {
    hart.priv = Priv::U;
    const TrapInfo trap = test::sbi_ecall(hart, sbi::Ext::Base, sbi::base::ImplId);
    const auto x = hart.x;
    EXPECT_EQ(exit(trap), ExitReason::UserEcall);
    expect_injected({Cause::EcallFromU, 0}, pc, Priv::U);
    EXPECT_EQ(hart.x, x);
}

// Everything else.

TEST_F(ExitTest, OtherExceptionsReachTheGuestAsTheyCame) {
    for (const Cause cause : {Cause::FetchMisaligned, Cause::FetchAccess, Cause::Breakpoint, Cause::LoadMisaligned,
                              Cause::LoadAccess, Cause::StoreMisaligned, Cause::StoreAccess}) {
        for (const Priv priv : {Priv::S, Priv::U}) {
            hart.pc = pc;
            hart.priv = priv;
            EXPECT_EQ(exit(exception(cause, 0x8000'0003)), ExitReason::GuestException);
            expect_injected({cause, 0x8000'0003}, pc, priv);
        }
    }
}

TEST_F(ExitTest, InterruptsOfTheHostAreNotTheGuests) {
    const GuestHart before = hart;
    EXPECT_EQ(exit(test::interrupt(Irq::STI)), ExitReason::Timer);
    EXPECT_EQ(exit(test::interrupt(Irq::SSI)), ExitReason::Software);
    EXPECT_EQ(exit(test::interrupt(Irq::SEI)), ExitReason::External);
    EXPECT_EQ(hart, before);
    EXPECT_EQ(vcpu.lines, 0);
}

// Where guests may have the host's own mode, the window takes some of their addresses.
TEST(ExitWindow, TellsOnceThatAGuestMapsTheWindow) {
    test::TestMachine machine;
    const Pte entry{{Pte::V.mask | Pte::R.mask | Pte::A.mask | Pte::G.mask}};
    machine.environment.window = {SatpMode::Sv39, 477, 1, &entry};
    Guest& guest = machine.start();
    Vcpu& vcpu = guest.vcpus()[0];
    constexpr Gpa kRoot{0x8010'0000};
    for (unsigned i = 0; i < kPtesPerTable; ++i) {
        EXPECT_TRUE(guest.ram().store<u64>(kRoot + 8 * i, (kGuestRamBase.frame() << Pte::PPN.lsb) | 0xcf));
    }
    vcpu.hart().satp.set(Satp::MODE, static_cast<u64>(SatpMode::Sv39)).set(Satp::PPN, kRoot.frame());
    static_cast<void>(guest.shadow().activate(0, vcpu.view()));
    constexpr Gva kTaken{sign_extend(477ull << level_shift(2), 39)};
    // Who prints may have to wait, in the end for a hart that waits until this vCPU is Outside.
    bool outside = true;
    machine.terminal.while_it_prints = [&] { outside = outside && !vcpu.mailbox.is_inside(); };
    vcpu.mailbox.arrive(0);
    for (int i = 0; i < 2; ++i) {
        while (vcpu.mailbox.enter().any()) {}
        EXPECT_EQ(handle_exit(vcpu, exception(Cause::LoadPageFault, kTaken.raw)), ExitReason::GuestPageFault);
        EXPECT_EQ(vcpu.hart().scause, Scause::of(Cause::LoadPageFault));
    }
    EXPECT_TRUE(outside);
    const std::string& out = machine.output();
    const std::string warning = "guest0: the guest maps 0xfffffff740000000";
    EXPECT_NE(out.find(warning), std::string::npos) << out;
    EXPECT_EQ(out.find(warning), out.rfind(warning));
}

}  // namespace
}  // namespace uc
