// SPDX-License-Identifier: MIT
// The first program: runs the others one after the other and prints how each ended. One at a time, so that the lines
// come in the same order on every machine.

#include "guest-images/minikernel/user/user.hpp"

#include <algorithm>

using namespace uc;
using namespace uc::mini;

namespace {

class Text {
  public:
    Text& operator<<(std::string_view text) {
        length_ = static_cast<usize>(std::copy(text.begin(), text.end(), buffer_ + length_) - buffer_);
        return *this;
    }
    Text& operator<<(u64 number) {
        if (number >= 10) *this << number / 10;
        buffer_[length_++] = static_cast<char>('0' + number % 10);
        return *this;
    }
    void print() const { write(kConsole, buffer_, length_); }

  private:
    char buffer_[128];
    usize length_ = 0;
};

bool run(std::string_view name, bool quiet) {
    const u64 code = in_child([&] {
        exec(name);
        return 99;
    });
    if (code != 0)
        (Text{} << "FAIL user-" << name << ": exit code " << code << "\n").print();
    else if (!quiet)
        (Text{} << "ok user-" << name << "\n").print();
    return code == 0;
}

}  // namespace

u64 program(u64 quiet) {
    u64 failures = 0;
    for (const std::string_view name :
         {"calls", "exec", "demand", "cow", "forktree", "sieve", "sleeper", "preempt", "fp", "faults"})
        failures += run(name, quiet != 0) ? 0 : 1;
    return failures;
}
