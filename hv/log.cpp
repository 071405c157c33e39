// SPDX-License-Identifier: MIT
#include "hv/log.hpp"

#include <array>

namespace uc {

constinit Log the_log;

namespace {

// Collects a line, which reaches the sink in one piece: other harts write there, too.
class LineSink final : public TextSink {
  public:
    explicit LineSink(TextSink& sink) : sink_(sink) {}
    ~LineSink() { flush(); }
    LineSink(const LineSink&) = delete;
    LineSink& operator=(const LineSink&) = delete;

    void write(std::string_view text) override {
        for (const char c : text) {
            if (size_ == buffer_.size()) flush();
            buffer_[size_++] = c;
        }
    }

  private:
    void flush() {
        sink_.write({buffer_.data(), size_});
        size_ = 0;
    }

    TextSink& sink_;
    std::array<char, 1024> buffer_;  // longer lines come in pieces
    usize size_ = 0;
};

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
    LineSink line(*sink_);
    line.write("[uc] ");
    if (level == LogLevel::Error) line.write("error: ");
    if (level == LogLevel::Warn) line.write("warning: ");
    format_to(line, format, args);
    line.write("\n");
}

}  // namespace uc
