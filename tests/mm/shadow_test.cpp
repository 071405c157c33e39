// SPDX-License-Identifier: MIT
// The shadow MMU's promises, one at a time.
#include "mm/shadow.hpp"

#include "tests/mm/fake_machine.hpp"

#include <gtest/gtest.h>

namespace uc::test {
namespace {

constexpr Gpa kRam = FakeMachine::kRamBase;
constexpr u64 kUser = 0xdf;    // D A U X W R V
constexpr u64 kKernel = 0xcf;  // D A X W R V
constexpr Gva kLinear{0xffff'ffc0'0000'0000};

/// A small Sv39 guest: table n is the frame at 1 MiB + n * 4 KiB; the kernel sees all memory at `kLinear`, by 2 MiB
/// leaves.
class ShadowTest : public testing::Test {
  protected:
    static Gpa table(unsigned n) { return kRam + kMiB + n * kPageSize; }
    static u64 pointer(unsigned n) { return (table(n).raw >> 2) | 1; }
    static u64 leaf(Gpa gpa, u64 flags) { return (gpa.raw >> 2) | flags; }
    static MachineConfig config(SatpMode host = SatpMode::Sv39) {
        MachineConfig c;
        c.options.window.host_mode = host;
        c.options.host_asid_bits = 8;
        c.options.prefill = 0;
        c.caching_tlb = false;
        return c;
    }

    void start(const MachineConfig& c) {
        machine_ = std::make_unique<FakeMachine>(c);
        for (unsigned root : {0u, 4u}) {
            set(root, pte_index(kLinear.raw, 2), pointer(1));
            set(root, 0, pointer(2));
        }
        for (unsigned i = 0; i < 2; ++i) set(1, i, leaf(kRam + i * 2 * kMiB, 0xc7));
        set(2, 0, pointer(3));
    }
    void set(unsigned table_number, unsigned index, u64 value) {
        machine_->poke(table(table_number) + index * 8, value);
    }
    static Shadow::View view(Priv priv = Priv::S, bool sum = false, unsigned root = 0, u64 asid = 1) {
        const Satp satp = Satp{}.set(Satp::MODE, 8).set(Satp::ASID, asid).set(Satp::PPN, table(root).frame());
        return {.satp = satp, .priv = priv, .sum = sum};
    }
    /// Stores to a table as the guest's kernel does.
    void kernel_store(unsigned table_number, unsigned index, u64 value) {
        const Gpa at = table(table_number) + index * 8;
        const Result result = machine_->access(0, view(), kLinear + (at - kRam), Access::Store);
        ASSERT_EQ(result.kind, Result::Ok);
        ASSERT_EQ(result.gpa, at);
        machine_->poke(at, value);
    }
    Result::Kind user(Gva gva, Access access) { return machine_->access(0, view(Priv::U), gva, access).kind; }
    Shadow& shadow() { return machine_->shadow(); }
    unsigned level_of(const Shadow::View& v, Gva gva) {
        const auto entry = shadow().lookup(v, gva);
        return entry ? entry->level : 9;
    }
    void TearDown() override { EXPECT_TRUE(shadow().check_invariants()); }

    std::unique_ptr<FakeMachine> machine_;
};

TEST_F(ShadowTest, ViewsShowEachPrivilegeItsOwn) {
    start(config());
    set(3, 0, leaf(kRam, kUser));
    set(3, 1, leaf(kRam, kKernel));
    const auto allowed = [&](const Shadow::View& v, u64 va) {
        std::string s;
        for (Access a : {Access::Load, Access::Store, Access::Fetch}) {
            const Result r = machine_->access(0, v, Gva{va}, a);
            s += r.kind == Result::Ok ? '1' : '0';
            EXPECT_TRUE(r.kind == Result::Ok || r.cause == page_fault(a));
        }
        return s;
    };
    EXPECT_EQ(allowed(view(Priv::U), 0), "111");
    EXPECT_EQ(allowed(view(Priv::U), 0x1000), "000");
    EXPECT_EQ(allowed(view(Priv::U, true), 0x1000), "000") << "SUM is the supervisor's";
    EXPECT_EQ(allowed(view(Priv::S), 0), "000");
    EXPECT_EQ(allowed(view(Priv::S), 0x1000), "111");
    EXPECT_EQ(allowed(view(Priv::S, true), 0), "110") << "user pages are never executed";
    EXPECT_EQ(allowed(view(Priv::S, true), 0x1000), "111");
    set(3, 2, leaf(kRam, 0xd9));  // execute-only
    auto mxr = view(Priv::U);
    EXPECT_EQ(allowed(mxr, 0x2000), "001");
    mxr.mxr = true;
    EXPECT_EQ(allowed(mxr, 0x2000), "101");
}

TEST_F(ShadowTest, SwitchingViewsAndKnownSpacesFlushesNothing) {
    start(config());
    set(3, 0, leaf(kRam, kUser));
    for (const auto& v : {view(Priv::U), view(Priv::S), view(Priv::S, true), view(Priv::U, false, 4, 2)}) {
        machine_->activate(0, v);
        static_cast<void>(machine_->access(0, v, Gva{0}, Access::Load));
    }
    const u64 flushes = machine_->flushes;
    std::set<u64> roots;
    for (unsigned i = 0; i < 10; ++i) {
        for (const auto& v : {view(Priv::U), view(Priv::S), view(Priv::S, true), view(Priv::U, false, 4, 2)}) {
            machine_->activate(0, v);
            roots.insert(machine_->host_satp(0));
        }
    }
    EXPECT_EQ(machine_->flushes, flushes);
    EXPECT_EQ(roots.size(), 4) << "each with an ASID and a root of its own";
}

TEST_F(ShadowTest, RootsAreKnownOnceTheyWereChosen) {
    start(config());
    EXPECT_FALSE(shadow().try_activate(0, view(Priv::U)));
    const u64 user_satp = shadow().activate(0, view(Priv::U)).host_satp;
    EXPECT_FALSE(shadow().try_activate(0, view(Priv::S)));
    const u64 kernel_satp = shadow().activate(0, view(Priv::S)).host_satp;
    for (unsigned i = 0; i < 2; ++i) {
        const auto user = shadow().try_activate(0, view(Priv::U));
        const auto kernel = shadow().try_activate(0, view(Priv::S));
        ASSERT_TRUE(user && kernel);
        EXPECT_EQ(user->host_satp, user_satp);
        EXPECT_EQ(kernel->host_satp, kernel_satp);
        EXPECT_TRUE(user->flush.empty() && kernel->flush.empty());
    }
    EXPECT_FALSE(shadow().try_activate(0, view(Priv::U, false, 4, 2))) << "another space";
}

TEST_F(ShadowTest, WithoutHostAsidsAChangeOfRootIsAFlush) {
    auto c = config();
    c.options.host_asid_bits = 0;
    start(c);
    machine_->activate(0, view(Priv::U));
    machine_->activate(0, view(Priv::S));
    EXPECT_EQ(machine_->last_flush, TlbFlush::local_asid(0));
    machine_->activate(0, view(Priv::S));
    EXPECT_EQ(machine_->last_flush, TlbFlush::none());
}

TEST_F(ShadowTest, StoresAreWithheldUntilDirty) {
    auto c = config();
    c.options.update_ad = true;
    start(c);
    set(3, 0, leaf(kRam, 0x17));  // neither A nor D
    EXPECT_EQ(user(Gva{0}, Access::Load), Result::Ok);
    EXPECT_EQ(machine_->peek(table(3)) & 0xff, 0x57) << "A, not D";
    EXPECT_FALSE(shadow().lookup(view(Priv::U), Gva{0})->pte.get(Pte::W));
    EXPECT_EQ(user(Gva{0}, Access::Store), Result::Ok);
    EXPECT_EQ(machine_->peek(table(3)) & 0xff, 0xd7);
    EXPECT_EQ(machine_->last_flush, TlbFlush::none()) << "more rights owe nothing";
}

TEST_F(ShadowTest, ClearingAccessedOrDirtyCountsFromTheFenceOn) {
    start(config());
    set(3, 0, leaf(kRam, kUser));
    ASSERT_EQ(user(Gva{0}, Access::Store), Result::Ok);
    kernel_store(3, 0, leaf(kRam, kUser & ~0x80u));
    machine_->fence(0, Gva{0}, {});
    EXPECT_EQ(user(Gva{0}, Access::Store), Result::Inject);
    EXPECT_EQ(user(Gva{0}, Access::Load), Result::Ok);
    kernel_store(3, 0, leaf(kRam, kUser & ~0xc0u));
    machine_->fence(0, {}, {});
    EXPECT_EQ(user(Gva{0}, Access::Load), Result::Inject);
}

TEST_F(ShadowTest, ATableGoesOutOfStepOnceAndFencesOfOnePageLeaveItSo) {
    start(config());
    set(3, 0, leaf(kRam, kUser));
    ASSERT_EQ(user(Gva{0}, Access::Load), Result::Ok);
    const u64 unsyncs = shadow().stats().unsyncs;
    kernel_store(3, 0, leaf(kRam + kPageSize, kUser));
    EXPECT_EQ(shadow().stats().unsyncs, unsyncs + 1);
    const u64 faults = machine_->faults;
    for (unsigned i = 0; i < 20; ++i) {
        kernel_store(3, 0, leaf(kRam + i * kPageSize, kUser));
        machine_->fence(0, Gva{0}, {});
    }
    EXPECT_EQ(machine_->faults, faults) << "neither store nor fence faulted again";
    EXPECT_EQ(machine_->access(0, view(Priv::U), Gva{8}, Access::Load).gpa, kRam + 19 * kPageSize + 8);

    const u64 resyncs = shadow().stats().resyncs;
    machine_->fence(0, {}, {});
    EXPECT_EQ(shadow().stats().resyncs, resyncs + 1);
    kernel_store(3, 0, 0);
    EXPECT_EQ(shadow().stats().unsyncs, unsyncs + 2) << "protected again";
}

TEST_F(ShadowTest, FencesOweWhatChangedAndNothingElse) {
    start(config());
    for (unsigned i = 0; i < 3; ++i) {
        set(3, i, leaf(kRam + i * kPageSize, kUser));
        ASSERT_EQ(user(Gva{i * kPageSize}, Access::Load), Result::Ok);
    }
    EXPECT_EQ(shadow().fence({}, {}), TlbFlush::none()) << "nothing out of step";
    kernel_store(3, 1, 0);
    EXPECT_EQ(shadow().fence(Gva{0}, {}), TlbFlush::none());
    EXPECT_EQ(shadow().fence(Gva{0x1000}, 7), TlbFlush::page(Gva{0x1000}));
    EXPECT_EQ(shadow().fence(Gva{0x1000}, 7), TlbFlush::none());
    EXPECT_EQ(user(Gva{0}, Access::Load), Result::Ok);
    EXPECT_EQ(user(Gva{0x1000}, Access::Load), Result::Inject);
    kernel_store(2, 0, 0);
    EXPECT_EQ(shadow().fence(Gva{0x2000}, {}), TlbFlush::all()) << "a pointer is no leaf";
    EXPECT_EQ(user(Gva{0x2000}, Access::Load), Result::Inject);
}

/// What a TLB holds under a second address would outlive the entry, and the fence of that address would find nothing to
/// drop.
TEST_F(ShadowTest, AFenceOfOneOfSeveralAddressesFlushesAll) {
    start(config());
    set(2, 1, pointer(3));
    set(3, 0, leaf(kRam, kUser));
    ASSERT_EQ(user(Gva{0}, Access::Load), Result::Ok);
    ASSERT_EQ(user(Gva{2 * kMiB}, Access::Load), Result::Ok);
    kernel_store(3, 0, leaf(kRam + kPageSize, kUser));
    EXPECT_EQ(shadow().fence(Gva{0}, {}), TlbFlush::all()) << "a table in two places";
    kernel_store(1, 1, 0);
    ASSERT_EQ(machine_->access(0, view(), kLinear + 2 * kMiB, Access::Load).kind, Result::Inject);
    kernel_store(1, 1, leaf(kRam + 2 * kMiB, 0xc7));
    ASSERT_EQ(machine_->access(0, view(), kLinear + 2 * kMiB, Access::Load).kind, Result::Ok);
    kernel_store(1, 1, 0);
    EXPECT_EQ(shadow().fence(kLinear + 2 * kMiB, {}), TlbFlush::all()) << "a superpage";
}

TEST_F(ShadowTest, SuperpagesStayWholeUntilATableLiesInside) {
    start(config());
    const Gva high = kLinear + 2 * kMiB;
    EXPECT_EQ(machine_->access(0, view(), high, Access::Store).kind, Result::Ok);
    EXPECT_EQ(level_of(view(), high), 1) << "no table in the second half";
    EXPECT_EQ(machine_->access(0, view(), kLinear, Access::Store).kind, Result::Ok);
    EXPECT_EQ(level_of(view(), kLinear), 0) << "the first has them all";

    // A frame of the second half becomes a table.
    const Gpa frame = kRam + 3 * kMiB;
    machine_->poke(frame, leaf(kRam, kUser));
    kernel_store(2, 1, (frame.raw >> 2) | 1);
    EXPECT_EQ(user(Gva{0x20'0000}, Access::Load), Result::Ok);
    EXPECT_EQ(machine_->access(0, view(), kLinear + 3 * kMiB + 8, Access::Load).kind, Result::Ok);
    const auto entry = shadow().lookup(view(), kLinear + 3 * kMiB);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->level, 0);
    EXPECT_FALSE(entry->pte.get(Pte::W)) << "stores to the table must be seen";
    EXPECT_EQ(machine_->access(0, view(), high, Access::Store).kind, Result::Ok);
    EXPECT_TRUE(shadow().lookup(view(), high)->pte.get(Pte::W)) << "its neighbours stay writable";
}

TEST_F(ShadowTest, ReadOnlySuperpagesMayHoldTables) {
    start(config());
    set(1, 0, leaf(kRam, 0xcb));  // R X
    EXPECT_EQ(machine_->access(0, view(), kLinear, Access::Fetch).kind, Result::Ok);
    EXPECT_EQ(level_of(view(), kLinear), 1);
}

TEST_F(ShadowTest, MisalignedHostMemorySplitsSuperpages) {
    auto c = config();
    c.host_offset = kPageSize;
    start(c);
    EXPECT_EQ(machine_->access(0, view(), kLinear + 2 * kMiB, Access::Load).kind, Result::Ok);
    EXPECT_EQ(level_of(view(), kLinear + 2 * kMiB), 0);
}

TEST_F(ShadowTest, BareModeMapsMemoryAndNothingElse) {
    start(config());
    EXPECT_EQ(machine_->access(0, {}, Gva{kRam.raw + 3 * kMiB}, Access::Fetch).gpa, kRam + 3 * kMiB);
    EXPECT_EQ(level_of({}, Gva{kRam.raw + 3 * kMiB}), 1);
    EXPECT_EQ(machine_->access(0, {}, Gva{0x1000'0000}, Access::Load).kind, Result::Device);
    EXPECT_EQ(machine_->access(0, {}, Gva{1ull << 50}, Access::Load).kind, Result::Device);
    EXPECT_EQ(machine_->access(0, {}, Gva{1ull << 56}, Access::Load).cause, Cause::LoadAccess);
}

TEST_F(ShadowTest, ReachesDevicesWithoutMappingThem) {
    start(config());
    set(3, 0, leaf(Gpa{0x1000'0000}, kUser));
    set(3, 1, leaf(kRam + 4 * kMiB, kUser));
    const u32 before = shadow().pages_in_use();
    const Result result = machine_->access(0, view(Priv::U), Gva{5}, Access::Load);
    EXPECT_EQ(result.kind, Result::Device);
    EXPECT_EQ(result.gpa, Gpa{0x1000'0005});
    EXPECT_EQ(user(Gva{0x1000}, Access::Load), Result::Device) << "one past memory";
    EXPECT_LE(shadow().pages_in_use(), before + 1) << "at most a root";
}

TEST_F(ShadowTest, TellsOfPagesUnderTheWindow) {
    start(config());
    const Gva under{sign_extend(u64{FakeMachine::kWindowSlot} << 30, 39)};
    set(0, FakeMachine::kWindowSlot, leaf(Gpa{0x8000'0000}, kKernel));
    const Result result = machine_->access(0, view(), under, Access::Load);
    EXPECT_EQ(result.kind, Result::Inject);
    EXPECT_EQ(result.cause, Cause::LoadPageFault);
    EXPECT_TRUE(result.window_conflict);
    EXPECT_EQ(shadow().stats().window_conflicts, 1);
    set(0, FakeMachine::kWindowSlot, 0);
    EXPECT_FALSE(machine_->access(0, view(), under, Access::Load).window_conflict) << "its own fault";
}

TEST_F(ShadowTest, LargerHostModesKeepTheWindowOutOfTheGuestsWay) {
    for (SatpMode host : {SatpMode::Sv48, SatpMode::Sv57}) {
        start(config(host));
        for (unsigned slot : {5u, 255u, 256u, FakeMachine::kWindowSlot, 511u}) {
            set(0, slot, leaf(Gpa{0x8000'0000}, kKernel));
            const u64 va = u64{slot} << 30;
            EXPECT_EQ(machine_->access(0, view(), Gva{sign_extend(va, 39)}, Access::Load).gpa, kRam);
            const u64 wrong = slot < 256 ? va | ~0ull << 39 : va;
            EXPECT_EQ(machine_->access(0, view(), Gva{wrong}, Access::Load).kind, Result::Inject);
        }
        EXPECT_TRUE(shadow().check_invariants());
    }
}

TEST_F(ShadowTest, PrefillTakesOnlyWhatIsGrantedAsItStands) {
    auto c = config();
    c.options.prefill = 8;
    c.options.update_ad = true;
    start(c);
    set(3, 8, leaf(kRam, kUser));
    set(3, 9, leaf(kRam + kPageSize, kUser & ~0x80u));       // not dirty
    set(3, 10, leaf(kRam + 2 * kPageSize, kUser & ~0xc0u));  // not accessed
    set(3, 11, leaf(kRam + 3 * kPageSize, kKernel));
    set(3, 12, leaf(Gpa{0x1000'0000}, kUser));
    set(3, 13, leaf(table(3), kUser));
    set(3, 15, leaf(kRam + 4 * kPageSize, kUser));
    set(3, 16, leaf(kRam + 5 * kPageSize, kUser));
    ASSERT_EQ(user(Gva{8 * kPageSize}, Access::Load), Result::Ok);
    const auto rights = [&](unsigned page) {
        const auto entry = shadow().lookup(view(Priv::U), Gva{page * kPageSize});
        return entry ? entry->pte.raw & kRights : 0;
    };
    EXPECT_EQ(rights(9), kUser & kRights & ~Pte::W.mask);
    EXPECT_EQ(rights(10), 0);
    EXPECT_EQ(rights(11), 0);
    EXPECT_EQ(rights(12), 0);
    EXPECT_EQ(rights(13), kUser & kRights & ~Pte::W.mask) << "a table, readable only";
    EXPECT_EQ(rights(15), kUser & kRights);
    EXPECT_EQ(rights(16), 0) << "the next batch";
    EXPECT_EQ(machine_->peek(table(3) + 80), leaf(kRam + 2 * kPageSize, kUser & ~0xc0u)) << "A untouched";
    EXPECT_EQ(shadow().stats().prefills, 3);
}

TEST_F(ShadowTest, DeviceWritesToTablesCountFromTheNextFence) {
    start(config());
    set(3, 0, leaf(kRam, kUser));
    ASSERT_EQ(user(Gva{0}, Access::Load), Result::Ok);
    set(3, 0, 0);
    static_cast<void>(shadow().memory_written(table(3) - kPageSize, 2 * kPageSize));
    machine_->fence(0, Gva{0}, {});
    EXPECT_EQ(user(Gva{0}, Access::Load), Result::Inject);
    static_cast<void>(shadow().memory_written(Gpa{0}, 0));
    static_cast<void>(shadow().memory_written(Gpa{0x1000}, 8));
}

/// The frame of a table that went out of step serves another space, where no entry of old was ever used: no fence is
/// due.
TEST_F(ShadowTest, AReusedTableIsFreshInASpaceThatNeverSawIt) {
    start(config());
    set(4, 0, 0);
    for (unsigned i = 0; i < 2; ++i) {
        set(3, i, leaf(kRam, kUser));
        ASSERT_EQ(user(Gva{i * kPageSize}, Access::Load), Result::Ok);
    }
    const auto other = view(Priv::U, false, 4, 2);
    ASSERT_EQ(machine_->access(0, other, Gva{0}, Access::Load).kind, Result::Inject);
    for (unsigned i = 0; i < 2; ++i) kernel_store(3, i, leaf(kRam + (i + 1) * kPageSize, kUser));
    kernel_store(4, 0, pointer(2));
    for (unsigned i = 0; i < 2; ++i) {
        const Gva gva{i * kPageSize};
        EXPECT_EQ(machine_->access(0, other, gva, Access::Load).gpa, kRam + (i + 1) * kPageSize) << "page " << i;
    }
}

TEST_F(ShadowTest, ASpaceNewToItsAsidSeesFreshTables) {
    start(config());
    set(3, 0, leaf(kRam, kUser));
    ASSERT_EQ(user(Gva{0}, Access::Load), Result::Ok);
    ASSERT_EQ(machine_->access(0, view(Priv::U, false, 4, 2), Gva{0}, Access::Load).gpa, kRam);
    kernel_store(3, 0, leaf(kRam + kPageSize, kUser));
    EXPECT_EQ(machine_->access(0, view(Priv::U, false, 4, 3), Gva{0}, Access::Load).gpa, kRam + kPageSize);
}

/// Another hart may store through its TLB after a full fence has compared and protected a table, until it is
/// interrupted.
TEST_F(ShadowTest, StoresThatRaceWithProtectionAreSeenByTheNextFence) {
    unsigned races = 0;
    for (u64 seed = 1; seed <= 20; ++seed) {
        auto c = config();
        c.options.vcpus = 2;
        c.caching_tlb = true;
        c.seed = seed;
        start(c);
        set(3, 0, leaf(kRam, kUser));
        const Gva alias = kLinear + (table(3) - kRam);
        ASSERT_EQ(user(Gva{0}, Access::Load), Result::Ok);
        ASSERT_EQ(machine_->access(1, view(), alias, Access::Store).kind, Result::Ok);
        const TlbFlush owed = shadow().fence({}, {});
        const u64 faults = machine_->faults;
        ASSERT_EQ(machine_->access(1, view(), alias, Access::Store).kind, Result::Ok);
        races += machine_->faults == faults;
        set(3, 0, leaf(kRam + kPageSize, kUser));
        machine_->apply(0, owed);
        machine_->fence(1, Gva{0}, {});
        ASSERT_EQ(machine_->access(0, view(Priv::U), Gva{8}, Access::Load).gpa, kRam + kPageSize + 8);
        ASSERT_TRUE(shadow().check_invariants());

        const u64 unsyncs = shadow().stats().unsyncs;
        for (unsigned i = 0; i < 2; ++i) machine_->fence(0, {}, {});
        ASSERT_EQ(machine_->access(1, view(), alias, Access::Store).kind, Result::Ok);
        ASSERT_EQ(shadow().stats().unsyncs, unsyncs + 1) << "protected in the end";
    }
    EXPECT_GT(races, 3) << "stores that no fault announced";
}

/// A process that has ended leaves tables that the guest reuses for data: they must not cost a fault at each fence for
/// ever.
TEST_F(ShadowTest, AbandonedTablesAreGivenUp) {
    start(config());
    set(3, 0, leaf(kRam, kUser));
    ASSERT_EQ(user(Gva{0}, Access::Load), Result::Ok);
    kernel_store(3, 5, 0x1234'5678);
    kernel_store(2, 0, 0);
    machine_->fence(0, {}, {});
    const u64 faults = machine_->faults;
    kernel_store(3, 6, 0x1234'5678);
    EXPECT_LE(machine_->faults, faults + 1) << "a fill perhaps";
    EXPECT_EQ(machine_->access(0, view(), kLinear + (table(3) - kRam), Access::Store).kind, Result::Ok);
    EXPECT_TRUE(shadow().lookup(view(), kLinear + (table(3) - kRam))->pte.get(Pte::W));
    const u64 unsyncs = shadow().stats().unsyncs;
    machine_->fence(0, {}, {});
    kernel_store(3, 7, 0x1234'5678);
    EXPECT_EQ(shadow().stats().unsyncs, unsyncs);
}

TEST_F(ShadowTest, ARootOutsideOfMemoryFaultsAndHarmsNobody) {
    start(config());
    auto v = view();
    for (u64 ppn : {0ull, 0x8'0400ull, (1ull << 44) - 1}) {
        v.satp.set(Satp::PPN, ppn);
        EXPECT_EQ(machine_->access(0, v, Gva{0}, Access::Fetch).cause, Cause::FetchAccess);
    }
}

TEST_F(ShadowTest, ModesBeyondTheHostsFault) {
    start(config());
    auto v = view();
    v.satp.set(Satp::MODE, 9);
    set(0, 0, leaf(Gpa{0}, kKernel));
    EXPECT_EQ(machine_->access(0, v, Gva{0x8000'0000}, Access::Load).cause, Cause::LoadPageFault);
}

TEST_F(ShadowTest, TheSmallestPoolServesEveryAccess) {
    auto c = config(SatpMode::Sv57);
    c.pages = Shadow::min_pages(1);
    c.options.prefill = 16;
    start(c);
    set(3, 0, leaf(kRam, kUser));
    for (unsigned round = 0; round < 200; ++round) {
        const Gva linear = kLinear + (round * 37 % 1024) * kPageSize;
        ASSERT_EQ(machine_->access(0, view(), linear, Access::Store).kind, Result::Ok);
        ASSERT_EQ(user(Gva{0}, Access::Load), Result::Ok);
        ASSERT_TRUE(shadow().check_invariants());
    }
    EXPECT_GT(shadow().stats().reclaims, 100);
}

TEST_F(ShadowTest, HostAsidsRunOutGracefully) {
    auto c = config();
    c.options.host_asid_bits = 3;
    c.pages = 200;
    start(c);
    set(3, 0, leaf(kRam, kUser));
    for (unsigned round = 0; round < 50; ++round) {
        ASSERT_EQ(machine_->access(0, view(Priv::U, false, round % 2 * 4, round), Gva{0}, Access::Load).gpa, kRam);
        ASSERT_EQ(machine_->access(0, view(Priv::S, round % 3 == 0, 0, round), kLinear, Access::Load).gpa, kRam);
        for (unsigned n = 10; n < 14; ++n) machine_->activate(0, view(Priv::U, false, n, round));
    }
    EXPECT_GT(shadow().stats().asid_rollovers, 3);
}

TEST(TlbFlushTest, MergesToWhatCoversBoth) {
    const auto merged = [](TlbFlush a, TlbFlush b) {
        a.merge(b);
        return a;
    };
    const TlbFlush page = TlbFlush::page(Gva{0x1000});
    EXPECT_EQ(merged(TlbFlush::none(), page), page);
    EXPECT_EQ(merged(page, TlbFlush::none()), page);
    EXPECT_EQ(merged(page, page), page);
    EXPECT_EQ(merged(page, TlbFlush::page(Gva{0x2000})), TlbFlush::all());
    EXPECT_EQ(merged(TlbFlush::local_asid(1), TlbFlush::local_asid(2)).kind, TlbFlush::Kind::All);
    EXPECT_TRUE(merged(TlbFlush::local_asid(1), TlbFlush::local_asid(2)).local);
    EXPECT_FALSE(merged(TlbFlush::local_page(Gva{0x1000}), page).local);
}

}  // namespace
}  // namespace uc::test
