// SPDX-License-Identifier: MIT
#include "hv/console.hpp"

#include <gtest/gtest.h>

#include <string>

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
    Console console(terminal);
    for (const char c : std::string("login: ")) EXPECT_TRUE(console.put(static_cast<u8>(c)));
    console.write("[uc] hello\n");
    console.write("[uc] again\n");
    console.drain();
    EXPECT_EQ(terminal.out, "login: \r\n[uc] hello\r\n[uc] again\r\n");
}

TEST(Console, GuestOutputWaitsAndTheLogDoesNotLoseAnything) {
    test::FakeTerminal terminal;
    terminal.room = 4;
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
    console.attach(nullptr);
    console.offer_input();
    EXPECT_EQ(client.got, "abcde");
    console.attach(&client);
    client.room = 10;
    console.offer_input();
    EXPECT_EQ(client.got, "abcdef");
    EXPECT_EQ(client.resumed, 1);
}

}  // namespace
}  // namespace uc
