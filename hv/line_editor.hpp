// SPDX-License-Identifier: MIT
#pragma once
// Editing one line on a VT100, byte by byte.

#include "hv/completer.hpp"
#include "hv/key.hpp"
#include "hv/line_buffer.hpp"
#include "hv/log.hpp"

namespace uc {

/// Edits ASCII text behind a prompt on one row of the terminal, scrolled sideways where it is longer. Keys are those of
/// a shell: arrows, Home, End, Ctrl-A/E/B/F, Alt-B/F, Backspace, Delete, Ctrl-D/H/K/U/W/L, Tab, Up, Down, Ctrl-P/N.
class LineEditor {
  public:
    static constexpr usize kColumns = 80;  ///< of the terminal, at least
    static constexpr usize kMaxPrompt = 20;

    enum class Event : u8 {
        None,    ///< the line goes on
        Line,    ///< Enter: line() is finished
        Cancel,  ///< Ctrl-C: the line was given up
        End,     ///< Ctrl-D on an empty line
    };

    /// `prompt` has at most kMaxPrompt printable characters; `completer` may be null. All must outlive the editor.
    LineEditor(TextSink& out, std::string_view prompt, Completer* completer)
        : out_(out), prompt_(prompt), completer_(completer) {}

    /// Starts an empty line at the left edge of the terminal. After an event other than None, nothing is shown and
    /// feed() must not be called until this is.
    void begin();
    [[nodiscard]] Event feed(u8 byte);
    /// What was typed; at most LineBuffer::kCapacity characters.
    [[nodiscard]] std::string_view line() const { return line_.view(); }
    [[nodiscard]] usize cursor() const { return line_.cursor(); }

    /// Takes the line off the terminal, so that other text can be printed in its place; the cursor is at the left edge.
    /// Nothing happens while no line is edited.
    void hide();
    /// Shows it again, at the left edge. Also where it was not hidden.
    void show();

  private:
    /// How many columns of text fit besides the prompt and "^C", and leave free the last one, where terminals wrap.
    [[nodiscard]] usize room() const { return kColumns - 3 - prompt_.size(); }
    [[nodiscard]] Event finish(Event event, std::string_view shown);
    void insert(u8 byte);
    bool edit(Key key);
    bool move(Key key);
    bool erase(usize from, usize to);
    void complete(bool again);
    void list(std::string_view before, std::string_view word);
    bool scroll();
    void bell() { out_.write("\a"); }

    TextSink& out_;
    std::string_view prompt_;
    Completer* completer_;
    KeyDecoder decoder_;
    LineBuffer line_;
    LineHistory history_;
    usize first_ = 0;  ///< of the characters shown
    bool editing_ = false;
    bool after_tab_ = false;  ///< a Tab that could not decide was the last key
};

}  // namespace uc
