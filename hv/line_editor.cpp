// SPDX-License-Identifier: MIT
#include "hv/line_editor.hpp"

#include <utility>

#include "hv/text.hpp"

namespace uc {

namespace {

constexpr std::string_view kEraseRest = "\x1b[K";
constexpr std::string_view kClearScreen = "\x1b[H\x1b[2J";

/// `text` without its first characters. (substr() would want to throw.)
constexpr std::string_view behind(std::string_view text, usize characters) {
    text.remove_prefix(std::min(characters, text.size()));
    return text;
}

/// What all words that begin with `word` have in common.
class CommonPrefix final : public Candidates {
  public:
    explicit CommonPrefix(std::string_view word) : word_(word) {}
    void add(std::string_view candidate) override {
        if (!candidate.starts_with(word_)) return;
        if (count_++ == 0) common_ = candidate;
        usize same = 0;
        while (same < common_.size() && same < candidate.size() && common_[same] == candidate[same]) ++same;
        common_ = common_.substr(0, same);
    }
    [[nodiscard]] unsigned count() const { return count_; }
    /// What can be added to the word without a choice.
    [[nodiscard]] std::string_view rest() const { return behind(common_, word_.size()); }

  private:
    std::string_view word_;
    std::string_view common_;
    unsigned count_ = 0;
};

/// Prints the words that begin with `word` in rows of the terminal's width.
class CandidateList final : public Candidates {
  public:
    CandidateList(TextSink& out, std::string_view word) : out_(out), word_(word) {}
    void add(std::string_view candidate) override {
        if (!candidate.starts_with(word_)) return;
        if (column_ != 0 && column_ + 2 + candidate.size() >= LineEditor::kColumns) column_ = 0;
        out_.write(column_ == 0 ? "\n" : "  ");
        out_.write(candidate.substr(0, LineEditor::kColumns - 1));
        column_ += (column_ == 0 ? 0 : 2) + candidate.size();
    }

  private:
    TextSink& out_;
    std::string_view word_;
    usize column_ = 0;
};

}  // namespace

void LineEditor::begin() {
    line_.set({});
    history_.rewind();
    first_ = 0;
    after_tab_ = false;
    editing_ = true;
    show();
}

void LineEditor::hide() {
    if (!editing_) return;
    out_.write("\r");
    out_.write(kEraseRest);
}

void LineEditor::show() {
    if (!editing_) return;
    scroll();
    const std::string_view shown = behind(line_.view(), first_).substr(0, room());
    Text<kColumns + 16> row("\r", prompt_, shown, kEraseRest);
    const usize column = prompt_.size() + line_.cursor() - first_;
    if (line_.cursor() != first_ + shown.size()) row.add("\r");
    if (line_.cursor() != first_ + shown.size() && column != 0) row.add("\x1b[").add(column).add('C');
    out_.write(row.view());
}

// Brings the cursor into view, half a row from the edge; true when the text moved.
bool LineEditor::scroll() {
    const usize at = line_.cursor();
    if (at >= first_ && at <= first_ + room()) return false;
    first_ = at > room() / 2 ? at - room() / 2 : 0;
    return true;
}

LineEditor::Event LineEditor::finish(Event event, std::string_view shown) {
    out_.write(shown);
    editing_ = false;
    return event;
}

LineEditor::Event LineEditor::feed(u8 byte) {
    const Key key = decoder_.feed(byte);
    if (key == Key::None) return Event::None;
    const bool again = std::exchange(after_tab_, false);
    switch (key) {
        case Key::Enter: history_.add(line_.view()); return finish(Event::Line, "\n");
        case Key::Cancel: return finish(Event::Cancel, "^C\n");
        case Key::DeleteOrEnd:
            if (line_.size() == 0) return finish(Event::End, "\n");
            break;
        case Key::Char: insert(byte); return Event::None;
        case Key::Tab: complete(again); return Event::None;
        case Key::Clear:
            out_.write(kClearScreen);
            show();
            return Event::None;
        default: break;
    }
    if (edit(key)) {
        show();
    } else {
        bell();
    }
    return Event::None;
}

void LineEditor::insert(u8 byte) {
    const char c = static_cast<char>(byte);
    if (!line_.insert(c)) return bell();
    if (scroll() || line_.cursor() != line_.size()) return show();
    out_.write({&c, 1});
}

// False when there was nothing to do.
bool LineEditor::edit(Key key) {
    const usize at = line_.cursor();
    switch (key) {
        case Key::Up: return history_.up(line_);
        case Key::Down: return history_.down(line_);
        case Key::Backspace: return at != 0 && erase(at - 1, at);
        case Key::Delete:
        case Key::DeleteOrEnd: return at != line_.size() && erase(at, at + 1);
        case Key::EraseWord: return erase(line_.word_left(), at);
        case Key::EraseBefore: return erase(0, at);
        case Key::EraseAfter: return erase(at, line_.size());
        default: return move(key);
    }
}

bool LineEditor::move(Key key) {
    const usize at = line_.cursor();
    switch (key) {
        case Key::Left: line_.move_to(at == 0 ? 0 : at - 1); break;
        case Key::Right: line_.move_to(at + 1); break;
        case Key::WordLeft: line_.move_to(line_.word_left()); break;
        case Key::WordRight: line_.move_to(line_.word_right()); break;
        case Key::Home: line_.move_to(0); break;
        case Key::End: line_.move_to(line_.size()); break;
        default: break;
    }
    return line_.cursor() != at;
}

bool LineEditor::erase(usize from, usize to) {
    if (from == to) return false;
    line_.erase(from, to);
    return true;
}

void LineEditor::complete(bool again) {
    if (completer_ == nullptr) return bell();
    const std::string_view typed = line_.before();
    const usize start = typed.rfind(' ') == std::string_view::npos ? 0 : typed.rfind(' ') + 1;
    const std::string_view before = typed.substr(0, start), word = behind(typed, start);

    CommonPrefix common(word);
    completer_->complete(before, common);
    if (common.count() == 0) return bell();
    if (common.count() > 1 && common.rest().empty()) {
        after_tab_ = true;
        return again ? list(before, word) : bell();
    }
    // `word` is part of the line that changes now; the rest is the completer's.
    for (const char c : common.rest()) {
        if (!line_.insert(c)) break;
    }
    if (common.count() == 1) static_cast<void>(line_.insert(' '));
    show();
}

void LineEditor::list(std::string_view before, std::string_view word) {
    CandidateList candidates(out_, word);
    completer_->complete(before, candidates);
    out_.write("\n");
    show();
}

}  // namespace uc
