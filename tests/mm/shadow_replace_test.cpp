// SPDX-License-Identifier: MIT
// Instructions replaced in copies of code: who sees the copy, and when it goes.
#include "mm/shadow.hpp"

#include "tests/mm/fake_machine.hpp"

#include <gtest/gtest.h>

namespace uc::test {
namespace {

constexpr Gpa kRam = FakeMachine::kRamBase;
constexpr u64 kUser = 0xdf;         // D A U X W R V
constexpr u64 kKernel = 0xcb;       // D A X R V
constexpr u64 kKernelData = 0xc7;   // D A W R V
constexpr u32 kInsn = 0x1001'17f3;  // csrrw a5, sstatus, sp
constexpr u32 kCopies = 3;

constexpr Gpa kCode = kRam + 0x5000;
constexpr Gva kText{0x1000};   // kCode for the supervisor
constexpr Gva kAlias{0x2000};  // kCode as the supervisor's data
constexpr Gva kUsers{0x3000};  // kCode for the user
constexpr u64 kOffset = 0x102;

/// A small Sv39 guest whose supervisor executes one page, writes it through an alias, and shows it to its user.
class ShadowReplaceTest : public testing::Test {
  protected:
    static constexpr Gpa table(unsigned n) { return kRam + kMiB + n * kPageSize; }
    static constexpr u64 pointer(unsigned n) { return (table(n).raw >> 2) | 1; }
    static constexpr u64 leaf(Gpa gpa, u64 flags) { return (gpa.raw >> 2) | flags; }
    static MachineConfig config(SatpMode host = SatpMode::Sv39) {
        MachineConfig c;
        c.options.window.host_mode = host;
        c.options.host_asid_bits = 8;
        c.copies = kCopies;
        c.caching_tlb = false;
        return c;
    }

    void start(const MachineConfig& c) {
        machine_ = std::make_unique<FakeMachine>(c);
        machine_->poke(table(0), pointer(1));
        machine_->poke(table(1), pointer(2));
        map(kText, kCode, kKernel);
        map(kAlias, kCode, kKernelData);
        map(kUsers, kCode, kUser);
        put(kCode + kOffset, kInsn);
    }
    void map(Gva va, Gpa gpa, u64 flags) { set(table(2) + pte_index(va.raw, 0) * 8, leaf(gpa, flags)); }
    void set(Gpa entry, u64 value) {
        machine_->poke(entry, value);
        machine_->apply(0, machine_->shadow().memory_written(entry, 8));
    }
    void put(Gpa gpa, u32 insn) { ASSERT_TRUE(machine_->ram().store(gpa, insn)); }

    static Shadow::View view(Priv priv = Priv::S) {
        return {.satp = Satp{}.set(Satp::MODE, 8).set(Satp::ASID, 1).set(Satp::PPN, table(0).frame()), .priv = priv};
    }
    Result::Kind access(Gva va, Access access, Priv priv = Priv::S) {
        return machine_->access(0, view(priv), va, access).kind;
    }
    /// What a fetch by `priv` finds; the access must succeed.
    u32 fetch(Gva va, Priv priv = Priv::S) {
        EXPECT_EQ(access(va, Access::Fetch, priv), Result::Ok);
        return machine_->fetched(0, va).value_or(0);
    }
    /// The supervisor traps on the instruction at `va`.
    void trap(Gva va, u32 insn = kInsn) {
        EXPECT_EQ(access(va, Access::Fetch), Result::Ok);
        machine_->replace(0, va, insn);
    }
    u32 original(Gva va) { return machine_->original(0, va); }
    const ShadowStats& stats() { return machine_->shadow().stats(); }
    void TearDown() override { EXPECT_TRUE(machine_->shadow().check_invariants()); }

