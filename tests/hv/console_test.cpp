// SPDX-License-Identifier: MIT
#include "hv/console.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <string>

namespace uc {
namespace {

// A terminal with room for `room` bytes, which service() empties onto `out`.
struct FakeTerminal final : Terminal {
    std::string out;
    std::string buffer;
    std::deque<u8> typed;
    usize room = 4;
    bool put(u8 byte) override {
        if (buffer.size() == room) return false;
        buffer += static_cast<char>(byte);
        return true;
    }
    std::optional<u8> get() override {
        if (typed.empty()) return std::nullopt;
        const u8 byte = typed.front();
        typed.pop_front();
        return byte;
    }
    void service() override {
        out += buffer;
        buffer.clear();
    }
    void drain() override { service(); }
    bool interrupts() const override { return true; }
};

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
    FakeTerminal terminal;
    Console console(terminal);
    terminal.room = 100;
    for (const char c : std::string("login: ")) EXPECT_TRUE(console.put(static_cast<u8>(c)));
    console.write("[uc] hello\n");
    console.write("[uc] again\n");
    console.drain();
    EXPECT_EQ(terminal.out, "login: \r\n[uc] hello\r\n[uc] again\r\n");
}

TEST(Console, GuestOutputWaitsAndTheLogDoesNotLoseAnything) {
    FakeTerminal terminal;
    Console console(terminal);
    std::string sent;
    for (const char c : std::string("abcdef")) {
        if (console.put(static_cast<u8>(c))) sent += c;
    }
    EXPECT_EQ(sent, "abcd");
    console.write("0123456789\n");
    console.drain();
    EXPECT_EQ(terminal.out, "abcd\r\n0123456789\r\n");
}

TEST(Console, OffersAKeyAgainInOrder) {
    FakeTerminal terminal;
    FakeClient client;
    Console console(terminal);
    console.attach(&client);
    for (const char c : std::string("abcdef")) terminal.typed.push_back(static_cast<u8>(c));
    console.service();
    EXPECT_EQ(client.got, "abc");
    console.service();
    EXPECT_EQ(client.got, "abc");
    client.room = 10;
    console.service();
    EXPECT_EQ(client.got, "abcdef");
    EXPECT_EQ(client.resumed, 3);
}

}  // namespace
}  // namespace uc
