// SPDX-License-Identifier: MIT
// What holds for a guest with several vCPUs: what other harts may still do before they hear of a flush, and what is not
// done before they have. FakeMachine::interlude is that moment.
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
constexpr Gva kLinear{0xffff'ffc0'0000'0000};
constexpr Gpa kCode = kRam + 0x5000;
constexpr Gva kText{0x1000};   // kCode for the supervisor
constexpr Gva kAlias{0x2000};  // kCode as the supervisor's data
constexpr u64 kOffset = 0x102;
constexpr Gva kData{0x4000};

/// A small Sv39 guest with two vCPUs and four spaces alike. Table n is the frame at 1 MiB + n * 4 KiB; the kernel sees
/// all memory at `kLinear`.
class ShadowSmpTest : public testing::Test {
  protected:
    static constexpr unsigned kSpaces = 4;
    static constexpr Gpa table(unsigned n) { return kRam + kMiB + n * kPageSize; }
    static constexpr u64 leaf(Gpa gpa, u64 flags) { return (gpa.raw >> 2) | flags; }
    static Gva linear(Gpa gpa) { return kLinear + (gpa - kRam); }
    static MachineConfig config() {
        MachineConfig c;
        c.options.window.host_mode = SatpMode::Sv39;
        c.options.host_asid_bits = 8;
        c.options.vcpus = 2;
        c.options.prefill = 0;
        c.copies = 2;
        return c;
    }
    void start(const MachineConfig& c) {
        machine_ = std::make_unique<FakeMachine>(c);
        for (unsigned space = 0; space < kSpaces; ++space) {
            set(10 + space, 0, leaf(table(1), 1));
            set(10 + space, pte_index(kLinear.raw, 2), leaf(table(3), 1));
        }
        set(1, 0, leaf(table(2), 1));
        for (unsigned i = 0; i < 2; ++i) set(3, i, leaf(kRam + i * 2 * kMiB, kKernelData));
        set(2, pte_index(kText.raw, 0), leaf(kCode, kKernel));
        set(2, pte_index(kAlias.raw, 0), leaf(kCode, kKernelData));
        set(2, pte_index(kData.raw, 0), leaf(kRam, kUser));
        put(kCode + kOffset, kInsn);
    }
    void set(unsigned table_number, unsigned index, u64 value) {
        machine_->poke(table(table_number) + index * 8, value);
    }
    void put(Gpa gpa, u32 insn) { ASSERT_TRUE(machine_->ram().store(gpa, insn)); }
    static Shadow::View view(Priv priv = Priv::S, unsigned space = 0) {
        return {.satp = Satp{}.set(Satp::MODE, 8).set(Satp::ASID, space).set(Satp::PPN, table(10 + space).frame()),
                .priv = priv};
    }
    static std::vector<Shadow::View> all_views(unsigned space) {
        std::vector<Shadow::View> views;
        for (const bool mxr : {false, true}) {
            for (auto v : {view(Priv::U, space), view(Priv::S, space), view(Priv::S, space)}) {
                v.mxr = mxr;
                v.sum = v.priv == Priv::S && !views.empty() && views.back().priv == Priv::S;
                views.push_back(v);
            }
        }
        return views;
    }
    Result::Kind access(unsigned vcpu, Gva va, Access access, Priv priv = Priv::S) {
        return machine_->access(vcpu, view(priv), va, access).kind;
    }
    /// A store that no fault announces; false: it would fault.
    bool silent_store(unsigned vcpu, Gva va) {
        const auto result = machine_->glimpse(vcpu, va, Access::Store);
        return result && result->kind == Result::Ok;
    }
    bool executes_copy(Gva va) {
        const auto entry = shadow().lookup(view(), va);
        return entry && host_target(entry->pte) - FakeMachine::kCodeHost < 2 * kPageSize;
    }
    void trap(unsigned vcpu, Gva va, u32 insn = kInsn) {
        EXPECT_EQ(access(vcpu, va, Access::Fetch), Result::Ok);
        machine_->replace(vcpu, va, insn);
    }
    bool undo(Gva pc, u32 insn) {
        TlbFlush flush;
        const bool undone = shadow().undo_replacement(0, pc, insn, flush);
        machine_->apply(0, flush);
        return undone;
    }
    Shadow& shadow() { return machine_->shadow(); }
    std::vector<TlbFlush>& discharged() { return machine_->discharged; }
    void TearDown() override { EXPECT_TRUE(shadow().check_invariants()); }

    std::unique_ptr<FakeMachine> machine_;
};

TEST_F(ShadowSmpTest, FramesGivenUpAreNotReusedBeforeAFlush) {
    auto c = config();
    c.pages = Shadow::min_pages(2);
    start(c);
    ASSERT_EQ(access(0, kData, Access::Load, Priv::U), Result::Ok);
    for (unsigned space = 0; space < kSpaces; ++space) set(10 + space, 0, 0);
    const u32 in_use = shadow().pages_in_use();
    const u32 available = machine_->pool().available();
    machine_->fence(0, {}, {});
    EXPECT_LT(shadow().pages_in_use(), in_use) << "what nothing leads to is given up";
    EXPECT_EQ(machine_->pool().available(), available) << "but not to be used again";

    for (unsigned space = 0; space < kSpaces; ++space) set(10 + space, 0, leaf(table(1), 1));
    unsigned dry = 0;
    machine_->interlude = [&] { dry += machine_->pool().available() == 0; };
    for (unsigned page = 0; page < 2048; page += 13) {
        const u64 reclaims = shadow().stats().reclaims;
        discharged().clear();
        ASSERT_EQ(access(page % 2, linear(kRam + page % 1024 * kPageSize), Access::Load), Result::Ok);
        static_cast<void>(machine_->access(1, all_views(page / 8 % kSpaces)[page % 6], kData, Access::Load));
        EXPECT_TRUE(shadow().stats().reclaims == reclaims || !discharged().empty());
        for (const TlbFlush& flush : discharged()) EXPECT_EQ(flush, TlbFlush::all());
    }
    EXPECT_GT(dry, 3);
    EXPECT_GT(shadow().stats().reclaims, 3);
}

/// A vCPU turns to roots that it remembers without asking.
TEST_F(ShadowSmpTest, RootsRememberedAreNeverTaken) {
    auto c = config();
    c.pages = Shadow::min_pages(2);
    c.options.host_asid_bits = 16;  // they do not run out
    start(c);
    const auto views = all_views(0);
    std::vector<u64> known;
    for (const auto& v : views) {
        machine_->activate(1, v);
        known.push_back(machine_->host_satp(1));
    }
    const auto look = [&] {
        for (unsigned i = 0; i < views.size(); ++i) {
            const auto found = shadow().try_activate(1, views[i]);
            ASSERT_TRUE(found);
            EXPECT_EQ(found->host_satp, known[i]);
            EXPECT_TRUE(machine_->has_root(1));
        }
    };
    machine_->interlude = look;
    for (unsigned round = 0; round < 200; ++round) {
        for (const auto& v : all_views(1 + round % 3)) {
            ASSERT_EQ(machine_->access(0, v, kData, Access::Load).kind,
                      v.priv == Priv::U || v.sum ? Result::Ok : Result::Inject);
        }
        if (round % 16 == 0) machine_->fence(0, {}, {});
        look();
    }
    EXPECT_GT(shadow().stats().reclaims, 50);
}

/// Whatever a vCPU turned to before it heard that the ASIDs begin anew, nobody else gets its ASID.
TEST_F(ShadowSmpTest, AsidsThatRunAreKept) {
    auto c = config();
    c.options.host_asid_bits = 3;
    start(c);
    u64 running = 0;
    u64 rollovers = 0;
    const auto turn = [&] {
        if (const auto found = shadow().try_activate(1, view(Priv::U))) {
            running = found->host_satp;
            EXPECT_EQ(shadow().stats().asid_rollovers, rollovers) << "who hears of it has forgotten what it knew";
        }
        rollovers = shadow().stats().asid_rollovers;
    };
    machine_->interlude = turn;
    for (unsigned round = 0; round < 100; ++round) {
        machine_->activate(1, view(Priv::U));
        machine_->activate(1, view(Priv::S));
        running = machine_->host_satp(1);
        for (unsigned i = 0; i < 5; ++i) {
            machine_->activate(0, view(i % 2 ? Priv::S : Priv::U, 1 + (round + i) % 3));
            const Satp theirs{{running}}, ours{{machine_->host_satp(0)}};
            EXPECT_TRUE(theirs.get(Satp::ASID) != ours.get(Satp::ASID) || running == ours.raw) << "round " << round;
        }
    }
    EXPECT_GT(shadow().stats().asid_rollovers, 3);
}

/// Another hart may store through its TLB until it has heard that a table is protected.
TEST_F(ShadowSmpTest, AFullFenceComparesWhatIsFinal) {
    unsigned races = 0;
    for (u64 seed = 1; seed <= 20; ++seed) {
        auto c = config();
        c.seed = seed;
        start(c);
        ASSERT_EQ(access(0, kData, Access::Load, Priv::U), Result::Ok);
        ASSERT_EQ(access(1, linear(table(2)), Access::Store), Result::Ok);
        machine_->interlude = [&] {
            if (!silent_store(1, linear(table(2)))) return;
            ++races;
            set(2, pte_index(kData.raw, 0), leaf(kRam + kPageSize, kUser));
        };
        discharged().clear();
        machine_->fence(0, {}, {});
        machine_->interlude = {};
        ASSERT_EQ(discharged().size(), 1) << "for all tables at once";
        EXPECT_EQ(discharged()[0], TlbFlush::all());
        ASSERT_TRUE(shadow().check_invariants()) << "what is in step shows what the table says";
        EXPECT_FALSE(silent_store(1, linear(table(2))));
        const auto result = machine_->access(0, view(Priv::U), kData, Access::Load);
        EXPECT_EQ(result.gpa.raw == kRam.raw,
                  machine_->peek(table(2) + 8 * pte_index(kData.raw, 0)) == leaf(kRam, kUser));
    }
    EXPECT_GT(races, 10) << "stores that no fault announced";
}

/// A table that another hart writes while it is first shown is compared by each fence, until it is protected.
TEST_F(ShadowSmpTest, NewTablesBeginOutOfStepAndOweNothing) {
    start(config());
    ASSERT_EQ(access(1, linear(table(2)), Access::Store), Result::Ok);
    machine_->activate(0, view(Priv::U));
    discharged().clear();
    ASSERT_EQ(access(0, kData, Access::Load, Priv::U), Result::Ok);
    EXPECT_TRUE(discharged().empty());
    EXPECT_TRUE(silent_store(1, linear(table(2)))) << "nothing was protected";
    set(2, pte_index(kData.raw, 0), leaf(kRam + kPageSize, kUser));
    machine_->fence(1, kData, {});
    EXPECT_EQ(machine_->access(0, view(Priv::U), kData, Access::Load).gpa, kRam + kPageSize);
}

TEST_F(ShadowSmpTest, ACopyIsMadeOfWhatIsFinalAndShownLast) {
    start(config());
    constexpr Gpa kElsewhere = kCode + 0x800;
    ASSERT_EQ(access(1, kAlias, Access::Store), Result::Ok);
    bool stored = false;
    machine_->interlude = [&] {
        EXPECT_FALSE(executes_copy(kText)) << "before every hart has done fence.i";
        if (discharged().back().fetch) {
            EXPECT_TRUE(stored);
            EXPECT_FALSE(silent_store(1, kAlias)) << "the bytes are copied by now";
        } else if (silent_store(1, kAlias)) {
            stored = true;
            put(kElsewhere, 0x1234'5677);
        }
    };
    ASSERT_EQ(access(0, kText, Access::Fetch), Result::Ok);
    discharged().clear();
    machine_->replace(0, kText + kOffset, kInsn);
    machine_->interlude = {};
    EXPECT_EQ(discharged(), (std::vector{TlbFlush::all(), TlbFlush::fetch_everywhere()}));
    EXPECT_TRUE(executes_copy(kText));
    EXPECT_EQ(access(0, kText, Access::Fetch), Result::Ok);
    EXPECT_EQ(machine_->fetched(0, kText + 0x800), 0x1234'5677u);
    EXPECT_EQ(machine_->fetched(0, kText + kOffset), kEcall);
    EXPECT_EQ(machine_->original(0, kText + kOffset), kInsn);
}

TEST_F(ShadowSmpTest, WhatChangesBeforeItIsProtectedIsNotCopied) {
    start(config());
    ASSERT_EQ(access(1, kAlias, Access::Store), Result::Ok);
    machine_->interlude = [&] {
        if (silent_store(1, kAlias)) put(kCode + kOffset, kInsn + (1 << 7));
    };
    trap(0, kText + kOffset);
    machine_->interlude = {};
    EXPECT_EQ(shadow().stats().copies, 0);
    EXPECT_EQ(access(0, kText, Access::Fetch), Result::Ok);
    EXPECT_EQ(machine_->fetched(0, kText + kOffset), kInsn + (1 << 7));
}

/// Who learns of a store may not execute the copy any more.
TEST_F(ShadowSmpTest, ACopyIsGoneEverywhereBeforeItsPageCanBeWritten) {
    start(config());
    trap(0, kText + kOffset);
    EXPECT_EQ(access(1, kText, Access::Fetch), Result::Ok);
    discharged().clear();
    machine_->interlude = [&] {
        EXPECT_FALSE(executes_copy(kText));
        const auto entry = shadow().lookup(view(), kAlias);
        EXPECT_TRUE(!entry || !entry->pte.get(Pte::W));
    };
    EXPECT_EQ(access(0, kAlias, Access::Store), Result::Ok);
    machine_->interlude = {};
    EXPECT_EQ(discharged(), std::vector{TlbFlush::all()});
}

TEST_F(ShadowSmpTest, HalvesThatMakeAnInstructionAreNotReplacedWhereOthersExecute) {
    constexpr u32 kReadStvec = 0x1050'2573;  // csrr a0, stvec: its second half is wfi's
    for (const unsigned vcpus : {1u, 2u}) {
        auto c = config();
        c.options.vcpus = vcpus;
        start(c);
        put(kCode + 0x200, kReadStvec);
        trap(0, kText + kOffset);
        trap(0, kText + 0x200, kReadStvec);
        EXPECT_EQ(access(0, kText, Access::Fetch), Result::Ok);
        EXPECT_EQ(machine_->fetched(0, kText + 0x200), vcpus == 1 ? kEcall : kReadStvec);
    }
    start(config());
    put(kCode + 0x200, kReadStvec);
    trap(0, kText + 0x200, kReadStvec);
    EXPECT_EQ(access(0, kText, Access::Fetch), Result::Ok);
    EXPECT_EQ(machine_->fetched(0, kText + 0x200), kEcall) << "nobody executes a copy that is new";
}

TEST_F(ShadowSmpTest, HalvesOfTwoInstructionsAreUndone) {
    for (const u32 mixed : {(kInsn & 0xffff'0000) | kEcall, kInsn & 0xffff}) {
        start(config());
        trap(0, kText + kOffset);
        EXPECT_EQ(access(0, kText, Access::Fetch), Result::Ok);
        EXPECT_FALSE(undo(kText + kOffset, kInsn)) << "the guest's own";
        EXPECT_TRUE(undo(kText + kOffset, mixed));
        EXPECT_FALSE(executes_copy(kText));
        EXPECT_TRUE(undo(kText + kOffset, mixed)) << "on another hart, which comes later";
        EXPECT_EQ(shadow().stats().copy_drops, 1);
    }
}

TEST_F(ShadowSmpTest, WhatIsNotThereAnyMoreWasTheGuestsUnlessItMayBeMixed) {
    constexpr u32 kMixed = (kInsn & 0xffff'0000) | kEcall;
    start(config());
    EXPECT_EQ(access(0, kText, Access::Fetch), Result::Ok);
    EXPECT_FALSE(undo(kText + kOffset, kInsn));
    EXPECT_FALSE(undo(kText + kOffset, kInsn + (1 << 7))) << "fetched before it changed";
    EXPECT_TRUE(undo(kText + kOffset, kMixed));
    EXPECT_FALSE(undo(kText + kOffset, 0)) << "the hart does not tell";
    EXPECT_FALSE(undo(kData, kInsn)) << "fetched before it was unmapped";
    EXPECT_TRUE(undo(kData, kMixed));
    EXPECT_FALSE(undo(kData, 0));
    put(kCode + kOffset, kMixed);
    EXPECT_FALSE(undo(kText + kOffset, kMixed)) << "the guest's own, legal or not";
    put(kCode + kPageSize - 2, 0x0000'9002);
    EXPECT_FALSE(undo(kText + kPageSize - 2, 0x9002)) << "what is compressed has one half";
    EXPECT_FALSE(undo(kText + kPageSize - 2, 0)) << "whatever stands behind it";
    EXPECT_EQ(shadow().stats().copy_drops, 0);
}

}  // namespace
}  // namespace uc::test
