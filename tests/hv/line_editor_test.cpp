// SPDX-License-Identifier: MIT
#include "hv/line_editor.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/hv/fake_screen.hpp"

namespace uc {
namespace {

using Event = LineEditor::Event;

const std::string kLeft = "\x1b[D", kRight = "\x1b[C", kUp = "\x1b[A", kDown = "\x1b[B";
const std::string kHome = "\x1b[H", kEnd = "\x1b[F", kDelete = "\x1b[3~";

struct Words final : Completer {
    std::vector<std::string> words;
    std::string asked;
    void complete(std::string_view before, Candidates& candidates) override {
        asked = before;
        for (const std::string& word : words) candidates.add(word);
    }
};

class LineEditorTest : public testing::Test {
  protected:
    test::FakeScreen screen;
    Words words;
    LineEditor editor{screen, "uc> ", &words};

    LineEditorTest() { editor.begin(); }

    /// Types what ends no line, and checks that the screen shows what the editor holds.
    void type(std::string_view keys) {
        for (const char c : keys) ASSERT_EQ(editor.feed(static_cast<u8>(c)), Event::None) << keys;
        expect_shown();
    }
    Event key(char c) { return editor.feed(static_cast<u8>(c)); }
    std::string enter(std::string_view keys) {
        type(keys);
        EXPECT_EQ(key('\r'), Event::Line);
        const std::string line(editor.line());
        editor.begin();
        return line;
    }
    std::string line() const { return std::string(editor.line()); }
    std::string text() const { return line().insert(editor.cursor(), "|"); }
    void expect_shown() const {
        const std::string row = screen.row();
        ASSERT_EQ(row.substr(0, 3), "uc>");
        ASSERT_GE(screen.column(), 4u);
        const std::string shown = row.size() < 4 ? "" : row.substr(4);
        const usize left = screen.column() - 4;  // characters on screen before the cursor
        ASSERT_LE(left, editor.cursor());
        std::string wanted = line().substr(editor.cursor() - left, test::FakeScreen::kColumns - 7);
        wanted.erase(wanted.find_last_not_of(' ') + 1);
        ASSERT_EQ(shown, wanted);
    }
};

TEST_F(LineEditorTest, TypesAndEnters) {
    EXPECT_EQ(enter("help"), "help");
    EXPECT_EQ(screen.text(), "uc> help\nuc>");
    EXPECT_EQ(enter(""), "");
}

TEST_F(LineEditorTest, ReturnAndLineFeedAreOneEnter) {
    EXPECT_EQ(key('\r'), Event::Line);
    editor.begin();
    EXPECT_EQ(key('\n'), Event::None);
    EXPECT_EQ(key('\n'), Event::Line);
}

TEST_F(LineEditorTest, MovesAndInserts) {
    type("bd" + kLeft + "c" + kHome + "a" + kEnd + "e");
    EXPECT_EQ(text(), "abcde|");
    type("\x01\x06X");
    EXPECT_EQ(text(), "aX|bcde");
    type("\x05\x02Y");
    EXPECT_EQ(text(), "aXbcdY|e");
    type("\x1b[1~1\x1b[4~2\x1bOH3\x1bOF4\x1b[7~5\x1b[8~6\x1bOD7");
    EXPECT_EQ(text(), "531aXbcdYe247|6");
    type("\x1b[1;5D<\x1b[1;5C>");
    EXPECT_EQ(text(), "<531aXbcdYe2476>|");
}

TEST_F(LineEditorTest, Erases) {
    type("abcdef" + kLeft + kLeft + "\x7f");
    EXPECT_EQ(text(), "abc|ef");
    type("\x08" + kDelete);
    EXPECT_EQ(text(), "ab|f");
    type("\x04");
    EXPECT_EQ(text(), "ab|");
    EXPECT_EQ(screen.bells, 0u);
    type("\x04");  // nothing to the right, but the line is not empty
    EXPECT_EQ(text(), "ab|");
    EXPECT_EQ(screen.bells, 1u);
    type(" two  three  \x17");
    EXPECT_EQ(text(), "ab two  |");
    type("x" + kLeft + "\x15");
    EXPECT_EQ(text(), "|x");
    type("abc\x02\x0b");
    EXPECT_EQ(text(), "ab|");
    type(" c\x1b\x7f");
    EXPECT_EQ(text(), "ab |");
}

TEST_F(LineEditorTest, ControlDEndsAtAnEmptyLineAndControlCGivesUp) {
    type("abc");
    EXPECT_EQ(key('\x03'), Event::Cancel);
    EXPECT_EQ(screen.text(), "uc> abc^C\n");
    editor.begin();
    expect_shown();
    EXPECT_EQ(line(), "");
    EXPECT_EQ(key('\x04'), Event::End);
}

TEST_F(LineEditorTest, ClearsTheScreen) {
    enter("first");
    type("second" + kLeft + "\x0c");
    EXPECT_EQ(screen.text(), "uc> second");
    EXPECT_EQ(screen.column(), 9u);
}

TEST_F(LineEditorTest, RemembersLines) {
    enter("one");
    enter("two");
    enter("two");
    enter("");
    type("thr" + kUp);
    EXPECT_EQ(text(), "two|");
    type(kUp);
    EXPECT_EQ(text(), "one|");
    type("\x10");
    EXPECT_EQ(text(), "one|");
    EXPECT_EQ(screen.bells, 1u);
    type(kDown + "\x0e");
    EXPECT_EQ(text(), "thr|");
    type(kDown);
    EXPECT_EQ(text(), "thr|");
    EXPECT_EQ(enter(kUp + kUp + "!"), "one!");
    type(kUp);
    EXPECT_EQ(text(), "one!|");
    EXPECT_EQ(key('\x03'), Event::Cancel);
    editor.begin();
    type(kUp + kUp);
    EXPECT_EQ(text(), "two|");
}

TEST_F(LineEditorTest, ForgetsTheOldestLine) {
    for (int i = 0; i < 20; ++i) enter("line" + std::to_string(i));
    for (int i = 0; i < 15; ++i) type(kUp);
    EXPECT_EQ(line(), "line5");
    type(kUp);
    EXPECT_EQ(line(), "line4");
    type(kUp);
    EXPECT_EQ(line(), "line4");
}

TEST_F(LineEditorTest, LongLinesScroll) {
    std::string long_line;
    for (int i = 0; i < 200; ++i) {
        const char c = static_cast<char>('a' + i % 26);
        long_line += c;
        type({&c, 1});
    }
    EXPECT_EQ(line(), long_line);
    for (int i = 0; i < 200; ++i) type(kLeft);
    EXPECT_EQ(editor.cursor(), 0u);
    EXPECT_EQ(screen.row(), "uc> " + long_line.substr(0, 73));
    for (int i = 0; i < 200; ++i) type(kRight);
    EXPECT_EQ(editor.cursor(), 200u);
    type("\x15");
    EXPECT_EQ(screen.row(), "uc>");
}

TEST_F(LineEditorTest, StopsAtItsCapacity) {
    const std::string full(LineBuffer::kCapacity, 'x');
    type(full);
    EXPECT_EQ(screen.bells, 0u);
    type("y" + kHome + "z");
    EXPECT_EQ(line(), full);
    EXPECT_EQ(screen.bells, 2u);
    words.words = {"xxxx"};
    EXPECT_EQ(enter(kDelete + "y"), "y" + full.substr(1));
    type(kUp);
    EXPECT_EQ(line(), "y" + full.substr(1));
}

TEST_F(LineEditorTest, IgnoresWhatItDoesNotKnow) {
    type("a\x1b[15~\x1b[1;2P\x1b[?25h\x1bz\x1bOP\x1b[[A\x1b[Z\x1b[200~\x1b\x1b[5~\xc3\xa4\x01" + std::string(1, '\0') +
         "\x12\x1d");
    EXPECT_EQ(text(), "|a");
    type("\x1b[99999999999999999999~\x1b[3;5~b");
    EXPECT_EQ(text(), "b|");
    type("\x1b[1\x7f");  // a sequence cut short by a key that counts
    EXPECT_EQ(text(), "|");
}

TEST_F(LineEditorTest, CompletesTheOnlyWord) {
    words.words = {"stats", "start", "pause"};
    type("p\t");
    EXPECT_EQ(text(), "pause |");
    EXPECT_EQ(words.asked, "");
    type("sta\t");
    EXPECT_EQ(text(), "pause sta|");
    EXPECT_EQ(words.asked, "pause ");
    type("r\tx");
    EXPECT_EQ(text(), "pause start x|");
    type("\x15zzz\t");
    EXPECT_EQ(text(), "zzz|");
    EXPECT_EQ(screen.bells, 2u);
}

TEST_F(LineEditorTest, CompletesInTheMiddle) {
    words.words = {"stats"};
    type("s alpha" + kHome + kRight + "\t");
    EXPECT_EQ(text(), "stats | alpha");
}

TEST_F(LineEditorTest, ListsChoicesAtTheSecondTab) {
    words.words = {"start", "stats", "stop", "help"};
    type("s\t");
    EXPECT_EQ(text(), "st|");
    type("\t");
    EXPECT_EQ(screen.text(), "uc> st");
    EXPECT_EQ(screen.bells, 1u);
    type("\t");
    EXPECT_EQ(screen.text(), "uc> st\nstart  stats  stop\nuc> st");
    type("a\t");
    EXPECT_EQ(text(), "sta|");
    type(kLeft + kRight + "\t");
    EXPECT_EQ(screen.bells, 3u);
}

TEST_F(LineEditorTest, ListsMoreThanARow) {
    for (int i = 10; i < 40; ++i) words.words.push_back("guest" + std::to_string(i));
    type("g\t\t\t");
    EXPECT_EQ(text(), "guest|");
    EXPECT_EQ(screen.row(), "uc> guest");
}

TEST_F(LineEditorTest, HidesAndShows) {
    type("hello" + kLeft);
    editor.hide();
    EXPECT_EQ(screen.row(), "");
    EXPECT_EQ(screen.column(), 0u);
    screen.write("a line\n");
    editor.show();
    expect_shown();
    EXPECT_EQ(screen.text(), "a line\nuc> hello");
    EXPECT_EQ(key('\r'), Event::Line);
    editor.hide();
    editor.show();
    EXPECT_EQ(screen.row(), "");
}

/// The same keys on a string.
class Model {
  public:
    std::string line;
    usize cursor = 0;

