// SPDX-License-Identifier: MIT
#pragma once
// A started guest whose exits tests make up.

#include <gtest/gtest.h>

#include <algorithm>

#include "hv/exit.hpp"
#include "tests/emul/insn.hpp"
#include "tests/hv/test_machine.hpp"

namespace uc::test {

inline constexpr u64 kExitVector = 0xffff'ffff'8000'0100;
inline constexpr u64 kScratch = 0x123;
inline constexpr Gva kUart{kGuestUart.raw};
inline constexpr Gva kNothingThere{0x2000'0000};

/// A started guest in its S-mode, with its pc in memory and translation off.
struct ExitTest : testing::Test {
    TestMachine machine;
    Guest& guest = machine.start();
    Vcpu& vcpu = guest.vcpus()[0];
    GuestHart& hart = vcpu.hart();
    FakePlatform& platform = machine.platform;
    const u64 pc = hart.pc;

    ExitTest() {
        hart.stvec.raw = kExitVector;
        platform.flushes.clear();
    }

    ExitReason exit(const TrapInfo& trap) { return handle_exit(vcpu, trap); }
    ExitReason execute(u32 insn) { return exit(exception(Cause::IllegalInstruction, insn)); }

    /// Whether the guest took `expected` at the pc it had, from `priv`.
    void expect_injected(Exception expected, u64 at, Priv priv = Priv::S) const {
        EXPECT_EQ(hart.scause, Scause::of(expected.cause));
        EXPECT_EQ(hart.stval, expected.tval);
        EXPECT_EQ(hart.sepc, at);
        EXPECT_EQ(hart.pc, kExitVector);
        EXPECT_EQ(hart.priv, Priv::S);
        EXPECT_EQ(hart.sstatus.get(Sstatus::SPP), static_cast<u64>(priv));
    }
    void expect_injected(Exception expected) const { expect_injected(expected, pc); }

    // A root table of gigapages: addresses below 1 GiB and the RAM map to themselves for the supervisor. At 4 GiB, a
    // user's view of the RAM; at 5 GiB a read-only one.
    static constexpr Gpa kRoot{0x8010'0000};
    static constexpr Gva kUserRam{0x1'0000'0000};
    static constexpr Gva kReadOnlyRam{0x1'4000'0000};
    static constexpr u64 kRwx = Pte::R.mask | Pte::W.mask | Pte::X.mask;

    void set_root_entry(Gva va, Gpa target, u64 rights) {
        const Pte pte{{(target.frame() << Pte::PPN.lsb) | rights | Pte::A.mask | Pte::D.mask | Pte::V.mask}};
        EXPECT_TRUE(guest.ram().store(kRoot + 8 * pte_index(va.raw, 2), rights == 0 ? Pte{} : pte));
    }
    void use_sv39() {
        for (unsigned i = 0; i < kPtesPerTable; ++i) set_root_entry(Gva{i * kGiB}, Gpa{0}, 0);
        set_root_entry(Gva{0}, Gpa{0}, kRwx);
        set_root_entry(Gva{kGuestRamBase.raw}, kGuestRamBase, kRwx);
        set_root_entry(kUserRam, kGuestRamBase, kRwx | Pte::U.mask);
        set_root_entry(kReadOnlyRam, kGuestRamBase, Pte::R.mask);
        hart.satp.set(Satp::MODE, static_cast<u64>(SatpMode::Sv39)).set(Satp::PPN, kRoot.frame());
        activate();
    }
    void activate() { static_cast<void>(guest.shadow().activate(vcpu.id, vcpu.view())); }
    std::optional<Shadow::Entry> shadow_of(Gva va) { return guest.shadow().lookup(vcpu.view(), va); }
};

}  // namespace uc::test
