// SPDX-License-Identifier: MIT
#include "mm/guest_walk.hpp"

#include "tests/ref/ref_walk.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace uc {
namespace {

constexpr Gpa kBase{0x8000'0000};
constexpr u64 kTables = 8;
constexpr std::array kModes{SatpMode::Sv39, SatpMode::Sv48, SatpMode::Sv57};
constexpr std::array kAccesses{Access::Fetch, Access::Load, Access::Store};

class GuestWalk : public testing::Test {
  protected:
    GuestWalk() : words_(kTables * 512), ram_(kBase, Hpa{0}, std::as_writable_bytes(std::span{words_})) {}

    static Gpa table(unsigned n) { return kBase + n * kPageSize; }
    static u64 pointer(Gpa to) { return (to.raw >> 2) | 1; }
    static Satp satp(SatpMode mode, Gpa root = kBase) {
        return Satp{}.set(Satp::MODE, static_cast<u64>(mode)).set(Satp::PPN, root.frame());
    }
    void set(Gpa at, u64 value) { ASSERT_TRUE(ram_.store(at, value)); }
    Gpa slot(unsigned table_number, Gva gva, unsigned level) {
        return table(table_number) + pte_index(gva.raw, level) * 8;
    }

    /// Puts `leaf` at `level` for `gva`, with tables 0, 1, ... above it; returns where it is.
    Gpa plant(SatpMode mode, Gva gva, unsigned level, u64 leaf) {
        unsigned number = 0;
        for (unsigned at = levels(mode) - 1; at > level; --at, ++number)
            set(slot(number, gva, at), pointer(table(number + 1)));
        const Gpa where = slot(number, gva, level);
        set(where, leaf);
        return where;
    }
    /// Both walkers' answers to one question are the same, and so is what they leave in memory.
    void compare(const WalkMode& mode, Gva gva, Access access) {
        const auto read = [this](u64 pa) { return ram_.load_pte(Gpa{pa}); };
        const auto what = access == Access::Fetch  ? ref::What::Fetch
                          : access == Access::Load ? ref::What::Load
                                                   : ref::What::Store;
        const ref::Result expected =
            ref::translate(read, mode.satp.raw, mode.priv == Priv::U, mode.sum, mode.mxr, gva.raw, what,
                           {.svadu = mode.update_ad, .svpbmt = mode.svpbmt, .svnapot = mode.svnapot});
        const u64 before = expected.kind == ref::Result::Ok && expected.pte_pa ? *read(expected.pte_pa) : 0;
        const auto actual = walk(ram_, mode, gva, access);
        if (expected.kind != ref::Result::Ok) {
            ASSERT_FALSE(actual) << "should fault";
            ASSERT_EQ(actual.error(),
                      expected.kind == ref::Result::PageFault ? page_fault(access) : access_fault(access));
            return;
        }
        ASSERT_TRUE(actual) << "should not fault";
        ASSERT_EQ(actual->gpa.raw, expected.pa);
        ASSERT_EQ(actual->level, expected.level);
        ASSERT_EQ(actual->pte.raw, expected.pte);
        ASSERT_EQ(actual->pte_address.raw, expected.pte_pa);
        if (!expected.pte_pa) return;
        ASSERT_EQ(*read(expected.pte_pa), expected.pte) << "A and D in memory";
        set(Gpa{expected.pte_pa}, before);
    }
    void compare_all_accesses(WalkMode mode, Gva gva) {
        for (unsigned bits = 0; bits < 16; ++bits) {
            mode.priv = bits & 1 ? Priv::U : Priv::S;
            mode.sum = bits & 2;
            mode.mxr = bits & 4;
            mode.update_ad = bits & 8;
            for (Access access : kAccesses) compare(mode, gva, access);
        }
    }

    std::vector<u64> words_;
    GuestRam ram_;
};

/// Every combination of the low eight bits, at each level of each mode, with each kind of high bits and alignment.
TEST_F(GuestWalk, AgreesWithTheSpecificationOnEveryFlag) {
    constexpr u64 target = 0x4000'0000'0000ull >> 12;  // aligned for every level
    constexpr std::array<u64, 6> high{0, 1ull << 54, 1ull << 60, 1ull << 61, 3ull << 61, 1ull << 63};
    constexpr std::array<u64, 4> ppns{target, target + 8, target + (1 << 9), target + (1 << 18)};
    for (SatpMode mode : kModes) {
        const Gva gva{sign_extend(0x0155'5aaa'a555'5678ull, va_bits(mode))};
        for (unsigned level = 0; level < levels(mode); ++level) {
            for (u64 top : high) {
                for (u64 ppn : ppns) {
                    for (u64 flags = 0; flags < 256; ++flags) {
                        plant(mode, gva, level, top | ppn << 10 | flags);
                        for (bool extensions : {false, true}) {
                            if (extensions && top == 0) continue;
                            compare_all_accesses({.satp = satp(mode), .svpbmt = extensions, .svnapot = extensions},
                                                 gva);
                        }
                        if (HasFatalFailure())
                            FAIL() << levels(mode) << " levels, level " << level << std::hex << ", entry "
                                   << (top | ppn << 10 | flags);
                    }
                }
            }
        }
    }
}

TEST_F(GuestWalk, ChecksThatAddressesAreCanonical) {
    for (SatpMode mode : kModes) {
        for (unsigned i : {0u, 255u, 256u, 511u}) set(table(0) + i * 8, 0xdf);
        for (unsigned bit = va_bits(mode) - 2; bit < 64; ++bit) {
            for (u64 va : {0x1234ull, ~0x1234ull}) compare_all_accesses({.satp = satp(mode)}, Gva{va ^ (1ull << bit)});
        }
    }
}

TEST_F(GuestWalk, TablesOutsideOfMemoryAreAccessFaults) {
    const Gva gva{0x1000};
    for (SatpMode mode : kModes) {
        for (Gpa bad : {Gpa{0x1000}, kBase + kTables * kPageSize, Gpa{(1ull << 56) - kPageSize}}) {
            for (Access access : kAccesses) {
                EXPECT_EQ(walk(ram_, {.satp = satp(mode, bad)}, gva, access).error(), access_fault(access));
                plant(mode, gva, 1, pointer(bad));
                EXPECT_EQ(walk(ram_, {.satp = satp(mode)}, gva, access).error(), access_fault(access));
            }
        }
    }
}

TEST_F(GuestWalk, ATableThatPointsToItselfEnds) {
    for (SatpMode mode : kModes) {
        set(table(0), pointer(table(0)));
        EXPECT_EQ(walk(ram_, {.satp = satp(mode)}, Gva{0}, Access::Load).error(), Cause::LoadPageFault);
    }
}

TEST_F(GuestWalk, BareTakesFiftySixBits) {
    for (Access access : kAccesses) {
        EXPECT_EQ(walk(ram_, {}, Gva{(1ull << 56) - 1}, access)->gpa, Gpa{(1ull << 56) - 1});
        EXPECT_EQ(walk(ram_, {}, Gva{1ull << 56}, access).error(), access_fault(access));
        EXPECT_EQ(walk(ram_, {.satp = {}, .priv = Priv::U}, Gva{~0ull}, access).error(), access_fault(access));
    }
}

TEST_F(GuestWalk, TargetsOutsideOfMemoryAreTheCallersBusiness) {
    const Gva gva{0x7f'1234'5678};
    plant(SatpMode::Sv48, gva, 0, 0x1000'0000 >> 2 | 0xcf);
    EXPECT_EQ(walk(ram_, {.satp = satp(SatpMode::Sv48)}, gva, Access::Load)->gpa, Gpa{0x1000'0678});
}

TEST_F(GuestWalk, ReportsEveryTableItRead) {
    const Gva gva{0x12'3456'7890};
    plant(SatpMode::Sv57, gva, 0, 0x8000'0000 >> 2 | 0xcf);
    TablePath path;
    ASSERT_TRUE(walk(ram_, {.satp = satp(SatpMode::Sv57)}, gva, Access::Load, &path));
    for (unsigned level = 0; level < 5; ++level) EXPECT_EQ(path.table[level], table(4 - level));
}

/// The hart's own update of A must not undo what another hart stores to the entry meanwhile.
TEST_F(GuestWalk, SettingAccessedNeverOverwritesAnotherHartsStore) {
    const Gva gva{0};
    const Gpa where = plant(SatpMode::Sv39, gva, 0, pointer(kBase) | 0xf);
    u64* const entry = &words_[(where - kBase) / 8];
    std::atomic<bool> done{false};
    u64 lost = 0;
    std::thread other([&] {
        for (u64 i = 1; i <= 200'000; ++i) {
            const u64 value = (0x100 + i) << 10 | 0xf;
            __atomic_store_n(entry, value, __ATOMIC_RELAXED);
            const u64 now = __atomic_load_n(entry, __ATOMIC_RELAXED);
            if ((now & ~0xc0ull) != value) ++lost;
        }
        done = true;
    });
    u64 walks = 0;
    while (!done || walks == 0) {
        const auto result = walk(ram_, {.satp = satp(SatpMode::Sv39), .update_ad = true}, gva, Access::Store);
        ASSERT_TRUE(result);
        ASSERT_EQ(result->pte.raw & 0xc0, 0xc0);
        ++walks;
    }
    other.join();
    EXPECT_EQ(lost, 0);
}

}  // namespace
}  // namespace uc
