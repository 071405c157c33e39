// SPDX-License-Identifier: MIT
#pragma once
// The hypervisor's own lines on the console: "[uc] " and text, with a level that decides which appear.

#include <atomic>
#include <span>
#include <string_view>
#include <type_traits>

#include "isa/types.hpp"

namespace uc {

/// How much the hypervisor says: a level shows itself and everything above it.
/// What stands under Always was asked for, or is relied on by scripts.
enum class LogLevel : u8 { Always, Error, Warn, Info, Debug };

/// Where finished text goes.
class TextSink {
  public:
    virtual void write(std::string_view text) = 0;

  protected:
    ~TextSink() = default;
};

/// One argument of a message: integers, text, addresses.
class LogArg {
  public:
    constexpr LogArg(std::string_view text) : text_(text), kind_(Kind::Text) {}
    constexpr LogArg(const char* text) : text_(text), kind_(Kind::Text) {}
    template <class T>
        requires std::is_integral_v<T>
    constexpr LogArg(T value)
        : value_(static_cast<u64>(value)), kind_(std::is_signed_v<T> && value < 0 ? Kind::Negative : Kind::Unsigned) {}
    template <class Tag>
    constexpr LogArg(Addr<Tag> address) : value_(address.raw), kind_(Kind::Address) {}

    void append(TextSink& sink, bool hex) const;

  private:
    enum class Kind : u8 { Text, Unsigned, Negative, Address };
    std::string_view text_;
    u64 value_ = 0;
    Kind kind_;
};

/// Writes `format` with each `{}` replaced by the next argument, `{x}` by the same in hexadecimal with 0x.
/// Addresses are always hexadecimal. A placeholder without argument stays as it is.
void format_to(TextSink& sink, std::string_view format, std::span<const LogArg> args);

/// The log: one per machine, set up by main before anything speaks.
class Log {
  public:
    void set_sink(TextSink* sink) { sink_ = sink; }
    /// From any hart.
    void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
    [[nodiscard]] bool enabled(LogLevel level) const {
        return sink_ != nullptr && level <= level_.load(std::memory_order_relaxed);
    }
    void line(LogLevel level, std::string_view format, std::span<const LogArg> args);

  private:
    TextSink* sink_ = nullptr;
    std::atomic<LogLevel> level_ = LogLevel::Info;
};
extern constinit Log the_log;

template <class... Args>
void log_line(LogLevel level, std::string_view format, const Args&... args) {
    if (!the_log.enabled(level)) return;
    if constexpr (sizeof...(Args) == 0) {
        the_log.line(level, format, {});
    } else {
        const LogArg list[] = {LogArg(args)...};
        the_log.line(level, format, list);
    }
}
template <class... Args>
void log_always(std::string_view format, const Args&... args) {
    log_line(LogLevel::Always, format, args...);
}
template <class... Args>
void log_error(std::string_view format, const Args&... args) {
    log_line(LogLevel::Error, format, args...);
}
template <class... Args>
void log_warn(std::string_view format, const Args&... args) {
    log_line(LogLevel::Warn, format, args...);
}
template <class... Args>
void log_info(std::string_view format, const Args&... args) {
    log_line(LogLevel::Info, format, args...);
}
template <class... Args>
void log_debug(std::string_view format, const Args&... args) {
    log_line(LogLevel::Debug, format, args...);
}

}  // namespace uc
