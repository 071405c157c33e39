// SPDX-License-Identifier: MIT
#include "hv/page_table_view.hpp"

#include <gtest/gtest.h>

namespace uc {
namespace {

constexpr Gpa kBase{0x8000'0000};
constexpr u64 kPages = 16;

class PageTableViewTest : public testing::Test {
  protected:
    alignas(kPageSize) std::array<std::byte, kPages * kPageSize> bytes{};
    GuestRam ram{kBase, Hpa{0x1'0000'0000}, bytes};

    static Gpa table(unsigned n) { return kBase + n * kPageSize; }
    Pte set(unsigned number, unsigned index, Gpa to, u64 flags) {
        const Pte pte{{to.frame() << Pte::PPN.lsb | flags}};
        EXPECT_TRUE(ram.store(table(number) + index * 8, pte.raw));
        return pte;
    }
    static WalkMode mode(SatpMode scheme, Gpa root = kBase) {
        WalkMode m;
        m.satp.set(Satp::MODE, static_cast<u64>(scheme)).set(Satp::PPN, root.frame());
        return m;
    }
};

TEST_F(PageTableViewTest, ShowsEachEntryOnTheWay) {
    const Pte root = set(0, 1, table(1), 1), middle = set(1, 2, table(2), 1);
    const Pte leaf = set(2, 3, Gpa{0x1234'5000}, 0x3);  // A and D are clear, and it is not to be read by users
    const auto before = bytes;
    const PageTableView view = view_guest_tables(ram, mode(SatpMode::Sv39), Gva{0x4040'3678});
    EXPECT_EQ(view.entry[2], root);
    EXPECT_EQ(view.entry[1], middle);
    EXPECT_EQ(view.entry[0], leaf);
    EXPECT_EQ(view.entry[3], std::nullopt);
    EXPECT_EQ(view.result, 0x1234'5678u);
    EXPECT_EQ(bytes, before);
}

TEST_F(PageTableViewTest, StopsWhereTheWalkDoes) {
    set(0, 1, table(1), 1);
    const Pte large = set(1, 0, Gpa{0x4020'0000}, 0xcf);
    PageTableView view = view_guest_tables(ram, mode(SatpMode::Sv39), Gva{0x4012'3456});
    EXPECT_EQ(view.entry[1], large);
    EXPECT_EQ(view.entry[0], std::nullopt);
    EXPECT_EQ(view.result, 0x4032'3456u);

    view = view_guest_tables(ram, mode(SatpMode::Sv39), Gva{0});
    EXPECT_EQ(view.entry[2], Pte{});
    EXPECT_EQ(view.result, std::nullopt);
    EXPECT_EQ(view_guest_tables(ram, mode(SatpMode::Sv39), Gva{1ull << 40}).entry[2], std::nullopt) << "not canonical";
    EXPECT_EQ(view_guest_tables(ram, mode(SatpMode::Sv48, Gpa{0x1000}), Gva{0}).entry[3], std::nullopt) << "no memory";
    set(1, 1, Gpa{0x4020'1000}, 0xcf);
    EXPECT_EQ(view_guest_tables(ram, mode(SatpMode::Sv39), Gva{0x4020'0000}).result, std::nullopt) << "misaligned";
}

TEST_F(PageTableViewTest, BareLeadsToTheAddressItself) {
    EXPECT_EQ(view_guest_tables(ram, WalkMode{}, Gva{0x8000'1234}).result, 0x8000'1234u);
    EXPECT_EQ(view_guest_tables(ram, WalkMode{}, Gva{~0ull}).result, std::nullopt);
}

TEST_F(PageTableViewTest, ShowsTheShadowsEntry) {
    const Pte leaf{{0x4000'00d7}};
    const PageTableView view = view_shadow_entry(SatpMode::Sv48, leaf, 0, Gva{0x4012'3456});
    EXPECT_EQ(view.mode, SatpMode::Sv48);
    EXPECT_EQ(view.entry[0], leaf);
    EXPECT_EQ(view.result, 0x1'0000'0456u);
    EXPECT_EQ(view_shadow_entry(SatpMode::Sv48, Pte{}, 0, Gva{0}).result, std::nullopt);
    EXPECT_EQ(view_shadow_entry(SatpMode::Sv48, std::nullopt, 0, Gva{0}).entry[0], std::nullopt);
}

}  // namespace
}  // namespace uc
