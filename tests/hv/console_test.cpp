// SPDX-License-Identifier: MIT
#include "hv/console.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/hv/fake_screen.hpp"
#include "tests/hv/fake_terminal.hpp"

namespace uc {
namespace {

struct FakeClient final : ConsoleClient {
    std::string got;
    usize room = 3;
    int resumed = 0;
    bool type(u8 byte) override {
        if (got.size() == room) return false;
        got += static_cast<char>(byte);
        return true;
    }
    void resume_output() override { ++resumed; }
};

TEST(Console, KeepsTheLogOnLinesOfItsOwn) {
    test::FakeTerminal terminal;
    FakeClient client;
    Console console(terminal);
    console.attach(&client);
    for (const char c : std::string("login: ")) EXPECT_TRUE(console.put(client, static_cast<u8>(c)));
    console.write("[uc] hello\n");
    console.write("[uc] again\n");
    console.drain();
    EXPECT_EQ(terminal.out, "login: \r\n[uc] hello\r\n[uc] again\r\n");
}

TEST(Console, GuestOutputWaitsAndTheLogDoesNotLoseAnything) {
    test::FakeTerminal terminal;
    terminal.room = 4;
    FakeClient client;
    Console console(terminal);
    console.attach(&client);
    std::string sent;
    for (const char c : std::string("abcdef")) {
        if (console.put(client, static_cast<u8>(c))) sent += c;
    }
    EXPECT_EQ(sent, "abcd");
    console.write("0123456789\n");
    console.drain();
    EXPECT_EQ(terminal.out, "abcd\r\n0123456789\r\n");
}

// A guest on another hart reads what it has been given, and sleeps unless it sees that more waits.
TEST(Console, RoomThatIsMadeAtTheLastMomentIsUsed) {
    struct Client final : ConsoleClient {
        const Console* console = nullptr;
        std::string got;
        bool full = true;
        bool type(u8 byte) override {
            if (std::exchange(full, false)) return false;
            EXPECT_TRUE(console->has_backlog());
            got += static_cast<char>(byte);
            return true;
        }
        void resume_output() override {}
    } client;
    test::FakeTerminal terminal;
    Console console(terminal);
    client.console = &console;
    console.attach(&client);
    terminal.type("a");
    console.service();
    EXPECT_EQ(client.got, "a");
}

TEST(Console, OffersAKeyAgainInOrder) {
    test::FakeTerminal terminal;
    FakeClient client;
    Console console(terminal);
    console.attach(&client);
    terminal.type("abcdef");
    console.service();
    EXPECT_EQ(client.got, "abc");
    console.service();
    EXPECT_EQ(client.got, "abc");
    client.room = 10;
    console.service();
    EXPECT_EQ(client.got, "abcdef");
    EXPECT_EQ(client.resumed, 3);
}

TEST(Console, OffersTheRestOnceTheClientHasRoomWithoutTheTerminal) {
    test::FakeTerminal terminal;
    FakeClient client;
    Console console(terminal);
    console.attach(&client);
    terminal.type("abcdef");
    console.service();
    client.room = 5;
    console.offer_input();
    EXPECT_EQ(client.got, "abcde");
    client.room = 10;
    console.offer_input();
    EXPECT_EQ(client.got, "abcdef");
    EXPECT_EQ(client.resumed, 1);
}

/// Guests with a few lines of output, a prompt and the screen they share.
class SharedConsole : public testing::Test {
  protected:
    /// A line editor of the simplest kind: what is typed, up to a return.
    struct FakePrompt final : ConsolePrompt {
        Console& console;
        std::string line;
        std::vector<std::string> entered;
        std::function<bool(std::string_view)> run = [](std::string_view line) { return line != "bye"; };
        bool shown = false;

        explicit FakePrompt(Console& c) : console(c) {}
        void open() override {
            line.clear();
            shown = true;
            show();
        }
        bool type(u8 byte) override {
            if (byte != '\r') {
                const char c = static_cast<char>(byte);
                line += c;
                console.prompt_sink().write({&c, 1});
                return true;
            }
            console.prompt_sink().write("\n");
            entered.push_back(line);
            shown = false;
            if (!run(line)) return false;
            open();
            return true;
        }
        void hide() override {
            if (shown) console.prompt_sink().write("\r\x1b[K");
        }
        void close() override {
            hide();
            shown = false;
        }
        void show() override {
            if (shown) console.prompt_sink().write("\ruc> " + line);
        }
    };

