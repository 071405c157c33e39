// SPDX-License-Identifier: MIT
#include "emul/trap.hpp"

#include <gtest/gtest.h>

namespace uc {
namespace {

constexpr u64 kBase = 0xffff'ffff'8000'1000;

GuestHart user_hart() {
    GuestHart hart;
    hart.priv = Priv::U;
    hart.pc = 0x1'0002;
    hart.stvec.raw = kBase;
    hart.sstatus.set(Sstatus::SIE, 1).set(Sstatus::SUM, 1).set(Sstatus::FS, 2);
    return hart;
}

TEST(Inject, ExceptionFromUser) {
    GuestHart hart = user_hart();
    GuestHart expected = hart;
    expected.priv = Priv::S;
    expected.pc = kBase;
    expected.sepc = 0x1'0002;
    expected.scause.raw = 13;
    expected.stval = 0xdead'beef'0000;
    expected.sstatus.set(Sstatus::SIE, 0).set(Sstatus::SPIE, 1).set(Sstatus::SPP, 0);
    inject(hart, Exception{Cause::LoadPageFault, 0xdead'beef'0000});
    EXPECT_EQ(hart, expected);
}

TEST(Inject, ExceptionFromSupervisorWithInterruptsOff) {
    GuestHart hart = user_hart();
    hart.priv = Priv::S;
    hart.sstatus.set(Sstatus::SIE, 0).set(Sstatus::SPIE, 1);
    inject(hart, Exception{Cause::IllegalInstruction, 0x3020'0073});
    EXPECT_EQ(hart.sstatus.get(Sstatus::SPP), 1u);
    EXPECT_EQ(hart.sstatus.get(Sstatus::SPIE), 0u);
    EXPECT_EQ(hart.sstatus.get(Sstatus::SIE), 0u);
    EXPECT_EQ(hart.priv, Priv::S);
}

TEST(Inject, OnlyInterruptsAreVectored) {
    for (const Irq irq : {Irq::SSI, Irq::STI, Irq::SEI, Irq::LCOFI}) {
        GuestHart hart = user_hart();
        hart.stval = 7;
        hart.stvec.set(Stvec::MODE, Stvec::kVectored);
        inject(hart, irq);
        EXPECT_EQ(hart.pc, kBase + 4 * static_cast<u64>(irq));
        EXPECT_EQ(hart.scause.raw, 1ull << 63 | static_cast<u64>(irq));
        EXPECT_EQ(hart.stval, 0u);

        hart = user_hart();
        inject(hart, irq);
        EXPECT_EQ(hart.pc, kBase);
    }
    GuestHart hart = user_hart();
    hart.stvec.set(Stvec::MODE, Stvec::kVectored);
    inject(hart, Exception{Cause::StorePageFault});
    EXPECT_EQ(hart.pc, kBase);
}

TEST(NextIrq, FollowsPriority) {
    GuestHart hart = user_hart();
    hart.sie.raw = ~0ull;
    u64 pending = ~0ull;
    for (const Irq irq : {Irq::SEI, Irq::SSI, Irq::STI, Irq::LCOFI}) {
        EXPECT_EQ(next_irq(hart, pending), irq);
        pending &= ~irq_bit(irq);
    }
    EXPECT_EQ(next_irq(hart, pending), std::nullopt) << "bits that are no supervisor interrupt";
}

TEST(NextIrq, NeedsPendingAndEnabled) {
    GuestHart hart = user_hart();
    EXPECT_EQ(next_irq(hart, ~0ull), std::nullopt);
    hart.sie.set(Sie::STIE, 1);
    EXPECT_EQ(next_irq(hart, irq_bit(Irq::SEI)), std::nullopt);
    EXPECT_EQ(next_irq(hart, irq_bit(Irq::SEI) | irq_bit(Irq::STI)), Irq::STI);
}

TEST(NextIrq, SieMattersInSupervisorOnly) {
    GuestHart hart = user_hart();
    hart.sie.raw = irq_bit(Irq::SSI);
    for (const Priv priv : {Priv::U, Priv::S})
        for (const unsigned sie : {0u, 1u}) {
            hart.priv = priv;
            hart.sstatus.set(Sstatus::SIE, sie);
            EXPECT_EQ(next_irq(hart, irq_bit(Irq::SSI)).has_value(), priv == Priv::U || sie == 1);
        }
}

TEST(Commit, AppliesEachKind) {
    const GuestHart before = user_hart();
    GuestHart hart = before;
    commit(hart, Outcome::retry());
    EXPECT_EQ(hart, before);
    commit(hart, Outcome::leave());
    EXPECT_EQ(hart, before);
    commit(hart, Outcome::advance(2));
    EXPECT_EQ(hart.pc, before.pc + 2);
    commit(hart, Outcome::jump(0x4001));
    EXPECT_EQ(hart.pc, 0x4000u);

    hart = before;
    GuestHart injected = before;
    const Exception exception{Cause::StoreAccess, 0x1234};
    commit(hart, Outcome::inject(exception));
    inject(injected, exception);
    EXPECT_EQ(hart, injected);
}

TEST(Commit, AdvanceWrapsLikeTheHardware) {
    GuestHart hart;
    hart.pc = ~3ull;
    commit(hart, Outcome::advance(4));
    EXPECT_EQ(hart.pc, 0u);
}

}  // namespace
}  // namespace uc
