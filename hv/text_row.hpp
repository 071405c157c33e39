// SPDX-License-Identifier: MIT
#pragma once
// Lines with columns.

#include "hv/log.hpp"
#include "hv/text.hpp"

namespace uc {

/// All 16 digits of a number, with 0x.
[[nodiscard]] constexpr Text<18> hex16(u64 value) {
    Text<18> text("0x");
    for (unsigned shift = 64; shift != 0; shift -= 4) text.add(Digits{value >> (shift - 4) & 15});
    return text;
}

/// Text with a number before it to fill `width`, at most 20.
[[nodiscard]] constexpr Text<20> right(unsigned width, u64 value) {
    usize digits = 1;
    for (u64 rest = value; rest >= 10; rest /= 10) ++digits;
    Text<20> text;
    for (usize i = digits; i < width; ++i) text.add(' ');
    return text.add(value);
}

/// One line of up to 160 characters.
class TextRow {
  public:
    template <class... Parts>
    explicit TextRow(const Parts&... parts) {
        add(parts...);
    }
    template <class... Parts>
    TextRow& add(const Parts&... parts) {
        (add_part(parts), ...);
        return *this;
    }
    /// Goes on at `column` from 0, one space on at least.
    template <class... Parts>
    TextRow& at(usize column, const Parts&... parts) {
        do text_.add(' ');
        while (text_.view().size() < column && text_.view().size() < text_.capacity());
        return add(parts...);
    }
    [[nodiscard]] std::string_view view() const { return text_.view(); }
    void print(TextSink& out) const {
        out.write(text_.view());
        out.write("\n");
    }

  private:
    template <class Part>
    void add_part(const Part& part) {
        if constexpr (requires { part.view(); }) {
            text_.add(part.view());
        } else {
            text_.add(part);
        }
    }

    Text<160> text_;
};

}  // namespace uc
