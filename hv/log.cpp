// SPDX-License-Identifier: MIT
#include "hv/log.hpp"

namespace uc {

constinit Log the_log;

namespace {

void append_number(TextSink& sink, u64 value, unsigned base) {
    char digits[20];
    unsigned at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    sink.write({digits + at, sizeof digits - at});
}

}  // namespace

void LogArg::append(TextSink& sink, bool hex) const {
    if (kind_ == Kind::Text) return sink.write(text_);
    if (hex || kind_ == Kind::Address) {
        sink.write("0x");
        return append_number(sink, value_, 16);
    }
    if (kind_ == Kind::Negative) sink.write("-");
    append_number(sink, kind_ == Kind::Negative ? 0 - value_ : value_, 10);
}

void format_to(TextSink& sink, std::string_view format, std::span<const LogArg> args) {
    while (!format.empty()) {
        const auto open = format.find('{');
        sink.write(format.substr(0, open));
        if (open == std::string_view::npos) return;
        format.remove_prefix(open);
        const bool hex = format.starts_with("{x}");
        if ((!hex && !format.starts_with("{}")) || args.empty()) {
            sink.write("{");
            format.remove_prefix(1);
            continue;
        }
        args.front().append(sink, hex);
        args = args.subspan(1);
        format.remove_prefix(hex ? 3 : 2);
    }
}

void Log::line(LogLevel level, std::string_view format, std::span<const LogArg> args) {
    if (!enabled(level)) return;
    sink_->write("[uc] ");
    if (level == LogLevel::Error) sink_->write("error: ");
    if (level == LogLevel::Warn) sink_->write("warning: ");
    format_to(*sink_, format, args);
    sink_->write("\n");
}

}  // namespace uc
