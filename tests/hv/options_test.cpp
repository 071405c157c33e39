// SPDX-License-Identifier: MIT
#include "hv/options.hpp"

#include "tests/hv/dts.hpp"

namespace uc {
namespace {

TEST(BootArgs, AreTheGuestsWithoutSeparator) {
    for (const char* text : {"", "console=ttyS0", "vcpus=2 --", "-- quiet", "a--b", "a --b"}) {
        const BootArgs args = split_bootargs(text);
        EXPECT_FALSE(args.before) << text;
        EXPECT_EQ(args.guest, text);
    }
}

TEST(BootArgs, AreCutAtTheFirstSeparator) {
    const BootArgs args = split_bootargs("vcpus=2 -- console=ttyS0 -- single");
    EXPECT_EQ(args.before, "vcpus=2");
    EXPECT_EQ(args.guest, "console=ttyS0 -- single");
    EXPECT_EQ(split_bootargs(" -- x").before, "");
    EXPECT_EQ(split_bootargs("x -- ").guest, "");
}

TEST(Options, DefaultsAndAllOfThem) {
    const auto none = parse_options("  ");
    ASSERT_TRUE(none);
    EXPECT_EQ(none->loglevel, LogLevel::Info);
    EXPECT_FALSE(none->stats || none->vcpus || none->memory);
    EXPECT_TRUE(none->replace);
    EXPECT_EQ(none->trace, TraceMode::On);
    EXPECT_EQ(parse_options("undercroft.trace=off")->trace, TraceMode::Off);
    EXPECT_EQ(parse_options("undercroft.trace=untimed")->trace, TraceMode::Untimed);
    EXPECT_EQ(parse_options("undercroft.trace=on")->trace, TraceMode::On);
    EXPECT_EQ(parse_options("undercroft.trace=timed")->trace, TraceMode::Timed);
    EXPECT_EQ(none->watch, 10u);
    EXPECT_EQ(parse_options("undercroft.watch=off")->watch, 0u);
    EXPECT_EQ(parse_options("undercroft.watch=3600")->watch, 3600u);
    const auto all = parse_options("undercroft.loglevel=debug  vcpus=4 memory=512M undercroft.stats");
    ASSERT_TRUE(all) << error_of(all);
    EXPECT_EQ(all->loglevel, LogLevel::Debug);
    EXPECT_TRUE(all->stats);
    EXPECT_EQ(all->vcpus, 4u);
    EXPECT_EQ(all->memory, 512 * kMiB);
    EXPECT_FALSE(parse_options("undercroft.replace=off")->replace);
    EXPECT_TRUE(parse_options("undercroft.replace=on")->replace);
    EXPECT_EQ(parse_options("undercroft.loglevel=warn")->loglevel, LogLevel::Warn);
    EXPECT_EQ(parse_options("undercroft.loglevel=error")->loglevel, LogLevel::Error);
}

TEST(Options, ErrorsNameTheOption) {
    const auto error = [](const char* text) { return error_of(parse_options(text)); };
    EXPECT_EQ(error("vcpus=1 quiet"), "option quiet: unknown");
    EXPECT_EQ(error("undercroft.statz"), "option undercroft.statz: unknown");
    EXPECT_EQ(error("undercroft.stats=1"), "option undercroft.stats=1: unknown");
    EXPECT_EQ(error("undercroft.loglevel=loud"),
              "option undercroft.loglevel=loud: the levels are error, warn, info, debug");
    EXPECT_EQ(error("undercroft.replace=maybe"), "option undercroft.replace=maybe: not one of on, off");
    EXPECT_EQ(error("undercroft.trace=yes"), "option undercroft.trace=yes: not one of off, untimed, on, timed");
    EXPECT_EQ(error("undercroft.trace"), "option undercroft.trace: not one of off, untimed, on, timed");
    for (const std::string value : {"0", "3601", "on", ""}) {
        EXPECT_EQ(error(("undercroft.watch=" + value).c_str()),
                  "option undercroft.watch=" + value + ": not off, nor 1 to 3600 seconds");
    }
    EXPECT_EQ(error("vcpus=0"), "option vcpus=0: not 1 to 32");
    EXPECT_EQ(error("vcpus=33"), "option vcpus=33: not 1 to 32");
    EXPECT_EQ(error("vcpus"), "option vcpus: not 1 to 32");
    EXPECT_EQ(error("memory=lots"), "option memory=lots: not a size in bytes, K, M or G");
    EXPECT_EQ(error("memory=0"), "option memory=0: no memory at all");
    EXPECT_EQ(error("memory=3M"), "option memory=3M: not a multiple of 2 MiB");
    EXPECT_EQ(error("memory=72057594037927936"), "option memory=72057594037927936: more than can be addressed");
}

}  // namespace
}  // namespace uc
