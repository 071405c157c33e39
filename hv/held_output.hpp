// SPDX-License-Identifier: MIT
#pragma once
// Output of a guest that the terminal does not show yet.

#include <array>
#include <optional>
#include <string_view>

#include "isa/types.hpp"

namespace uc {

/// The line a guest is in the middle of, as plain text: printable characters, tabs and UTF-8. What moves the cursor or
/// changes colours is left out, because the line may be shown among others; a carriage return or a backspace has the
/// effect it has on a terminal. The guest's bytes must all pass through here, so that sequences are told from text.
class HeldLine {
  public:
    static constexpr usize kCapacity = 512;

    [[nodiscard]] std::string_view view() const { return {chars_.data(), size_}; }
    /// Whether the line is finished before `byte` can follow: by a line feed, or because it is full.
    [[nodiscard]] bool ends_at(u8 byte) const {
        return byte == '\n' || (size_ == kCapacity && !returned_ && is_text(byte));
    }
    /// Goes on with `byte`; a line that ends_at() it is gone afterwards.
    void feed(u8 byte);
    /// Starts a new line; a sequence that has begun goes on.
    void clear() {
        size_ = 0;
        returned_ = false;
    }

  private:
    enum class Sequence : u8 { None, Escape, Control, String };

    [[nodiscard]] static bool is_text(u8 byte) { return (byte >= ' ' && byte != 0x7f) || byte == '\t'; }
    [[nodiscard]] bool skips(u8 byte);

    std::array<char, kCapacity> chars_{};
    usize size_ = 0;
    bool returned_ = false;  ///< after "\r": the next character starts the line again
    Sequence sequence_ = Sequence::None;
};

/// The last output of a guest, byte for byte: what does not fit pushes out the oldest.
class KeptOutput {
  public:
    static constexpr unsigned kCapacity = 4096;  ///< a power of two

    [[nodiscard]] bool empty() const { return head_ == tail_; }
    void push(u8 byte) {
        if (tail_ - head_ == kCapacity) {
            ++head_;
            lost_ = true;
        }
        bytes_[tail_++ % kCapacity] = byte;
    }
    void push(std::string_view text) {
        for (const char c : text) push(static_cast<u8>(c));
    }
    [[nodiscard]] std::optional<u8> pop() {
        if (empty()) {
            lost_ = false;
            return std::nullopt;
        }
        return bytes_[head_++ % kCapacity];
    }
    /// Drops the rest of a line whose beginning was pushed out.
    void skip_torn_line();

  private:
    std::array<u8, kCapacity> bytes_{};
    unsigned head_ = 0;
    unsigned tail_ = 0;
    bool lost_ = false;
};

}  // namespace uc
