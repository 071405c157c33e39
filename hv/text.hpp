// SPDX-License-Identifier: MIT
#pragma once
// Short texts without allocation: building one line, and reading numbers out of one.

#include <array>
#include <concepts>
#include <optional>
#include <string_view>

#include "isa/types.hpp"

namespace uc {

/// A number to be written in hexadecimal, with 0x.
struct Hex {
    u64 value = 0;
};

/// The same without 0x, as unit addresses are.
struct Digits {
    u64 value = 0;
};

/// Up to `N` characters; what does not fit is cut off.
template <usize N>
class Text {
  public:
    constexpr Text() = default;
    template <class... Parts>
    explicit constexpr Text(const Parts&... parts) {
        (add(parts), ...);
    }

    constexpr Text& add(std::string_view part) {
        for (const char c : part) {
            if (size_ < N) chars_[size_++] = c;
        }
        return *this;
    }
    constexpr Text& add(const char* part) { return add(std::string_view{part}); }
    constexpr Text& add(char part) { return add(std::string_view{&part, 1}); }
    template <std::unsigned_integral U>
    constexpr Text& add(U number) {
        return add_number(number, 10);
    }
    constexpr Text& add(Hex number) { return add("0x").add(Digits{number.value}); }
    constexpr Text& add(Digits number) { return add_number(number.value, 16); }

    [[nodiscard]] static constexpr usize capacity() { return N; }
    [[nodiscard]] constexpr std::string_view view() const { return {chars_.data(), size_}; }

  private:
    constexpr Text& add_number(u64 number, unsigned base) {
        std::array<char, 20> digits{};
        usize first = digits.size();
        do {
            digits[--first] = "0123456789abcdef"[number % base];
            number /= base;
        } while (number != 0);
        return add(std::string_view{digits.data() + first, digits.size() - first});
    }

    std::array<char, N> chars_{};
    usize size_ = 0;
};

/// All of `text` as a number, decimal or hexadecimal with 0x; nullopt when it is not one or exceeds 64 bits.
[[nodiscard]] std::optional<u64> parse_number(std::string_view text);

/// As parse_number, with an optional suffix K, M or G (powers of 1024, either case): a size in bytes.
[[nodiscard]] std::optional<u64> parse_size(std::string_view text);

/// The text before the first `separator`, which with it is removed from `rest`; all of `rest` when there is none.
[[nodiscard]] std::string_view take_until(std::string_view& rest, char separator);

}  // namespace uc