    void enter() {
        if (!line.empty() && (history_.empty() || history_.back() != line)) history_.push_back(line);
        if (history_.size() > LineHistory::kLines) history_.erase(history_.begin());
        clear();
    }
    void clear() {
        line.clear();
        cursor = back_ = 0;
    }
    void insert(char c) {
        if (line.size() < LineBuffer::kCapacity) line.insert(cursor++, 1, c);
    }
    void move(int by) {
        cursor =
            static_cast<usize>(std::clamp<long>(static_cast<long>(cursor) + by, 0, static_cast<long>(line.size())));
    }
    void erase(usize from, usize to) {
        line.erase(from, to - from);
        cursor = from;
    }
    usize word() const {
        const usize end = line.find_last_not_of(' ', cursor == 0 ? 0 : cursor - 1);
        if (cursor == 0 || end == std::string::npos) return 0;
        const usize space = line.rfind(' ', end);
        return space == std::string::npos ? 0 : space + 1;
    }
    void history(bool up) {
        if (up ? back_ == history_.size() : back_ == 0) return;
        if (back_ == 0) draft_ = line;
        back_ += up ? 1 : -1;
        line = back_ == 0 ? draft_ : history_[history_.size() - back_];
        cursor = line.size();
    }

  private:
    std::vector<std::string> history_;
    std::string draft_;
    usize back_ = 0;
};

TEST_F(LineEditorTest, BehavesAsItsModelDoes) {
    std::mt19937 random(20240607);
    const auto any = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    Model model;
    for (int step = 0; step < 60'000; ++step) {
        const unsigned choice = any(step / 5000 % 2 == 0 ? 24 : 44);  // short lines, then long ones
        if (choice == 0) {
            ASSERT_EQ(key('\r'), Event::Line);
            ASSERT_EQ(line(), model.line);
            editor.begin();
            model.enter();
        } else if (choice == 1) {
            ASSERT_EQ(key('\x03'), Event::Cancel);
            editor.begin();
            model.clear();
        } else if (choice == 2) {
            if (any(8) != 0) continue;
            type("\x15");
            model.erase(0, model.cursor);
        } else if (choice == 3) {
            if (any(8) != 0) continue;
            type("\x0b");
            model.erase(model.cursor, model.line.size());
        } else if (choice == 4) {
            type("\x17");
            model.erase(model.word(), model.cursor);
        } else if (choice <= 6) {
            type(any(2) ? kLeft : "\x02");
            model.move(-1);
        } else if (choice == 7) {
            type(any(2) ? kRight : "\x06");
            model.move(1);
        } else if (choice == 8) {
            type(any(2) ? "\x7f" : "\x08");
            if (model.cursor != 0) model.erase(model.cursor - 1, model.cursor);
        } else if (choice == 9) {
            type(kDelete);
            if (model.cursor != model.line.size()) model.erase(model.cursor, model.cursor + 1);
        } else if (choice <= 11) {
            const bool up = any(2) != 0;
            type(up ? kUp : kDown);
            model.history(up);
        } else if (choice == 12) {
            type(any(2) ? kHome : "\x01");
            model.cursor = 0;
        } else if (choice == 13) {
            type(any(2) ? kEnd : "\x05");
            model.cursor = model.line.size();
        } else {
            const char c = static_cast<char>(any(4) == 0 ? ' ' : 'a' + any(26));
            type({&c, 1});
            model.insert(c);
        }
        ASSERT_EQ(line(), model.line) << step;
        ASSERT_EQ(editor.cursor(), model.cursor) << step;
    }
}

TEST_F(LineEditorTest, TakesAnyBytes) {
    words.words = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "b",
                   "bc"};
    std::mt19937 random(7);
    constexpr std::string_view kLikely = "\x1b\x1b[[O;13~ABCDHF\t\t\x7f\x10\x0e  ab";
    for (int step = 0; step < 200'000; ++step) {
        const unsigned choice = static_cast<unsigned>(random());
        const u8 byte =
            (choice & 3) == 0 ? static_cast<u8>(choice >> 8) : static_cast<u8>(kLikely[(choice >> 8) % kLikely.size()]);
        if (editor.feed(byte) != Event::None) editor.begin();
        ASSERT_LE(editor.cursor(), editor.line().size());
        ASSERT_LE(editor.line().size(), LineBuffer::kCapacity);
        expect_shown();
        if (testing::Test::HasFatalFailure()) FAIL() << "at step " << step;
        if (screen.text().size() > 5000) screen.write("\x1b[2J\r"), editor.show();
    }
}

}  // namespace
}  // namespace uc
