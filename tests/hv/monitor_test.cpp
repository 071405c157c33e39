// SPDX-License-Identifier: MIT
#include "hv/monitor.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/hv/fake_monitor_target.hpp"
#include "tests/hv/fake_screen.hpp"
#include "tests/hv/fake_terminal.hpp"

namespace uc {
namespace {

struct Output final : TextSink {
    std::string text;
    void write(std::string_view part) override { text += part; }
};

class MonitorTest : public testing::Test {
  protected:
    test::FakeMonitorTarget target;
    Output out;
    Monitor monitor{target, out};

    /// What a command prints.
    std::string run(std::string_view line) {
        out.text.clear();
        stays = monitor.execute(line);
        return out.text;
    }
    bool stays = true;
};

TEST_F(MonitorTest, ListsAndExplainsCommands) {
    const std::string all = run("help");
    for (const char* name :
         {"help", "guests", "vcpus", "console", "start", "stop", "pause", "resume", "reset", "destroy", "create",
          "memory", "stats", "trace", "pt", "regs", "mem", "loglevel", "quit"}) {
        EXPECT_NE(("\n" + all).find("\n  " + std::string(name) + " "), std::string::npos) << name;
    }
    EXPECT_EQ(run("help pause"), "  pause NAME            halt a guest where it is\n");
    EXPECT_EQ(run("help nothing"), "there is no command nothing; help lists them\n");
    usize longest = 0;
    for (usize at = 0, end; (end = all.find('\n', at)) != std::string::npos; at = end + 1)
        longest = std::max(longest, end - at);
    EXPECT_LT(longest, LineEditor::kColumns);
}

TEST_F(MonitorTest, TakesCommandsCutShort) {
    EXPECT_EQ(run("g"), run("guests"));
    EXPECT_EQ(run("  gue  "), run("guests"));
    EXPECT_EQ(run("sta"), "sta could be start, stats\n");
    EXPECT_EQ(run("xyz"), "there is no command xyz; help lists them\n");
    EXPECT_EQ(run("guestss"), "there is no command guestss; help lists them\n");
    EXPECT_EQ(run(""), "");
    EXPECT_EQ(run("   "), "");
    EXPECT_TRUE(stays);
}

TEST_F(MonitorTest, SaysHowACommandIsUsed) {
    EXPECT_EQ(run("start"), "usage: start NAME\n");
    EXPECT_EQ(run("start alpha beta"), "usage: start NAME\n");
    EXPECT_EQ(run("guests now"), "usage: guests\n");
    EXPECT_EQ(run("mem alpha"), "usage: mem NAME GPA [BYTES]\n");
    EXPECT_EQ(run("mem a b c d e f g h i j k"), "usage: mem NAME GPA [BYTES]\n");
    EXPECT_EQ(run("stats alpha beta"), "usage: stats [NAME] [-w]\n");
}

TEST_F(MonitorTest, ListsGuests) {
    EXPECT_EQ(run("guests"),
              "   no name              state          memory  vCPUs\n"
              "*   0 alpha             running       256 MiB      2\n"
              "    1 beta              stopped        64 MiB      1\n");
}

TEST_F(MonitorTest, ListsVcpus) {
    EXPECT_EQ(run("vcpus"),
              "guest             vCPU state       hart        exits pc\n"
              "alpha                0 running        3        12345 0xffffffff80000000 S\n"
              "alpha                1 running        3        12345 0xffffffff80000000 S\n"
              "beta                 0 stopped        -            0 0x0000000000001234 U  warnings: 2\n");
    EXPECT_EQ(run("vcpus 1"),
              "guest             vCPU state       hart        exits pc\n"
              "beta                 0 stopped        -            0 0x0000000000001234 U  warnings: 2\n");
}

TEST_F(MonitorTest, ActsOnGuestsByNameAndNumber) {
    EXPECT_EQ(run("start beta"), "beta: started\n");
    EXPECT_EQ(run("stop 0"), "alpha: stopped\n");
    EXPECT_EQ(run("pause 0x1"), "beta: paused\n");
    EXPECT_EQ(run("resume beta"), "beta: resumed\n");
    EXPECT_EQ(run("reset alpha"), "alpha: reset\n");
    EXPECT_EQ(run("destroy alpha"), "alpha: being destroyed\n");
    EXPECT_EQ(run("create alpha"), "alpha: being created\n");
    EXPECT_EQ(target.asked, "1:0 0:1 1:2 1:3 0:4 0:5 0:6 ");
    target.problem = "it is not running";
    EXPECT_EQ(run("pause alpha"), "alpha: it is not running\n");
}

TEST_F(MonitorTest, TellsWhereMemoryWent) {
    target.machine_memory = {1024 * kMiB, 700 * kMiB, 690 * kMiB, 5 * kMiB, 0};
    EXPECT_EQ(run("memory"),
              "machine: 1048576 KiB, 716800 KiB free, 706560 KiB in the largest block for a guest\n"
              "hypervisor: 5120 KiB\n"
              "guest                   RAM     serving it   tables       of  copies timers starts\n"
              "alpha                64 MiB       3072 KiB        5      512       2      1      9\n"
              "beta                 64 MiB       3072 KiB        5      512       2      1      9\n");
    target.machine_memory.lost = 8 * kKiB;
    EXPECT_NE(run("memory").find("\nof that lost to fragmentation: 8 KiB\n"), std::string::npos);
}

TEST_F(MonitorTest, AGuestWithoutVcpusHasNoneToLookInto) {
    target.all[1] = {"beta", "destroyed", false, 0, 0};
    EXPECT_EQ(run("regs beta"), "beta has no vCPUs: it is destroyed\n");
    EXPECT_EQ(run("pt beta 0x1000"), "beta has no vCPUs: it is destroyed\n");
}

TEST_F(MonitorTest, NamesTheGuestsThereAre) {
    EXPECT_EQ(run("start foo"), "no guest is called foo; there are: alpha, beta\n");
    EXPECT_EQ(run("start 2"), "there is no guest 2; guests lists them\n");
    target.all[0].name = "1";
    EXPECT_EQ(run("stop 1"), "1: stopped\n");
    EXPECT_EQ(target.asked, "0:1 ") << "a name comes before a number";
    target.all.clear();
    EXPECT_EQ(run("start foo"), "no guest is called foo; there are: none\n");
}

TEST_F(MonitorTest, GivesTheTerminalAway) {
    EXPECT_EQ(run("console beta"), "beta has the terminal; Ctrl-] returns here\n");
    EXPECT_EQ(target.owner, 1u);
    EXPECT_FALSE(stays);
    run("guests");
    EXPECT_TRUE(stays);
    run("console gamma");
    EXPECT_TRUE(stays);
}

TEST_F(MonitorTest, ChangesTheLogLevel) {
    EXPECT_EQ(run("loglevel debug"), "");
    EXPECT_EQ(target.level, LogLevel::Debug);
    run("loglevel error");
    EXPECT_EQ(target.level, LogLevel::Error);
    EXPECT_EQ(run("loglevel loud"), "there is no level loud: error, warn, info and debug are\n");
}

TEST_F(MonitorTest, QuitAsksOnceWhileGuestsRun) {
    EXPECT_EQ(run("quit"), "not ended yet: alpha; quit again ends it\n");
    EXPECT_TRUE(stays);
    run("guests");
    run("quit");
    EXPECT_FALSE(target.ended);
    EXPECT_EQ(run("q"), "");
    EXPECT_TRUE(target.ended);
    EXPECT_FALSE(stays);
}

TEST_F(MonitorTest, QuitEndsAMachineWithoutGuestsAtOnce) {
    target.all[0].live = false;
    EXPECT_EQ(run("quit"), "");
    EXPECT_TRUE(target.ended);
}

TEST_F(MonitorTest, CountsExits) {
    target.counts[static_cast<usize>(ExitReason::Csr)] = {2, 3000};
    target.counts[static_cast<usize>(ExitReason::ShadowFill)] = {1, 0};
    EXPECT_EQ(run("stats"),
              "alpha: 3 exits\n"
              "  cause                count    share       mean\n"
              "  csr                      2   66.6 %       1500 ns\n"
              "  shadow-fill              1   33.3 %          -\n"
              "beta: 0 exits\n");
    EXPECT_EQ(run("stats beta"), "beta: 0 exits\n");
    EXPECT_FALSE(monitor.watching());
}

TEST_F(MonitorTest, WatchesExitsUntilAKey) {
    monitor.open();
    for (const char c : std::string("stats -w beta\r")) EXPECT_TRUE(monitor.type(static_cast<u8>(c)));
    EXPECT_TRUE(monitor.watching());
    EXPECT_TRUE(out.text.ends_with("beta: 0 exits\n(any key ends this)\n"));
    const std::string frame = "\x1b[H\x1b[2Jbeta: 0 exits\n(any key ends this)\n";
    out.text.clear();
    monitor.hide();
    monitor.show();
    monitor.tick(500);
    monitor.tick(500 + Monitor::kWatchPeriodNs - 1);
    EXPECT_EQ(out.text, "");
    monitor.tick(500 + Monitor::kWatchPeriodNs);
    monitor.tick(501 + Monitor::kWatchPeriodNs);
    EXPECT_EQ(out.text, frame);
    out.text.clear();
    EXPECT_TRUE(monitor.type('q'));
    EXPECT_FALSE(monitor.watching());
    EXPECT_EQ(out.text, "\ruc> \x1b[K");
    monitor.tick(~0ull);
    EXPECT_EQ(out.text, "\ruc> \x1b[K");
}

TEST_F(MonitorTest, ShowsTheLastExits) {
    const auto add = [&](u64 pc, Scause cause, ExitReason reason, u16 guest, u64 ns) {
        const u64 number = target.exits.size();
        const ExitRecord record{.pc = pc, .scause = cause.raw, .stval = number, .guest = guest, .reason = reason};
        target.exits.push_back({record, 2, number, 1'000'000'000 + 5 * number, ns});
    };
    EXPECT_EQ(run("trace"), "no exits are kept\n");
    add(0, {}, ExitReason::Count, 0, 0);
    add(0x8020'0000, Scause::of(Cause::IllegalInstruction), ExitReason::Wfi, 0, 123);
    add(0xffff'ffff'8000'0004, Scause::of(Irq::STI), ExitReason::Timer, 0, 0);
    add(0x1000, {{24}}, ExitReason::GuestException, 1, 1234567);
    const std::string heading =
        "         time (s) hart guest:vCPU     cause       trap                pc                 stval"
        "                     ns\n";
    const std::string wfi =
        "     1.000000005     2 alpha:0        wfi         illegal instruction 0x0000000080200000 0x0000000000000001"
        "       123\n";
    const std::string timer =
        "     1.000000010     2 alpha:0        timer       timer interrupt     0xffffffff80000004 0x0000000000000002"
        "         -\n";
    const std::string exception =
        "     1.000000015     2 beta:0         exception   exception 24        0x0000000000001000 0x0000000000000003"
        "   1234567\n";
    EXPECT_EQ(run("trace"), heading + wfi + timer + exception);
    EXPECT_EQ(run("trace 2"), heading + timer + exception);
    EXPECT_EQ(run("trace 1 alpha"), heading + timer);
    EXPECT_EQ(run("trace 99999999 beta"), heading + exception);
    EXPECT_EQ(run("trace 0"), heading);
    EXPECT_EQ(run("trace x"), "x is no number, as 42 or 0x2a would be\n");
    // The sums are zlib's.
    EXPECT_EQ(run("trace dump"),
              "uct:b 1 4 *6dc6313c\n"
              "uct:g 0 alpha *be30e445\n"
              "uct:g 1 beta *ff161f51\n"
              "uct:m 2 0 1000000000 0 0 *5d9a1776\n"
              "uct:x 2 1 1000000005 0 0 123 wfi 2 80200000 1 *384e7be6\n"
              "uct:x 2 2 1000000010 0 0 0 timer 8000000000000005 ffffffff80000004 2 *8a10432e\n"
              "uct:x 2 3 1000000015 1 0 1234567 exception 18 1000 3 *17e001de\n"
              "uct:e 4 *c4b4da10\n");
}

TEST_F(MonitorTest, ShowsTranslationsSideBySide) {
    MonitorWalk& w = target.translation;
    w.asid = 3;
    w.guest.mode = SatpMode::Sv39;
    w.guest.entry[2] = Pte{{0x2000'0c01}};
    w.guest.entry[0] = Pte{{0x2008'00cf}};
    w.guest.result = 0x8020'0234;
    w.shadow.mode = SatpMode::Sv48;
    w.shadow.entry[0] = Pte{{0x4008'00d7}};
    EXPECT_EQ(run("pt alpha 0xffffffff80200234 1"),
              "alpha vCPU 1: address 0xffffffff80200234, ASID 3\n"
              "  level   guest: Sv39                   shadow: Sv48\n"
              "      3   -                             -\n"
              "      2   0x0000000020000c01 -------V   -\n"
              "      1   -                             -\n"
              "      0   0x00000000200800cf DA--XWRV   0x00000000400800d7 DA-U-WRV\n"
              "  to      0x80200234                    nowhere\n");
    EXPECT_EQ(run("pt alpha 1 2"), "alpha has no vCPU 2: it has 2\n");
    EXPECT_EQ(run("pt alpha here"), "here is no number, as 42 or 0x2a would be\n");
    target.problem = "it was never started";
    EXPECT_EQ(run("pt beta 0"), "beta: it was never started\n");
}

TEST_F(MonitorTest, ShowsRegisters) {
    target.hart.pc = 0x8020'0000;
    target.hart.set_x(31, 7);
    target.hart.stval = 9;
    const std::string shown = run("regs alpha 1");
    EXPECT_EQ(target.asked, "0.1");
    EXPECT_TRUE(
        shown.starts_with("alpha vCPU 1: pc 0x80200000 in S-mode\n"
                          "  zero        0x0000000000000000    ra          0x0000000000000000\n"))
        << shown;
    EXPECT_NE(shown.find("    t6          0x0000000000000007\n  sstatus     0x"), std::string::npos) << shown;
    EXPECT_NE(shown.find("    stval       0x0000000000000009\n"), std::string::npos) << shown;
    target.problem = "its vCPU does not stop";
    EXPECT_EQ(run("regs alpha"), "alpha: its vCPU does not stop\n");
}

TEST_F(MonitorTest, ShowsMemory) {
    EXPECT_EQ(run("mem alpha 0x80000041 20"),
              "0x80000041  41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f 50   ABCDEFGHIJKLMNOP\n"
              "0x80000051  51 52 53 54                                       QRST\n");
    EXPECT_EQ(std::ranges::count(run("mem alpha 0x80000000"), '\n'), 8);
    EXPECT_EQ(run("mem alpha 2147487743 1"), "0x80000fff  ff                                                .\n");
    EXPECT_EQ(run("mem alpha 0x80001000"), "0x80001000 is not memory of alpha\n");
    EXPECT_EQ(run("mem alpha 0x80000ff8 16"), "0x80000ff8 is not memory of alpha\n");
    EXPECT_EQ(run("mem alpha 0xfffffffffffffff8 4096"), "0xfffffffffffffff8 is not memory of alpha\n");
    EXPECT_EQ(run("mem alpha 0x80000000 4097"), "at most 4096 bytes at once\n");
    EXPECT_EQ(run("mem alpha 0x80000000 0"), "");
    EXPECT_EQ(run("mem alpha 80000000x"), "80000000x is no number, as 42 or 0x2a would be\n");
}

struct Collected final : Candidates {
    std::vector<std::string> words;
    void add(std::string_view word) override { words.emplace_back(word); }
};

TEST_F(MonitorTest, CompletesCommandsGuestsAndLevels) {
    const auto complete = [&](std::string_view before) {
        Collected collected;
        monitor.complete(before, collected);
        return collected.words;
    };
    EXPECT_EQ(complete("").size(), 19u);
    EXPECT_EQ(complete("help ").size(), 19u);
    const std::vector<std::string> guests{"alpha", "beta"};
    for (const char* line : {"start ", "console ", "sto ", "stats ", "mem ", "regs ", "trace 5 "}) {
        EXPECT_EQ(complete(line), guests) << line;
    }
    EXPECT_EQ(complete("loglevel "), (std::vector<std::string>{"error", "warn", "info", "debug"}));
    for (const char* line :
         {"guests ", "nothing ", "st ", "start alpha ", "trace ", "trace 5 alpha ", "mem a b c d e f g h "})
        EXPECT_EQ(complete(line).size(), 0u) << line;
}

/// The monitor in its place.
class MonitorOnConsole : public testing::Test {
  protected:
    struct Guest final : ConsoleClient {
        std::string got;
        bool type(u8 byte) override {
            got += static_cast<char>(byte);
            return true;
        }
        void resume_output() override {}
    };
    test::FakeTerminal terminal;
    Console console{terminal};
    test::FakeMonitorTarget target;
    Monitor monitor{target, console.prompt_sink()};
    Guest alpha;

    MonitorOnConsole() {
        console.add(alpha, "alpha");
        console.attach(&alpha);
        console.set_prompt(&monitor);
    }
    void type(std::string_view keys) {
        terminal.type(keys);
        console.service();
    }
    std::string text() {
        console.drain();
        test::FakeScreen screen;
        screen.write(std::exchange(terminal.out, ""));
        return screen.text();
    }
    void print(std::string_view text) {
        for (const char c : text) {
            while (!console.put(alpha, static_cast<u8>(c))) console.service();
        }
    }
};

TEST_F(MonitorOnConsole, IsAPromptAmidOutput) {
    print("login: ");
    type("\x1dpa\tal");
    print("booting\r\nmore\r\n");
    console.write("[uc] a line\n");
    type("\t\r");
    EXPECT_EQ(text(), "login:\nlogin: booting\nmore\n[uc] a line\nuc> pause alpha\nalpha: paused\nuc>");
    EXPECT_EQ(target.asked, "0:2 ");
    type("start foo\r");
    EXPECT_EQ(text(), "start foo\nno guest is called foo; there are: alpha, beta\nuc>");
    print("$ ");
    type("\x04");
    type("ls");
    EXPECT_EQ(text(), "\n$");
    EXPECT_EQ(alpha.got, "ls");
}

TEST_F(MonitorOnConsole, EscapesToTheGuest) {
    print("$ ");
    type("\x1d\x1d");
    EXPECT_EQ(alpha.got, "\x1d");
    EXPECT_EQ(text(), "$\n$");
    type("\x1dhalf a line\x1dx");
    EXPECT_EQ(alpha.got, "\x1dx");
    type("\x1d");
    EXPECT_EQ(text(), "\n$\nuc>");
}

TEST_F(MonitorOnConsole, StopsWatchingWhenItIsClosed) {
    type("\x1dstats -w\r");
    EXPECT_TRUE(monitor.watching());
    print("a line\n");
    type("\x1d");
    EXPECT_FALSE(monitor.watching());
    print("$ ");
    EXPECT_TRUE(text().ends_with("(any key ends this)\na line\n$"));
    type("\x1d");
    EXPECT_EQ(text(), "\nuc>");
}

TEST_F(MonitorOnConsole, SurvivesAnything) {
    std::mt19937 random(11);
    constexpr std::string_view kKeys = "\x1d\r\t\x03\x04 alphbetsucmr0123x-w\x1b[ABCD";
    for (int step = 0; step < 20'000; ++step) {
        const unsigned choice = static_cast<unsigned>(random());
        const char c = (choice & 7) == 0 ? static_cast<char>(choice >> 8) : kKeys[(choice >> 8) % kKeys.size()];
        type({&c, 1});
        if ((choice & 31) == 1) print("some output\nwithout an end");
        if ((choice & 31) == 2) console.write("[uc] line\n");
        if ((choice & 31) == 3) monitor.tick(step * Monitor::kWatchPeriodNs);
        if ((choice & 255) == 4) console.attach((choice & 256) != 0 ? &alpha : nullptr);
        console.drain();
        terminal.out.clear();
        alpha.got.clear();
    }
}

}  // namespace
}  // namespace uc
