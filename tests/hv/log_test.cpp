// SPDX-License-Identifier: MIT
#include "hv/log.hpp"

#include <gtest/gtest.h>

#include <string>

namespace uc {
namespace {

struct StringSink : TextSink {
    std::string text;
    void write(std::string_view more) override { text += more; }
};

template <class... Args>
std::string formatted(std::string_view format, const Args&... args) {
    StringSink sink;
    const LogArg list[] = {LogArg(args)..., LogArg("")};
    format_to(sink, format, std::span(list, sizeof...(args)));
    return sink.text;
}

TEST(Log, FormatsEachKind) {
    EXPECT_EQ(formatted("{} {} {} {x} {}", "text", 42u, -7, 255, Hpa{0x8000'0000}), "text 42 -7 0xff 0x80000000");
    EXPECT_EQ(formatted("{}", std::numeric_limits<i64>::min()), "-9223372036854775808");
    EXPECT_EQ(formatted("{x}", ~0ull), "0xffffffffffffffff");
    EXPECT_EQ(formatted("{}", 0), "0");
}

TEST(Log, LeavesBracesWithoutArgumentAlone) {
    EXPECT_EQ(formatted("a {} b {} {", 1), "a 1 b {} {");
    EXPECT_EQ(formatted("{y} {x", 1), "{y} {x");
}

TEST(Log, LevelsDecideWhatAppears) {
    StringSink sink;
    Log log;
    log.line(LogLevel::Error, "lost", {});
    log.set_sink(&sink);
    log.set_level(LogLevel::Warn);
    log.line(LogLevel::Info, "hidden", {});
    log.line(LogLevel::Warn, "seen", {});
    log.line(LogLevel::Error, "bad", {});
    EXPECT_EQ(sink.text, "[uc] warning: seen\n[uc] error: bad\n");
}

}  // namespace
}  // namespace uc
