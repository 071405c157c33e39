// SPDX-License-Identifier: MIT
#include "isa/cause.hpp"

#include <gtest/gtest.h>

#include "isa/pte.hpp"

namespace uc {
namespace {

// A field of one register is no field of another.
template <class R, class F>
concept HasField = requires(R r, F f) { r.get(f); };
static_assert(HasField<Sstatus, decltype(Sstatus::SPP)> && !HasField<Satp, decltype(Sstatus::SPP)>);

TEST(Field, SetTouchesNothingElse) {
    Sstatus s{{~0ull}};
    s.set(Sstatus::FS, 0);
    EXPECT_EQ(s.raw, ~0x6000ull);
    s.set(Sstatus::FS, 0xff);
    EXPECT_EQ(s.raw, ~0ull) << "a value too large is cut to the field";
    EXPECT_EQ(s.get(Sstatus::FS), 3u);
}

TEST(Registers, FieldsLieWhereTheManualDrawsThem) {
    EXPECT_EQ(Sstatus::SIE.mask | Sstatus::SPIE.mask | Sstatus::SPP.mask, 0x122u);
    EXPECT_EQ(Sstatus::VS.mask, 0x600u);
    EXPECT_EQ(Sstatus::SUM.mask | Sstatus::MXR.mask, 0xc'0000u);
    EXPECT_EQ(Sstatus::UXL.mask, 3ull << 32);
    EXPECT_EQ(Sstatus::SD.mask, 1ull << 63);
    const Satp satp{{0x9123'4567'89ab'cdef}};
    EXPECT_EQ(satp.mode(), SatpMode::Sv48);
    EXPECT_EQ(satp.get(Satp::ASID), 0x1234u);
    EXPECT_EQ(satp.get(Satp::PPN), 0x567'89ab'cdefu);
}

TEST(Scause, TellsInterruptsFromExceptions) {
    EXPECT_EQ(Scause::of(Irq::STI).raw, 0x8000'0000'0000'0005u);
    EXPECT_TRUE(Scause::of(Irq::STI).is_interrupt());
    EXPECT_EQ(Scause::of(Cause::StorePageFault).raw, 15u);
    EXPECT_FALSE(Scause::of(Cause::StorePageFault).is_interrupt());
}

TEST(Cause, FollowsTheAccess) {
    EXPECT_EQ(page_fault(Access::Fetch), Cause::FetchPageFault);
    EXPECT_EQ(page_fault(Access::Load), Cause::LoadPageFault);
    EXPECT_EQ(page_fault(Access::Store), Cause::StorePageFault);
    EXPECT_EQ(access_fault(Access::Fetch), Cause::FetchAccess);
    EXPECT_EQ(access_fault(Access::Load), Cause::LoadAccess);
    EXPECT_EQ(access_fault(Access::Store), Cause::StoreAccess);
}

TEST(Pte, Geometry) {
    EXPECT_EQ(levels(SatpMode::Bare), 0u);
    EXPECT_EQ(levels(SatpMode::Sv39), 3u);
    EXPECT_EQ(levels(SatpMode::Sv57), 5u);
    EXPECT_EQ(level_size(0), 4 * kKiB);
    EXPECT_EQ(level_size(1), 2 * kMiB);
    EXPECT_EQ(level_size(2), kGiB);
    const u64 va = 5ull << 30 | 6ull << 21 | 7ull << 12 | 0xabc;
    EXPECT_EQ(pte_index(va, 2), 5u);
    EXPECT_EQ(pte_index(va, 1), 6u);
    EXPECT_EQ(pte_index(va, 0), 7u);
}

TEST(Pte, Canonical) {
    for (const SatpMode mode : {SatpMode::Sv39, SatpMode::Sv48, SatpMode::Sv57}) {
        const u64 half = 1ull << (va_bits(mode) - 1);
        EXPECT_TRUE(is_canonical(half - 1, mode));
        EXPECT_FALSE(is_canonical(half, mode));
        EXPECT_FALSE(is_canonical(~half, mode));
        EXPECT_TRUE(is_canonical(0 - half, mode));
    }
    EXPECT_TRUE(is_canonical(1ull << 63, SatpMode::Bare));
}

TEST(Pte, LeafHasAnyPermission) {
    EXPECT_FALSE(Pte{{1}}.is_leaf());
    for (const u64 permission : {2u, 4u, 8u}) EXPECT_TRUE(Pte{{1 | permission}}.is_leaf());
}

}  // namespace
}  // namespace uc
