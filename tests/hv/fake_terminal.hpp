// SPDX-License-Identifier: MIT
#pragma once
// A terminal made of strings.

#include <deque>
#include <functional>
#include <string>

#include "hv/terminal.hpp"

namespace uc::test {

/// Has room for `room` bytes, which service() puts out.
struct FakeTerminal final : Terminal {
    std::string out;
    std::string buffer;
    std::deque<u8> typed;
    usize room = 1000;
    bool has_interrupts = true;
    std::function<void()> while_it_prints;  ///< called at each byte

    void type(std::string_view keys) { typed.insert(typed.end(), keys.begin(), keys.end()); }

    bool put(u8 byte) override {
        if (buffer.size() == room) return false;
        buffer += static_cast<char>(byte);
        if (while_it_prints) while_it_prints();
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
    bool interrupts() const override { return has_interrupts; }
};

}  // namespace uc::test
