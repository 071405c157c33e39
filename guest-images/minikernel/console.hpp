// SPDX-License-Identifier: MIT
#pragma once
// Printing through the SBI.

#include "isa/types.hpp"

#include <concepts>
#include <string_view>

namespace uc::mini {

/// Chooses DBCN where the firmware has it, else the legacy console. Before this call the legacy console is used.
void console_init();

/// Writes bytes that lie in the direct map.
void console_write(std::string_view text);

/// Prints as 0x...
struct Hex {
    u64 value;
};

/// A line under construction; what does not fit is cut off.
class Line {
  public:
    void add(std::string_view text);
    void add(Hex hex) { add_number(hex.value, 16); }
    void add(std::integral auto number) { add_number(static_cast<u64>(number), 10); }
    [[nodiscard]] std::string_view text() const { return {buffer_, length_}; }

  private:
    void add_number(u64 value, unsigned base);

    char buffer_[512];
    usize length_ = 0;
};

/// Prints one line made of strings, unsigned numbers and Hex.
template <class... Parts>
void print(const Parts&... parts) {
    Line line;
    (line.add(parts), ...);
    line.add("\n");
    console_write(line.text());
}

/// Ends the machine: a broken invariant of this kernel.
[[noreturn]] void panic(std::string_view why);

/// Ends the machine with the result, as the last thing printed (main.cpp).
[[noreturn]] void finish(bool pass);

}  // namespace uc::mini