    std::unique_ptr<FakeMachine> machine_;
};

TEST_F(ShadowReplaceTest, SupervisorsExecuteAnEcallInstead) {
    for (SatpMode host : {SatpMode::Sv39, SatpMode::Sv48, SatpMode::Sv57}) {
        start(config(host));
        EXPECT_EQ(fetch(kText + kOffset), kInsn);
        EXPECT_EQ(original(kText + kOffset), kEcall) << "it is executed from the guest's own memory";
        trap(kText + kOffset);
        EXPECT_TRUE(machine_->last_flush == TlbFlush::none());
        EXPECT_EQ(fetch(kText + kOffset), kEcall);
        EXPECT_EQ(original(kText + kOffset), kInsn);
        EXPECT_EQ(machine_->ram().load<u32>(kCode + kOffset), kInsn) << "the guest's memory is its own";
        EXPECT_EQ(fetch(kText + kOffset - 4), 0) << "the rest of the page is as it was";
        EXPECT_TRUE(machine_->shadow().check_invariants());
    }
}

TEST_F(ShadowReplaceTest, AnEcallOfTheGuestsStaysOne) {
    start(config());
    put(kCode + kOffset + 4, kEcall);
    trap(kText + kOffset);
    EXPECT_EQ(fetch(kText + kOffset + 4), kEcall);
    EXPECT_EQ(original(kText + kOffset + 4), kEcall);
}

TEST_F(ShadowReplaceTest, UsersExecuteWhatIsThere) {
    start(config());
    trap(kText + kOffset);
    EXPECT_EQ(fetch(kUsers + kOffset, Priv::U), kInsn);
    EXPECT_EQ(fetch(kText + kOffset), kEcall);
}

TEST_F(ShadowReplaceTest, MoreInstructionsOfAPageNeedNoOtherCopyAndNoFlush) {
    start(config());
    put(kCode + kOffset + 6, kInsn);
    trap(kText + kOffset);
    const u64 flushes = machine_->flushes;
    trap(kText + kOffset + 6);
    EXPECT_EQ(machine_->flushes, flushes);
    EXPECT_EQ(stats().copies, 1);
    EXPECT_EQ(stats().replacements, 2);
    EXPECT_EQ(original(kText + kOffset + 6), kInsn);
}

TEST_F(ShadowReplaceTest, ReadingThePageShowsItAsItIs) {
    start(config());
    trap(kText + kOffset);
    EXPECT_EQ(access(kAlias, Access::Load), Result::Ok);
    EXPECT_EQ(stats().copy_drops, 0) << "an alias that is no code shows the original";
    EXPECT_EQ(access(kText, Access::Load), Result::Ok);
    EXPECT_EQ(stats().copy_drops, 1);
    EXPECT_EQ(original(kText + kOffset), kEcall);
    EXPECT_EQ(fetch(kText + kOffset), kInsn);
    trap(kText + kOffset);
    EXPECT_EQ(fetch(kText + kOffset), kEcall) << "and the next trap begins anew";
}

TEST_F(ShadowReplaceTest, AStoreThroughAnyAliasIsSeen) {
    for (const bool touched_before : {false, true}) {
        start(config());
        if (touched_before) {
            EXPECT_EQ(access(kAlias, Access::Store), Result::Ok);
        }
        trap(kText + kOffset);
        EXPECT_EQ(access(kAlias + kOffset, Access::Store), Result::Ok);
        put(kCode + kOffset, 0x1234'5677);
        EXPECT_EQ(stats().copy_drops, 1);
        EXPECT_EQ(fetch(kText + kOffset), 0x1234'5677u);
        EXPECT_EQ(original(kText + kOffset), kEcall);
    }
}

TEST_F(ShadowReplaceTest, AUsersStoreIsSeen) {
    start(config());
    trap(kText + kOffset);
    EXPECT_EQ(access(kUsers + kOffset, Access::Store, Priv::U), Result::Ok);
    put(kCode + kOffset, 0x1234'5677);
    EXPECT_EQ(fetch(kText + kOffset), 0x1234'5677u);
}

TEST_F(ShadowReplaceTest, StoresOfTheHypervisorAreSeen) {
    start(config());
    trap(kText + kOffset);
    put(kCode + kOffset, 0x1234'5677);
    machine_->apply(0, machine_->shadow().memory_written(kCode + kOffset, 4));
    EXPECT_EQ(fetch(kText + kOffset), 0x1234'5677u);
}

TEST_F(ShadowReplaceTest, WhatIsKnownOfAPlaceEndsWithItsMapping) {
    start(config());
    constexpr Gpa kOther = kCode + kPageSize;
    put(kOther + kOffset, kEcall);
    trap(kText + kOffset);
    EXPECT_EQ(original(kText + kOffset), kInsn);
    map(kText, kOther, kKernel);
    machine_->fence(0, kText, {});
    EXPECT_EQ(fetch(kText + kOffset), kEcall);
    EXPECT_EQ(original(kText + kOffset), kEcall) << "the guest's own now";
    map(kText, kCode, kKernel);
    machine_->fence(0, {}, {});
    EXPECT_EQ(fetch(kText + kOffset), kEcall);
    EXPECT_EQ(original(kText + kOffset), kInsn) << "the copy was kept";
}

/// What the hot path asks takes no lock: it answers only what was asked before, and only as long as nothing changed.
TEST_F(ShadowReplaceTest, APlaceIsKnownOnceItWasLookedUp) {
    start(config());
    trap(kText + kOffset);
    EXPECT_EQ(fetch(kText + kOffset), kEcall);
    Shadow& shadow = machine_->shadow();
    EXPECT_FALSE(shadow.known_original(0, kText + kOffset));
    EXPECT_EQ(shadow.original(0, kText + kOffset), kInsn);
    EXPECT_EQ(shadow.known_original(0, kText + kOffset), kInsn);
    EXPECT_EQ(access(kText, Access::Load), Result::Ok);
    EXPECT_FALSE(shadow.known_original(0, kText + kOffset)) << "the copy was given up";
}

TEST_F(ShadowReplaceTest, SuperpagesThatMayExecuteACopyAreSplit) {
    start(config());
    constexpr Gva kBig{2 * kMiB};
    set(table(1) + 8, leaf(kRam, kKernel));
    const Gva at = kBig + (kCode - kRam) + kOffset;
    EXPECT_EQ(access(at, Access::Fetch), Result::Ok);
    EXPECT_EQ(machine_->shadow().lookup(view(), at)->level, 1);
    trap(at);
    EXPECT_EQ(fetch(at), kEcall);
    EXPECT_EQ(machine_->shadow().lookup(view(), at)->level, 0);
    EXPECT_EQ(original(at), kInsn);
    EXPECT_EQ(fetch(kText + kOffset), kEcall);
    EXPECT_EQ(original(kText + kOffset), kInsn) << "the copy is the page's, not the address's";
}

TEST_F(ShadowReplaceTest, UntranslatedCodeIsReplacedToo) {
    start(config());
    const auto bare = [](Priv priv) { return Shadow::View{.satp = {}, .priv = priv}; };
    const Gva at{(kCode + kOffset).raw};
    EXPECT_EQ(machine_->access(0, bare(Priv::S), at, Access::Fetch).kind, Result::Ok);
    machine_->replace(0, at, kInsn);
    EXPECT_EQ(machine_->access(0, bare(Priv::S), at, Access::Fetch).kind, Result::Ok);
    EXPECT_EQ(machine_->fetched(0, at).value_or(kEcall), kEcall);
    EXPECT_EQ(original(at), kInsn);
    EXPECT_EQ(machine_->access(0, bare(Priv::U), at, Access::Fetch).kind, Result::Ok);
    EXPECT_EQ(machine_->fetched(0, at).value_or(kInsn), kInsn);
}

TEST_F(ShadowReplaceTest, ATableIsNotCopiedAndACopyIsNoTable) {
    start(config());
    map(kText + kPageSize * 4, table(2), kKernel);  // the table maps itself
    const Gva in_table = kText + kPageSize * 4 + 0x800;
    EXPECT_EQ(access(in_table, Access::Fetch), Result::Ok);
    machine_->replace(0, in_table, 0);
    EXPECT_EQ(stats().copies, 0);

    trap(kText + kOffset);
    set(table(1) + 16, leaf(kCode, 1));  // the code becomes a table
    EXPECT_EQ(access(Gva{4 * kMiB}, Access::Load), Result::Inject);
    put(kCode, 0);
    set(kCode, leaf(kRam, kKernel));
    machine_->fence(0, {}, {});
    EXPECT_EQ(access(Gva{4 * kMiB}, Access::Load), Result::Ok);
    EXPECT_EQ(stats().copy_drops, 1);
    EXPECT_EQ(fetch(kText + kOffset), kInsn);
}

TEST_F(ShadowReplaceTest, ThereAreOnlySoManyCopies) {
    start(config());
    for (unsigned i = 0; i < 10; ++i) {
        const Gpa page = kRam + 0x1'0000 + i * kPageSize;
        const Gva va{0x10'0000 + i * kPageSize};
        put(page, kInsn);
        map(va, page, kKernel);
        trap(va);
        EXPECT_EQ(fetch(va), kEcall);
        EXPECT_TRUE(machine_->shadow().check_invariants());
    }
    EXPECT_EQ(stats().copies, 10);
    unsigned left = 0;
    for (unsigned i = 0; i < 10; ++i) left += fetch(Gva{0x10'0000 + i * kPageSize}) == kEcall;
    EXPECT_EQ(left, kCopies);
}

TEST_F(ShadowReplaceTest, CodeAndDataOnOnePageAreLeftAloneAfterAWhile) {
    start(config());
    constexpr unsigned kRounds = 4000;
    for (unsigned i = 0; i < kRounds; ++i) {
        trap(kText + kOffset);
        EXPECT_EQ(access(kText, Access::Load), Result::Ok);
    }
    EXPECT_GT(stats().copies, 16);
    EXPECT_LT(stats().copies, kRounds / 20);
}

TEST_F(ShadowReplaceTest, AnEcallThatEndsOnAnotherPageIsTheGuests) {
    start(config());
    trap(kText + kOffset);
    put(kCode + kPageSize - 2, 0x1020'0073);  // behind the page lies half an sret, but not in this address space
    EXPECT_EQ(fetch(kText + kOffset), kEcall);
    EXPECT_EQ(original(kText + kPageSize - 2), kEcall);
}

TEST_F(ShadowReplaceTest, HalfAnEcallIsUndone) {
    start(config());
    trap(kText + kOffset);
    TlbFlush flush;
    EXPECT_EQ(fetch(kText + kOffset), kEcall);
    EXPECT_FALSE(machine_->shadow().undo_replacement(0, kText + kOffset + 8, 0x1234'5677, flush))
        << "it is the guest's";
    EXPECT_FALSE(machine_->shadow().undo_replacement(0, kText + kOffset, kInsn, flush))
        << "the hart had fetched it before it was replaced";
    EXPECT_TRUE(flush.empty());
    EXPECT_EQ(stats().copy_drops, 0);
    EXPECT_TRUE(machine_->shadow().undo_replacement(0, kText + kOffset + 2, 0, flush));
    EXPECT_EQ(flush, TlbFlush::all());
    machine_->apply(0, flush);
    EXPECT_EQ(fetch(kText + kOffset), kInsn);
}

TEST_F(ShadowReplaceTest, AnInstructionWhoseEndIsHalfAnEcallIsUndone) {
    start(config());
    constexpr Gpa kNext = kCode + 7 * kPageSize;
    map(kText + kPageSize, kNext, kKernel);
    put(kNext, kInsn);
    trap(kText + kPageSize);
    put(kCode + kPageSize - 2, 0x0000'0073);
    EXPECT_EQ(fetch(kText + kPageSize - 2) & 0xffff, 0x73u);
    TlbFlush flush;
    EXPECT_TRUE(machine_->shadow().undo_replacement(0, kText + kPageSize - 2, 0x0073'0073, flush));
    EXPECT_EQ(stats().copy_drops, 1);
}

TEST_F(ShadowReplaceTest, MakingRoomIsNotHeldAgainstAPage) {
    start(config());
    for (unsigned i = 0; i < 200; ++i) {
        const Gva va{0x10'0000 + i % (kCopies + 1) * kPageSize};
        put(kRam + 0x1'0000 + i % (kCopies + 1) * kPageSize, kInsn);
        map(va, kRam + 0x1'0000 + i % (kCopies + 1) * kPageSize, kKernel);
        trap(va);
        EXPECT_EQ(fetch(va), kEcall) << i;
    }
}

TEST_F(ShadowReplaceTest, WhatCannotBeReplacedIsNot) {
    start(config());
    trap(kText + kPageSize - 2);              // half of it is on the next page
    trap(kText + kOffset, kInsn + (1 << 7));  // not what is there any more
    EXPECT_EQ(stats().copies, 0);
    auto none = config();
    none.copies = 0;
    start(none);
    trap(kText + kOffset);
    EXPECT_EQ(stats().copies, 0);
    EXPECT_EQ(fetch(kText + kOffset), kInsn);
}

}  // namespace
}  // namespace uc::test
