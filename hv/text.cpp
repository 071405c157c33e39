// SPDX-License-Identifier: MIT
#include "hv/text.hpp"

#include <limits>

namespace uc {

namespace {

constexpr unsigned kNoDigit = 99;

constexpr unsigned digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
    return kNoDigit;
}

constexpr unsigned size_shift(char suffix) {
    switch (suffix) {
        case 'k':
        case 'K': return 10;
        case 'm':
        case 'M': return 20;
        case 'g':
        case 'G': return 30;
        default: return 0;
    }
}

}  // namespace

std::optional<u64> parse_number(std::string_view text) {
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    const u64 base = hex ? 16 : 10;
    if (hex) text.remove_prefix(2);
    if (text.empty()) return std::nullopt;
    u64 value = 0;
    for (const char c : text) {
        const u64 next = digit(c);
        if (next >= base || value > (std::numeric_limits<u64>::max() - next) / base) return std::nullopt;
        value = value * base + next;
    }
    return value;
}

std::optional<u64> parse_size(std::string_view text) {
    const unsigned shift = text.empty() ? 0 : size_shift(text.back());
    if (shift != 0) text.remove_suffix(1);
    const std::optional<u64> value = parse_number(text);
    if (!value || *value > std::numeric_limits<u64>::max() >> shift) return std::nullopt;
    return *value << shift;
}

std::string_view take_until(std::string_view& rest, char separator) {
    const usize at = rest.find(separator);
    const std::string_view taken = rest.substr(0, at);
    rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
    return taken;
}

}  // namespace uc
