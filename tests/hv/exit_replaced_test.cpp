// SPDX-License-Identifier: MIT
// Exits of privileged instructions that were replaced by ecalls.

#include "tests/hv/exit_scene.hpp"

namespace uc {
namespace {

using test::exception;
using test::ExitTest;
using test::kScratch;
using test::place;

struct ReplacedTest : ExitTest {
    static constexpr u32 kInsn = test::csr_insn(test::kCsrrw, CsrNo::sscratch, 0, 5);

    /// The guest executes `insn`, which is in its memory at pc.
    ExitReason trap_on(u32 insn) {
        place(guest, Gpa{pc}, insn);
        activate();
        EXPECT_EQ(exit(exception(Cause::FetchPageFault, pc)), ExitReason::ShadowFill);
        hart.set_x(5, kScratch);
        return execute(insn);
    }
    ExitReason ecall_again() {
        hart.pc = pc;
        return exit(exception(Cause::EcallFromU));
    }
    // Whether its supervisor does, once it has fetched there again: what led to the page may be gone.
    bool executes_a_copy() {
        hart.priv = Priv::S;
        activate();
        EXPECT_EQ(exit(exception(Cause::FetchPageFault, pc)), ExitReason::ShadowFill);
        const auto leaf = shadow_of(Gva{pc});
        return leaf && (leaf->pte.raw & kRwx) == Pte::X.mask;
    }
};

TEST_F(ReplacedTest, WhatTrappedOnceArrivesAsAnEcall) {
    EXPECT_EQ(trap_on(kInsn), ExitReason::Csr);
    ASSERT_TRUE(executes_a_copy());
    EXPECT_TRUE(std::ranges::count(platform.flushes, TlbFlush::all_and_fetch()));
    hart.set_x(5, kScratch + 1);
    EXPECT_EQ(ecall_again(), ExitReason::Csr);
    EXPECT_EQ(hart.sscratch, kScratch + 1);
    EXPECT_EQ(hart.pc, pc + 4);
}

TEST_F(ReplacedTest, AnEcallOfTheGuestsIsAnSbiCall) {
    EXPECT_EQ(trap_on(kInsn), ExitReason::Csr);
    place(guest, Gpa{pc + 4}, kEcall);
    hart.pc = pc + 4;
    EXPECT_EQ(exit(test::sbi_ecall(hart, sbi::Ext::Base, sbi::base::SpecVersion)), ExitReason::Sbi);
    EXPECT_EQ(hart.get_x(10), 0u);
    EXPECT_EQ(hart.pc, pc + 8);
}

TEST_F(ReplacedTest, AUsersEcallIsOneWhateverWasReplaced) {
    EXPECT_EQ(trap_on(kInsn), ExitReason::Csr);
    hart.priv = Priv::U;
    EXPECT_EQ(ecall_again(), ExitReason::UserEcall);
    expect_injected({Cause::EcallFromU, 0}, pc, Priv::U);
}

TEST_F(ReplacedTest, WhatIsIllegalForTheGuestStaysAsItIs) {
    EXPECT_EQ(trap_on(test::kMret), ExitReason::Illegal);
    EXPECT_FALSE(executes_a_copy());
}

TEST_F(ReplacedTest, AUsersInstructionStaysAsItIs) {
    hart.priv = Priv::U;
    EXPECT_EQ(trap_on(kInsn), ExitReason::Illegal);
    EXPECT_FALSE(executes_a_copy());
}

TEST_F(ReplacedTest, HalfAnEcallIsNotTheGuests) {
    EXPECT_EQ(trap_on(kInsn), ExitReason::Csr);
    ASSERT_TRUE(executes_a_copy());
    hart.pc = pc + 2;
    EXPECT_EQ(execute(0), ExitReason::ShadowFill);
    EXPECT_EQ(hart.pc, pc + 2) << "it tries again";
    EXPECT_FALSE(executes_a_copy());
}

TEST_F(ReplacedTest, NothingIsReplacedWhereThatIsSwitchedOff) {
    test::TestMachine plain;
    plain.environment.replace = false;
    Guest& other = plain.start();
    Vcpu& v = other.vcpus()[0];
    place(other, Gpa{v.hart().pc}, kInsn);
    static_cast<void>(other.shadow().activate(0, v.view()));
    const u64 at = v.hart().pc;
    EXPECT_EQ(handle_exit(v, exception(Cause::FetchPageFault, at)), ExitReason::ShadowFill);
    EXPECT_EQ(handle_exit(v, exception(Cause::IllegalInstruction, kInsn)), ExitReason::Csr);
    EXPECT_EQ(other.shadow().stats().copies, 0u);
}

}  // namespace
}  // namespace uc
