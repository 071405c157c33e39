// SPDX-License-Identifier: MIT
// Guests that print anything and a person who types anything, with the monitor between them.

#include "hv/monitor.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/hv/fake_monitor_target.hpp"
#include "tests/hv/fake_terminal.hpp"

namespace {

using namespace uc;
using fuzz::require;

constexpr std::string_view kLogLine = "[uc] a line\x7f of the log\r\n";  // no guest prints the like

struct Guest final : ConsoleClient {
    unsigned room = 0;  ///< for keys
    bool type(u8 /*byte*/) override { return room != 0 && room-- != 0; }
    void resume_output() override {}
};

/// The console attaches guests as the machine would.
struct Target final : test::FakeMonitorTarget {
    Console* console = nullptr;
    std::array<Guest, 2> guests;
    void attach(usize guest) override { console->attach(&guests[guest]); }
};

class Scene {
  public:
    explicit Scene(fuzz::Input input) : input_(input) {
        target_.console = &console_;
        for (usize i = 0; i < target_.guests.size(); ++i) console_.add(target_.guests[i], target_.all[i].name);
        console_.set_prompt(&monitor_);
    }
    void play() {
        while (!input_.empty()) act(input_.take<u8>());
        console_.drain();
        require(lines_of_log() == logged_);
    }

  private:
    void act(u8 what) {
        Guest& guest = target_.guests[what >> 7];
        switch (what & 7) {
            case 0: terminal_.room = 1 + input_.take<u8>(); break;
            case 1: guest.room = what >> 3 & 15; break;
            case 2: log(); break;
            case 3: console_.attach((what & 8) != 0 ? &guest : nullptr); break;
            case 4: (what & 8) != 0 ? console_.end_line(guest) : monitor_.tick(u64{what} << 28); break;
            case 5: print(guest, what >> 3 & 15); break;
            default: type(what >> 3 & 15);
        }
        console_.service();
        console_.offer_input();
    }
    void log() {
        console_.write("[uc] a line\x7f ");
        console_.write("of the log\n");
        ++logged_;
    }
    void print(Guest& guest, unsigned bytes) {
        while (bytes-- != 0) {
            const u8 byte = input_.take<u8>();
            while (byte != 0x7f && !console_.put(guest, byte)) console_.service();
        }
    }
    void type(unsigned keys) {
        while (keys-- != 0) terminal_.typed.push_back(input_.take<u8>());
    }
    // Those that stand at the left edge, whole.
    unsigned lines_of_log() const {
        unsigned count = 0;
        const std::string_view out = terminal_.out;
        for (usize at = 0; (at = out.find(kLogLine, at)) != out.npos; at += kLogLine.size()) {
            const std::string_view before = out.substr(0, at);
            count += before.empty() || before.ends_with('\n') || before.ends_with('\r') || before.ends_with("\r\x1b[K");
        }
        return count;
    }

    fuzz::Input input_;
    test::FakeTerminal terminal_;
    Console console_{terminal_};
    Target target_;
    Monitor monitor_{target_, console_.prompt_sink()};
    unsigned logged_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, usize size) {
    Scene(fuzz::Input(data, size)).play();
    return 0;
}