    /// Prints `out` as a guest with a UART does: again when it may.
    struct PrintingGuest final : ConsoleClient {
        Console& console;
        std::string got, out;
        usize room = 100;

        explicit PrintingGuest(Console& c) : console(c) {}
        bool type(u8 byte) override {
            if (got.size() == room) return false;
            got += static_cast<char>(byte);
            return true;
        }
        void resume_output() override {
            usize sent = 0;
            while (sent < out.size() && console.put(*this, static_cast<u8>(out[sent]))) ++sent;
            out.erase(0, sent);
        }
        void print(std::string_view text) {
            out += text;
            resume_output();
        }
    };

    test::FakeTerminal terminal;
    Console console{terminal};
    FakePrompt prompt{console};
    PrintingGuest a{console}, b{console};

    SharedConsole() {
        console.add(a, "alpha");
        console.add(b, "beta");
        console.set_prompt(&prompt);
    }
    std::string bytes() {
        console.drain();
        return std::exchange(terminal.out, "");
    }
    /// What the screen shows of everything since bytes() or text() was called.
    std::string text() {
        test::FakeScreen screen;
        screen.write(bytes());
        return screen.text();
    }
    void type(std::string_view keys) {
        terminal.type(keys);
        console.service();
    }
};

TEST_F(SharedConsole, PrefixesWholeLinesUntilOneIsAttached) {
    a.print("one\r\ntw");
    b.print("eins\nzwei\r\n\r\n");
    a.print("o\nthr");
    EXPECT_EQ(bytes(), "alpha| one\r\nbeta| eins\r\nbeta| zwei\r\nbeta| \r\nalpha| two\r\n");
    console.write("[uc] a line\n");
    a.print("ee\n");
    EXPECT_EQ(bytes(), "[uc] a line\r\nalpha| three\r\n");
}

TEST_F(SharedConsole, PrefixedLinesArePlainText) {
    a.print("\x1b[1;32mgreen\x1b[0m \x1b(B\x1b]0;title\x07text\x1b[2J\x1bM\tx\xc3\xa4\x7f\x01\n");
    a.print(" 10%\r 20%\r 100%\rdone\r\r\n");
    a.print("teh\b\bhe\n\r\b\b.\n");
    a.print("\x1b]never ended\nbut \x1b[12");
    a.print("34mhere\x1b[1\nlines\x1bP0\x1b\\ end\n");
    EXPECT_EQ(bytes(),
              "alpha| green text\tx\xc3\xa4\r\nalpha| done\r\nalpha| the\r\nalpha| .\r\nalpha| \r\n"
              "alpha| but here\r\nalpha| lines end\r\n");
}

TEST_F(SharedConsole, BreaksLinesThatAreTooLong) {
    const std::string part(HeldLine::kCapacity, 'x');
    a.print(part + "\r\n" + part + "y\n");
    while (!a.out.empty()) console.service();
    EXPECT_EQ(bytes(), "alpha| " + part + "\r\nalpha| " + part + "\r\nalpha| y\r\n");
}

TEST_F(SharedConsole, TheAttachedGuestHasTheTerminalToItself) {
    a.print("login: ");
    b.print("busy\nwor");
    EXPECT_EQ(bytes(), "beta| busy\r\n");
    console.attach(&a);
    EXPECT_EQ(bytes(), "login: ");
    a.print("\x1b[1mraw\x1b[0m\r");
    b.print("king\r\n");
    EXPECT_EQ(bytes(), "\x1b[1mraw\x1b[0m\r");
    type("key");
    EXPECT_EQ(a.got, "key");
    EXPECT_EQ(b.got, "");
}

TEST_F(SharedConsole, ShowsAtItsTurnWhatAGuestPrintedMeanwhile) {
    b.print("be");
    console.attach(&a);
    b.print("fore\r\n\x1b[1mlast");
    a.print("$ ");
    EXPECT_EQ(bytes(), "$ ");
    console.attach(&b);
    EXPECT_EQ(bytes(), "\r\nbefore\r\n\x1b[1mlast");
    console.attach(&a);
    b.print(" line\n");
    EXPECT_EQ(bytes(), "\r\n$ ");
    console.attach(&b);
    EXPECT_EQ(bytes(), "\r\nlast line\n");
}

TEST_F(SharedConsole, KeepsTheLastLinesOnly) {
    console.attach(&a);
    for (int i = 0; i < 1000; ++i) b.print("line " + std::to_string(i) + "\n");
    console.attach(&b);
    const std::string shown = bytes();
    EXPECT_LE(shown.size(), KeptOutput::kCapacity);
    EXPECT_GE(shown.size(), KeptOutput::kCapacity - 10);
    EXPECT_TRUE(shown.starts_with("line "));
    EXPECT_TRUE(shown.ends_with("line 998\nline 999\n"));
}

TEST_F(SharedConsole, ReleasingTheTerminalShowsAllByLines) {
    console.attach(&a);
    a.print("half a ");
    b.print("one\ntwo\nthr");
    console.attach(nullptr);
    a.print("line\n");
    b.print("ee\n");
    EXPECT_EQ(bytes(), "half a \r\nbeta| one\r\nbeta| two\r\nalpha| half a line\r\nbeta| three\r\n");
}

TEST_F(SharedConsole, ALineOfTheLogDoesNotSplitTheGuests) {
    console.attach(&a);
    a.print("login: ");
    console.write("[uc] ");
    console.write("pieces\n");
    console.write("[uc] more\n");
    EXPECT_EQ(bytes(), "login: \r\n[uc] pieces\r\n[uc] more\r\n");
    a.print("root\r\n");
    EXPECT_EQ(bytes(), "login: root\r\n");
    console.write("[uc] end\n");
    a.print("$");
    EXPECT_EQ(bytes(), "[uc] end\r\n$");
}

TEST_F(SharedConsole, AGuestsEndShowsWhatItLeft) {
    a.print("half");
    console.end_line(a);
    console.end_line(a);
    EXPECT_EQ(bytes(), "alpha| half\r\n");
    console.attach(&a);
    a.print("raw");
    console.end_line(a);
    console.write("[uc] alpha: shutdown\n");
    a.print("again\n");
    EXPECT_EQ(bytes(), "raw\r\n[uc] alpha: shutdown\r\nagain\n");
    b.print("kept");
    console.end_line(b);
    b.print("new\n");
    console.attach(&b);
    EXPECT_EQ(bytes(), "kept\r\nnew\n");
}

TEST_F(SharedConsole, KeysWithoutAGuestAreDroppedWithAWord) {
    type("x");
    type("y");
    EXPECT_EQ(bytes(), "[uc] no guest has the terminal: Ctrl-] opens the monitor\r\n");
    console.attach(&a);
    type("z");
    EXPECT_EQ(a.got, "z");
}

TEST_F(SharedConsole, KeysForAnotherGuestAreDropped) {
    console.attach(&a);
    a.room = 1;
    type("xyz");
    console.attach(&b);
    console.offer_input();
    EXPECT_EQ(console.get(b), std::nullopt);
    EXPECT_EQ(b.got, "");
    console.attach(&a);
    EXPECT_EQ(console.get(a), std::nullopt);
}

TEST_F(SharedConsole, OnlyTheAttachedGuestMayAskForKeys) {
    console.attach(&a);
    terminal.type("k");
    EXPECT_EQ(console.get(b), std::nullopt);
    EXPECT_EQ(console.get(a), 'k');
    EXPECT_EQ(console.get(a), std::nullopt);
}

TEST_F(SharedConsole, TheMonitorKeyOpensThePromptThoughTheGuestTakesNoKeys) {
    console.attach(&a);
    a.room = 2;
    type("abcd\x1dhelp\r");
    EXPECT_EQ(a.got, "ab");
    EXPECT_EQ(prompt.entered, std::vector<std::string>{"help"});
    EXPECT_EQ(text(), "uc> help\nuc>");
    type("bye\r");
    a.room = 10;
    console.offer_input();
    EXPECT_EQ(a.got, "abcd");
}

TEST_F(SharedConsole, AGuestThatPollsOpensThePromptToo) {
    console.attach(&a);
    terminal.type("\x1dx");
    EXPECT_EQ(console.get(a), std::nullopt);
    EXPECT_EQ(text(), "uc> x");
}

TEST_F(SharedConsole, AGuestThatPollsLosesTheTerminalWithTheKeysBehind) {
    console.attach(&a);
    prompt.run = [&](std::string_view) {
        console.attach(&b);
        return false;
    };
    terminal.type("\x1d\rk");
    EXPECT_EQ(console.get(a), std::nullopt);
    EXPECT_EQ(console.get(b), 'k');
}

TEST_F(SharedConsole, TheMonitorKeyTwiceIsTheGuests) {
    console.attach(&a);
    a.print("$ ");
    type("\x1d\x1dz");
    EXPECT_EQ(a.got, "\x1dz");
    EXPECT_EQ(text(), "$\n$");
    type("\x1dq\x1dz");  // later it only closes the prompt
    EXPECT_EQ(a.got, "\x1dzz");
    console.set_prompt(nullptr);
    type("\x1d");
    EXPECT_EQ(a.got, "\x1dzz\x1d");
}

TEST_F(SharedConsole, OutputBeneathThePromptLeavesTheLineAlone) {
    console.attach(&a);
    a.print("login: ");
    type("\x1dgue");
    a.print("ro\x1b[5;5H");
    EXPECT_EQ(text(), "login:\nuc> gue");
    a.print("ot\r\nPassword: ");
    console.write("[uc] ");
    console.write("a line\n");
    b.print("unseen\n");
    EXPECT_EQ(text(), "login: root\n[uc] a line\nuc> gue");
    type("sts\rbye\r");
    EXPECT_EQ(text(), "sts\nuc> bye\nPassword:");
    EXPECT_EQ(prompt.entered.size(), 2u);
    console.attach(&b);
    EXPECT_EQ(text(), "\nunseen\n");
}

TEST_F(SharedConsole, ThePromptOverAllGuests) {
    a.print("one");
    type("\x1dx");
    a.print("\ntwo\n");
    b.print("eins\n");
    EXPECT_EQ(text(), "alpha| one\nalpha| two\nbeta| eins\nuc> x");
}

TEST_F(SharedConsole, AttachingFromThePrompt) {
    console.attach(&a);
    a.print("a$ ");
    b.print("b$ ");
    prompt.run = [&](std::string_view) {
        console.write("[uc] said\n");
        console.attach(&b);
        return false;
    };
    type("\x1d");
    type("b\rls");
    EXPECT_EQ(text(), "a$\nuc> b\n[uc] said\nb$");
    EXPECT_EQ(b.got, "ls");
}

TEST_F(SharedConsole, AFloodLeavesThePromptUsable) {
    terminal.room = 64;
    console.attach(&a);
    type("\x1d");
    std::string flood;
    for (int i = 0; i < 500; ++i) flood += "line " + std::to_string(i) + "\n";
    a.print(flood);
    EXPECT_GT(a.out.size(), flood.size() / 2) << "a guest waits for the wire";
    for (int i = 0; i < 5; ++i) console.service();
    type("stop\r");
    EXPECT_EQ(prompt.entered, std::vector<std::string>{"stop"});
    EXPECT_GT(a.out.size(), flood.size() / 2) << "keys come first";
    while (!a.out.empty()) console.service();
    const std::string shown = text();
    usize at = 0;
    for (int i = 0; i < 500; ++i) {
        at = shown.find("line " + std::to_string(i) + "\n", at);
        ASSERT_NE(at, std::string::npos) << i;
    }
    EXPECT_TRUE(shown.ends_with("\nuc>"));
}

TEST_F(SharedConsole, GuestsTakeTurns) {
    terminal.room = 16;
    std::string flood;
    for (int i = 0; i < 100; ++i) flood += "0123456789\n";
    a.print(flood);
    b.print(flood);
    for (int i = 0; i < 100; ++i) console.service();
    EXPECT_LT(a.out.size(), flood.size() - 200);
    EXPECT_LT(b.out.size(), flood.size() - 200);
}

}  // namespace
}  // namespace uc
