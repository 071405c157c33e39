// SPDX-License-Identifier: MIT
#include "hv/text.hpp"

#include <gtest/gtest.h>

#include "hv/load_error.hpp"

namespace uc {
namespace {

TEST(Text, JoinsPartsAndCutsOffWhatDoesNotFit) {
    EXPECT_EQ(Text<40>("a ", 0u, ' ', Hex{0xdead'beef}, ' ', Digits{16}).view(), "a 0 0xdeadbeef 10");
    EXPECT_EQ(Text<40>(~0ull).view(), "18446744073709551615");
    EXPECT_EQ(Text<40>(Hex{~0ull}).view(), "0xffffffffffffffff");
    EXPECT_EQ(Text<3>("abcdef", 1u).view(), "abc");
}

TEST(Text, ParsesNumbers) {
    EXPECT_EQ(parse_number("0"), 0u);
    EXPECT_EQ(parse_number("0x1F"), 31u);
    EXPECT_EQ(parse_number("18446744073709551615"), ~0ull);
    EXPECT_EQ(parse_number("0xffffffffffffffff"), ~0ull);
    for (const char* bad : {"", "0x", "-1", " 1", "1 ", "12a", "0xg", "18446744073709551616", "0x10000000000000000"}) {
        EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
    }
}

TEST(Text, ParsesSizes) {
    EXPECT_EQ(parse_size("4096"), 4096u);
    EXPECT_EQ(parse_size("512M"), 512 * kMiB);
    EXPECT_EQ(parse_size("2g"), 2 * kGiB);
    EXPECT_EQ(parse_size("0x10k"), 16 * kKiB);
    EXPECT_EQ(parse_size("17179869183G"), 17179869183 * kGiB);
    for (const char* bad : {"", "M", "1T", "1MM", "17179869184G", "1.5G"})
        EXPECT_EQ(parse_size(bad), std::nullopt) << bad;
}

TEST(Text, TakesUntilSeparator) {
    std::string_view rest = "a=b=c";
    EXPECT_EQ(take_until(rest, '='), "a");
    EXPECT_EQ(rest, "b=c");
    EXPECT_EQ(take_until(rest, ' '), "b=c");
    EXPECT_EQ(rest, "");
}

TEST(LoadError, ShowsHostileNamesHarmlessly) {
    const LoadStatus status = load_error("guest \x1b[2J\n", 7u);
    EXPECT_EQ(status.error().text.view(), "guest ?[2J?7");
}

}  // namespace
}  // namespace uc
