// SPDX-License-Identifier: MIT
#include "hv/held_output.hpp"

namespace uc {

namespace {

constexpr u8 kBell = 0x07;
constexpr u8 kEscape = 0x1b;

}  // namespace

void HeldLine::feed(u8 byte) {
    if (ends_at(byte)) clear();
    if (skips(byte)) return;
    if (byte == '\r') {
        returned_ = true;
    } else if (byte == '\b') {
        if (size_ != 0) --size_;
    } else if (is_text(byte)) {
        if (returned_) clear();
        chars_[size_++] = static_cast<char>(byte);
    }
}

// Whether `byte` belongs to a sequence that is not text (ECMA-48, 5.3 to 5.6): a CSI or another escape sequence, or a
// string such as the one that sets a window's title. Control characters act even within the former.
bool HeldLine::skips(u8 byte) {
    if (sequence_ == Sequence::String) {
        if (byte == kBell || byte == '\n') sequence_ = Sequence::None;
        if (byte == kEscape) sequence_ = Sequence::Escape;  // of the string's end, or of something new
        return true;
    }
    if (byte == kEscape) {
        sequence_ = Sequence::Escape;
        return true;
    }
    if (byte == '\n') sequence_ = Sequence::None;  // cut short
    if (sequence_ == Sequence::None || byte < ' ') return false;
    if (sequence_ == Sequence::Control) {
        if (byte >= '@') sequence_ = Sequence::None;
        return true;
    }
    switch (byte) {
        case '[': sequence_ = Sequence::Control; break;
        case ']':
        case 'P':
        case 'X':
        case '^':
        case '_': sequence_ = Sequence::String; break;
        default:
            if (byte >= '0') sequence_ = Sequence::None;  // below are intermediate bytes
    }
    return true;
}

void KeptOutput::skip_torn_line() {
    if (!lost_) return;
    lost_ = false;
    for (unsigned at = head_; at != tail_; ++at) {
        if (bytes_[at % kCapacity] != '\n') continue;
        head_ = at + 1;
        return;
    }
}

}  // namespace uc
