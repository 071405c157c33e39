// SPDX-License-Identifier: MIT
#include "hv/options.hpp"

#include "hv/guest_config.hpp"

namespace uc {

namespace {

constexpr std::string_view kSeparator = " -- ";
constexpr u32 kLongestWatch = 3600;  // seconds

std::optional<LogLevel> parse_level(std::string_view name) {
    if (name == "error") return LogLevel::Error;
    if (name == "warn") return LogLevel::Warn;
    if (name == "info") return LogLevel::Info;
    if (name == "debug") return LogLevel::Debug;
    return std::nullopt;
}

std::optional<TraceMode> parse_trace(std::string_view name) {
    if (name == "off") return TraceMode::Off;
    if (name == "untimed") return TraceMode::Untimed;
    if (name == "on") return TraceMode::On;
    if (name == "timed") return TraceMode::Timed;
    return std::nullopt;
}

// Seconds, 0 for "off".
std::optional<u32> parse_watch(std::string_view value) {
    if (value == "off") return 0;
    const std::optional<u64> seconds = parse_number(value);
    if (!seconds || *seconds == 0 || *seconds > kLongestWatch) return std::nullopt;
    return static_cast<u32>(*seconds);
}

LoadStatus apply(std::string_view option, Options& options) {
    std::string_view value = option;
    const std::string_view key = take_until(value, '=');
    if (key == "undercroft.loglevel") {
        const std::optional<LogLevel> level = parse_level(value);
        if (!level) return load_error("option ", option, ": the levels are error, warn, info, debug");
        options.loglevel = *level;
    } else if (option == "undercroft.stats") {
        options.stats = true;
    } else if (key == "undercroft.replace") {
        if (value != "on" && value != "off") return load_error("option ", option, ": not one of on, off");
        options.replace = value == "on";
    } else if (key == "undercroft.trace") {
        const std::optional<TraceMode> mode = parse_trace(value);
        if (!mode) return load_error("option ", option, ": not one of off, untimed, on, timed");
        options.trace = *mode;
    } else if (key == "undercroft.watch") {
        const std::optional<u32> seconds = parse_watch(value);
        if (!seconds) return load_error("option ", option, ": not off, nor 1 to ", kLongestWatch, " seconds");
        options.watch = *seconds;
    } else if (key == "vcpus") {
        const std::optional<u64> vcpus = parse_number(value);
        if (!vcpus || *vcpus == 0 || *vcpus > kMaxVcpus) return load_error("option ", option, ": not 1 to ", kMaxVcpus);
        options.vcpus = static_cast<u32>(*vcpus);
    } else if (key == "mmu") {
        options.mmu = parse_satp_mode(value);
        if (!options.mmu) return load_error("option ", option, ": not one of sv39, sv48, sv57");
    } else if (key == "memory") {
        const std::optional<u64> memory = parse_size(value);
        if (!memory) return load_error("option ", option, ": not a size in bytes, K, M or G");
        if (const auto wrong = memory_problem(*memory)) return load_error("option ", option, ": ", *wrong);
        options.memory = *memory;
    } else {
        return load_error("option ", option, ": unknown");
    }
    return {};
}

}  // namespace

BootArgs split_bootargs(std::string_view bootargs) {
    const usize at = bootargs.find(kSeparator);
    if (at == std::string_view::npos) return {std::nullopt, bootargs};
    BootArgs args{bootargs.substr(0, at), bootargs};
    args.guest.remove_prefix(at + kSeparator.size());
    return args;
}

std::expected<Options, LoadError> parse_options(std::string_view text) {
    Options options;
    while (!text.empty()) {
        const std::string_view option = take_until(text, ' ');
        if (option.empty()) continue;
        if (LoadStatus status = apply(option, options); !status) return std::unexpected(status.error());
    }
    return options;
}

}  // namespace uc
