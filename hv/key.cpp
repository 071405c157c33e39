// SPDX-License-Identifier: MIT
#include "hv/key.hpp"

#include <utility>

namespace uc {

namespace {

constexpr u8 kEscape = 0x1b;
constexpr u8 kRubout = 0x7f;

constexpr u8 ctrl(char letter) { return static_cast<u8>(letter & 0x1f); }

constexpr Key control_key(u8 byte) {
    switch (byte) {
        case ctrl('A'): return Key::Home;
        case ctrl('B'): return Key::Left;
        case ctrl('C'): return Key::Cancel;
        case ctrl('D'): return Key::DeleteOrEnd;
        case ctrl('E'): return Key::End;
        case ctrl('F'): return Key::Right;
        case ctrl('H'):
        case kRubout: return Key::Backspace;
        case ctrl('I'): return Key::Tab;
        case ctrl('J'):
        case ctrl('M'): return Key::Enter;
        case ctrl('K'): return Key::EraseAfter;
        case ctrl('L'): return Key::Clear;
        case ctrl('N'): return Key::Down;
        case ctrl('P'): return Key::Up;
        case ctrl('U'): return Key::EraseBefore;
        case ctrl('W'): return Key::EraseWord;
        default: return Key::None;
    }
}

constexpr Key cursor_key(u8 final, bool modified) {
    switch (final) {
        case 'A': return Key::Up;
        case 'B': return Key::Down;
        case 'C': return modified ? Key::WordRight : Key::Right;
        case 'D': return modified ? Key::WordLeft : Key::Left;
        case 'F': return Key::End;
        case 'H': return Key::Home;
        default: return Key::None;
    }
}

constexpr Key numbered_key(unsigned number) {
    switch (number) {
        case 1:
        case 7: return Key::Home;
        case 3: return Key::Delete;
        case 4:
        case 8: return Key::End;
        default: return Key::None;
    }
}

}  // namespace

Key KeyDecoder::feed(u8 byte) {
    const bool after_return = std::exchange(after_return_, byte == '\r');
    if (byte == '\n' && after_return) return Key::None;
    // A control character ends whatever sequence was cut short, and counts itself.
    if (byte < ' ' || byte == kRubout) return ground(byte);
    switch (state_) {
        case State::Ground: return ground(byte);
        case State::Escape: return escape(byte);
        case State::Csi: return csi(byte);
        case State::Ss3: state_ = State::Ground; return cursor_key(byte, false);
        case State::Skip: state_ = State::Ground; break;
    }
    return Key::None;
}

Key KeyDecoder::ground(u8 byte) {
    // Alt-Backspace erases a word.
    const bool after_escape = state_ == State::Escape;
    state_ = byte == kEscape ? State::Escape : State::Ground;
    if (byte >= ' ' && byte < kRubout) return Key::Char;
    if (byte == kRubout && after_escape) return Key::EraseWord;
    return control_key(byte);
}

Key KeyDecoder::escape(u8 byte) {
    parameter_ = 0;
    modified_ = false;
    state_ = State::Ground;
    switch (byte) {
        case '[': state_ = State::Csi; return Key::None;
        case 'O': state_ = State::Ss3; return Key::None;
        case 'b': return Key::WordLeft;
        case 'f': return Key::WordRight;
        default: return Key::None;
    }
}

Key KeyDecoder::csi(u8 byte) {
    if (byte >= '0' && byte <= '9') {
        if (!modified_ && parameter_ < 1000) parameter_ = parameter_ * 10 + (byte - '0');
        return Key::None;
    }
    if (byte < '@') {  // the next parameter, or an intermediate byte
        modified_ = true;
        return Key::None;
    }
    // The Linux console's function keys are "\e[[" and a letter.
    state_ = byte == '[' ? State::Skip : State::Ground;
    if (byte == '~') return numbered_key(parameter_);
    return cursor_key(byte, modified_);
}

}  // namespace uc
