// SPDX-License-Identifier: MIT
#pragma once
// What a person pressed, told from the bytes that a terminal sends for it.

#include "isa/types.hpp"

namespace uc {

/// The keys that a line editor answers.
enum class Key : u8 {
    None,  ///< nothing yet, or nothing we know
    Char,  ///< the byte itself, a printable ASCII character
    Enter,
    Tab,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Up,
    Down,
    Backspace,
    Delete,
    DeleteOrEnd,  ///< Ctrl-D
    EraseWord,    ///< Ctrl-W
    EraseBefore,  ///< Ctrl-U
    EraseAfter,   ///< Ctrl-K
    Clear,        ///< Ctrl-L
    Cancel,       ///< Ctrl-C
};

/// Puts together the sequences of a VT100 and its kin (ECMA-48, 5.4; xterm's key tables), in however many pieces they
/// come. What it does not know, and all that is not ASCII, yields None.
class KeyDecoder {
  public:
    [[nodiscard]] Key feed(u8 byte);

  private:
    enum class State : u8 { Ground, Escape, Csi, Ss3, Skip };

    [[nodiscard]] Key ground(u8 byte);
    [[nodiscard]] Key escape(u8 byte);
    [[nodiscard]] Key csi(u8 byte);

    State state_ = State::Ground;
    bool after_return_ = false;  ///< "\r\n" is one Enter
    bool modified_ = false;      ///< a second parameter: Shift, Alt or Ctrl is held
    unsigned parameter_ = 0;     ///< the first one
};

}  // namespace uc
