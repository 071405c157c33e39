// SPDX-License-Identifier: MIT
#pragma once
// A line of text with a cursor, and the lines before it.

#include <algorithm>
#include <array>
#include <string_view>

#include "isa/types.hpp"

namespace uc {

/// Up to kCapacity characters; the cursor stands before one of them or at the end.
class LineBuffer {
  public:
    static constexpr usize kCapacity = 256;

    [[nodiscard]] constexpr std::string_view view() const { return {chars_.data(), size_}; }
    /// The text to the left of the cursor.
    [[nodiscard]] constexpr std::string_view before() const { return {chars_.data(), cursor_}; }
    [[nodiscard]] constexpr usize size() const { return size_; }
    [[nodiscard]] constexpr usize cursor() const { return cursor_; }

    /// Takes the place of all text, cut to what fits, with the cursor at its end.
    constexpr void set(std::string_view text) {
        size_ = cursor_ = std::min(text.size(), kCapacity);
        std::copy_n(text.begin(), size_, chars_.begin());
    }
    /// Puts a character at the cursor; false when there is no room.
    [[nodiscard]] constexpr bool insert(char c) {
        if (size_ == kCapacity) return false;
        std::copy_backward(chars_.begin() + cursor_, chars_.begin() + size_, chars_.begin() + size_ + 1);
        chars_[cursor_++] = c;
        ++size_;
        return true;
    }
    /// Takes away [from, to), both within the line, and moves the cursor there.
    constexpr void erase(usize from, usize to) {
        std::copy(chars_.begin() + to, chars_.begin() + size_, chars_.begin() + from);
        size_ -= to - from;
        cursor_ = from;
    }
    /// `position` is cut to the line's length.
    constexpr void move_to(usize position) { cursor_ = std::min(position, size_); }

    /// Where the word to the left of the cursor begins.
    [[nodiscard]] constexpr usize word_left() const {
        usize at = cursor_;
        while (at > 0 && chars_[at - 1] == ' ') --at;
        while (at > 0 && chars_[at - 1] != ' ') --at;
        return at;
    }
    /// Where the word to the right of the cursor ends.
    [[nodiscard]] constexpr usize word_right() const {
        usize at = cursor_;
        while (at < size_ && chars_[at] == ' ') ++at;
        while (at < size_ && chars_[at] != ' ') ++at;
        return at;
    }

  private:
    std::array<char, kCapacity> chars_{};
    usize size_ = 0;
    usize cursor_ = 0;
};

/// The lines entered last, to be gone through with the arrow keys. What was typed before going up is found again when
/// coming down.
class LineHistory {
  public:
    static constexpr usize kLines = 16;

    /// Empty lines and repetitions of the last line are left out; beyond kLines the oldest goes. Also starts anew where
    /// the arrow keys begin.
    constexpr void add(std::string_view line) {
        back_ = 0;
        if (line.empty() || (count_ != 0 && line == lines_[newest_].view())) return;
        newest_ = (newest_ + 1) % kLines;
        lines_[newest_].set(line);
        count_ = std::min(count_ + 1, kLines);
    }
    /// The arrow keys begin at the newest line again.
    constexpr void rewind() { back_ = 0; }
    /// Puts the line before into `line`; false at the oldest.
    [[nodiscard]] constexpr bool up(LineBuffer& line) {
        if (back_ == count_) return false;
        if (back_++ == 0) draft_.set(line.view());
        line.set(shown());
        return true;
    }
    /// Puts the line after into `line`; false at the one being typed.
    [[nodiscard]] constexpr bool down(LineBuffer& line) {
        if (back_ == 0) return false;
        --back_;
        line.set(shown());
        return true;
    }

  private:
    [[nodiscard]] constexpr std::string_view shown() const {
        return back_ == 0 ? draft_.view() : lines_[(newest_ + kLines + 1 - back_) % kLines].view();
    }

    std::array<LineBuffer, kLines> lines_{};
    LineBuffer draft_;
    usize newest_ = 0;
    usize count_ = 0;
    usize back_ = 0;  ///< how many lines up the arrow keys have gone
};

}  // namespace uc
