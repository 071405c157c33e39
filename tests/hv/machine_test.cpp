// SPDX-License-Identifier: MIT
#include "hv/machine.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/emul/insn.hpp"
#include "tests/hv/dts.hpp"
#include "tests/hv/machine_scene.hpp"

namespace uc {
namespace {

using test::enable;
using test::exception;
using test::interrupt;
using test::kData;
using test::kPlicClaim;
using test::kPlicEnable;
using test::kPlicPriority;
using test::kVector;
using test::place;
using test::sbi_ecall;
using test::shut_down;

using MachineTest = test::MachineScene;

// How guests, and the machine with them, end.

struct End {
    const char* name;
    TrapInfo (*leave)(GuestHart&, Guest&);
    const char* output;
    MachineEnd end;
};

TrapInfo reset(GuestHart& hart, sbi::srst::Type type, sbi::srst::Reason reason) {
    return sbi_ecall(hart, sbi::Ext::Srst, sbi::srst::Reset, type, reason);
}

TrapInfo store_to_syscon(GuestHart& hart, Guest& guest, u32 value) {
    constexpr u32 kSw = 0x0080'2023;
    place(guest, Gpa{hart.pc}, kSw);
    hart.set_x(kData, value);
    return exception(Cause::StorePageFault, kGuestSyscon.raw);
}

constexpr End kEnds[] = {
    {"Srst", [](GuestHart& h, Guest&) { return reset(h, sbi::srst::Shutdown, sbi::srst::None); },
     "[uc] guest0: shutdown\r\n", MachineEnd::Success},
    {"SrstFailure", [](GuestHart& h, Guest&) { return reset(h, sbi::srst::Shutdown, sbi::srst::SystemFailure); },
     "[uc] guest0: failed: the guest reported a system failure\r\n", MachineEnd::Failure},
    {"Legacy", [](GuestHart& h, Guest&) { return sbi_ecall(h, sbi::Ext::LegacyShutdown, 0); },
     "[uc] guest0: shutdown\r\n", MachineEnd::Success},
    {"SysconPoweroff", [](GuestHart& h, Guest& g) { return store_to_syscon(h, g, Syscon::kPoweroff); },
     "[uc] guest0: shutdown\r\n", MachineEnd::Success},
    {"SysconFail", [](GuestHart& h, Guest& g) { return store_to_syscon(h, g, 5 << 16 | Syscon::kFail); },
     "[uc] guest0: failed: the guest reported a failure to its test device\r\n", MachineEnd::Failure},
};

struct EndTest : MachineTest, testing::WithParamInterface<End> {};

TEST_P(EndTest, IsPrintedAndPassedOn) {
    Guest& guest = add();
    then([&](GuestHart& hart) { return GetParam().leave(hart, guest); });
    EXPECT_EQ(run(), GetParam().end);
    EXPECT_TRUE(host.output().starts_with(GetParam().output)) << host.output();
}

INSTANTIATE_TEST_SUITE_P(Every, EndTest, testing::ValuesIn(kEnds), [](const auto& info) { return info.param.name; });

TEST_F(MachineTest, TheWorstEndWinsWhicheverCameFirst) {
    for (const bool fail_first : {true, false}) {
        test::TestMachine two;
        Machine both(two.platform, two.console, options);
        Runner both_runner(both, two.platform, 0, 0);
        both.add(both_runner);
        two.environment.keeper = &both;
        EXPECT_TRUE(both.add(two.create(two.config("one"))));
        EXPECT_TRUE(both.add(two.create(two.config("two"))));
        const auto fail = [](GuestHart& h) { return reset(h, sbi::srst::Shutdown, sbi::srst::SystemFailure); };
        two.platform.script = {shut_down, shut_down};
        two.platform.script[fail_first ? 0 : 1] = fail;
        EXPECT_TRUE(both.start());
        both_runner.run();
        EXPECT_EQ(both.claim_end(), MachineEnd::Failure);
        const std::string& out = two.output();
        EXPECT_NE(out.find(fail_first ? "[uc] two: shutdown" : "[uc] one: shutdown"), std::string::npos) << out;
        EXPECT_NE(out.find(fail_first ? "[uc] one: failed" : "[uc] two: failed"), std::string::npos) << out;
    }
}

TEST_F(MachineTest, AFailedGuestIsRestartedAsOftenAsItsConfigurationSays) {
    GuestConfig& config = host.config("phoenix");
    config.restarts = 2;
    EXPECT_TRUE(machine.add(host.create(config)));
    for (int life = 0; life < 3; ++life) {
        then([](GuestHart& h) { return reset(h, sbi::srst::Shutdown, sbi::srst::SystemFailure); });
    }
    EXPECT_EQ(run(), MachineEnd::Failure);
    const std::string& out = host.output();
    unsigned failures = 0, restarts = 0;
    for (usize at = 0; (at = out.find("phoenix: failed", at)) != std::string::npos; ++at) ++failures;
    for (usize at = 0; (at = out.find("phoenix: restarted", at)) != std::string::npos; ++at) ++restarts;
    EXPECT_EQ(failures, 3u);
    EXPECT_EQ(restarts, 2u);
}

TEST_F(MachineTest, NobodyIsRestartedOnceAllIsToEnd) {
    GuestConfig& config = host.config("phoenix");
    config.restarts = 1;
    Guest& guest = host.create(config);
    EXPECT_TRUE(machine.add(guest));
    then([&](GuestHart& h) {
        machine.quit();
        return reset(h, sbi::srst::Shutdown, sbi::srst::SystemFailure);
    });
    EXPECT_EQ(run(), MachineEnd::Failure);
    EXPECT_EQ(guest.state(), GuestState::Failed);
    EXPECT_TRUE(host.output().starts_with("[uc] phoenix: failed: ")) << host.output();
    EXPECT_EQ(host.output().find("restarted"), std::string::npos) << host.output();
}

TEST_F(MachineTest, ARestartThatGoesWellIsNoFailure) {
    GuestConfig& config = host.config("phoenix");
    config.restarts = 1;
    EXPECT_TRUE(machine.add(host.create(config)));
    then([](GuestHart& h) { return reset(h, sbi::srst::Shutdown, sbi::srst::SystemFailure); });
    then(shut_down);
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_NE(host.output().find("[uc] phoenix: the last of its exits:\r\n[uc] "), std::string::npos) << host.output();
    EXPECT_NE(host.output().find("phoenix:0      sbi         ecall from U        0x"), std::string::npos)
        << host.output();
}

TEST_F(MachineTest, AGuestThatCannotStartFailsAndTheOthersRun) {
    GuestConfig& broken = host.config("broken");
    std::string tree = compile_dts("/ { };").string();
    broken.fdt.data = std::as_bytes(std::span{tree});
    EXPECT_TRUE(machine.add(host.create(broken)));
    std::ranges::fill(tree, 'x');  // the payload must stay as it is; when it does not, only the start tells
    add("sound");
    then(shut_down);
    EXPECT_EQ(run(), MachineEnd::Failure);
    EXPECT_NE(host.output().find("[uc] broken: failed: "), std::string::npos) << host.output();
    EXPECT_NE(host.output().find("[uc] sound: shutdown"), std::string::npos) << host.output();
}

TEST_F(MachineTest, StoppedGuestsAreNotStarted) {
    GuestConfig& idle = host.config("idle");
    idle.stopped = true;
    Guest& guest = host.create(idle);
    EXPECT_TRUE(machine.add(guest));
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(guest.state(), GuestState::Created);
    EXPECT_TRUE(platform.entries.empty());
}

TEST_F(MachineTest, RebootStartsTheGuestAgain) {
    Guest& guest = add();
    for (const sbi::srst::Type type : {sbi::srst::ColdReboot, sbi::srst::WarmReboot}) {
        then([type](GuestHart& hart) {
            hart.x.fill(0xdead);
            hart.set_x(0, 0);
            hart.sscratch = hart.sepc = 0xdead;
            hart.priv = Priv::S;
            hart.sie.raw = irq_bit(Irq::SSI);
            return reset(hart, type, sbi::srst::None);
        });
    }
    then_store(guest, kGuestSyscon, Syscon::kReboot);
    then(shut_down);
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(host.output(),
              "[uc] guest0: reboot\r\n[uc] guest0: reboot\r\n[uc] guest0: reboot\r\n[uc] guest0: shutdown\r\n");
    for (usize i = 1; i < 4; ++i) EXPECT_EQ(at_entry(i), at_entry(0)) << i;
    EXPECT_EQ(at_entry(0).pc, test::TestMachine::kEntry.raw);
}

TEST_F(MachineTest, ARebootThatFailsEndsTheGuest) {
    std::vector<std::byte> tree(4096);
    ASSERT_EQ(fdt_create_empty_tree(tree.data(), static_cast<int>(tree.size())), 0);
    GuestConfig& config = host.config();
    config.fdt.data = tree;
    EXPECT_TRUE(machine.add(host.create(config)));
    then([&](GuestHart& hart) {
        tree.assign(tree.size(), std::byte{0});
        return reset(hart, sbi::srst::ColdReboot, sbi::srst::None);
    });
    EXPECT_EQ(run(), MachineEnd::Failure);
    EXPECT_NE(host.output().find("[uc] guest0: reboot\r\n[uc] guest0: failed: "), std::string::npos) << host.output();
}

TEST_F(MachineTest, StatisticsCountExits) {
    options.stats = true;
    add();
    then_execute(test::csr_insn(test::kCsrrs, CsrNo::sscratch, 1, 0));
    then_execute(test::csr_insn(test::kCsrrs, CsrNo::sscratch, 1, 0));
    then(shut_down);
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_NE(host.output().find("[uc] guest0: exits csr 2\r\n"), std::string::npos) << host.output();
    EXPECT_NE(host.output().find("[uc] guest0: exits sbi 1\r\n"), std::string::npos) << host.output();
}

TEST_F(MachineTest, StatisticsTellTheMeanOfWhatWasTimed) {
    options.stats = true;
    platform.spend = 33;
    add();
    then_execute(test::csr_insn(test::kCsrrs, CsrNo::sscratch, 1, 0));
    then_execute(test::csr_insn(test::kCsrrs, CsrNo::sscratch, 1, 0));
    then(shut_down);
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_NE(host.output().find("[uc] guest0: exits csr 2 mean 33 ns\r\n"), std::string::npos) << host.output();
}

// Translation.

TEST_F(MachineTest, EachViewHasARootThatIsFoundAgain) {
    Guest& guest = add();
    constexpr Gpa kRoot{0x8010'0000};
    constexpr u32 set = test::csr_insn(test::kCsrrs, CsrNo::sstatus, 0, 5);
    constexpr u32 clear = test::csr_insn(test::kCsrrc, CsrNo::sstatus, 0, 5);
    const auto then_with = [&](u64 x5, u32 insn) {
        then([x5, insn](GuestHart& hart) {
            hart.set_x(5, x5);
            return exception(Cause::IllegalInstruction, insn);
        });
    };
    then_with(static_cast<u64>(SatpMode::Sv39) << Satp::MODE.lsb | kRoot.frame(),
              test::csr_insn(test::kCsrrw, CsrNo::satp, 0, 5));
    then_with(Sstatus::SIE.mask, set);                              // 1: Sv39
    then_with(Sstatus::SUM.mask, set);                              // 2: SIE concerns nobody
    then_with(Sstatus::SUM.mask, clear);                            // 3: SUM
    then_with(Sstatus::MXR.mask, set);                              // 4: as 1
    then_with(Sstatus::MXR.mask, clear);                            // 5: MXR
    then_execute(test::kSret);                                      // 6: as 1
    then([](GuestHart&) { return exception(Cause::EcallFromU); });  // 7: user
    then_with(0, test::csr_insn(test::kCsrrw, CsrNo::satp, 0, 0));  // 8: as 1
    then(shut_down);                                                // 9: as 0
    EXPECT_TRUE(guest.ram().store<u64>(kRoot, 0));
    EXPECT_EQ(run(), MachineEnd::Success);

    const u64 bare = root_at_entry(0), kernel = root_at_entry(1), sum = root_at_entry(3), mxr = root_at_entry(5),
              user = root_at_entry(7);
    const std::set<u64> roots{bare, kernel, sum, mxr, user};
    EXPECT_EQ(roots.size(), 5u);
    for (const u64 root : roots) EXPECT_EQ(Satp{{root}}.mode(), SatpMode::Sv48);
    for (const usize again : {2, 4, 6, 8}) EXPECT_EQ(root_at_entry(again), kernel) << again;
    EXPECT_EQ(root_at_entry(9), bare);
}

TEST_F(MachineTest, KnownRootsAreEnteredWithoutFlush) {
    add();
    usize flushes = 0;
    then_execute(test::csr_insn(test::kCsrrs, CsrNo::sscratch, 1, 0));
    then([&](GuestHart&) {
        flushes = platform.flushes.size();
        return exception(Cause::IllegalInstruction, test::csr_insn(test::kCsrrs, CsrNo::sscratch, 1, 0));
    });
    then(shut_down);
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(platform.flushes.size(), flushes);
    EXPECT_EQ(root_at_entry(2), root_at_entry(1));
}

// Interrupts.

TEST_F(MachineTest, TheHostsTimerBecomesTheGuests) {
    add();
    then([&](GuestHart& hart) {
        enable(hart, Irq::STI);
        return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, platform.now + 100);
    });
    then([&](GuestHart&) {  // some other interrupt of the host's
        platform.now += 50;
        return interrupt(Irq::STI);
    });
    then([&](GuestHart& hart) {
        EXPECT_EQ(hart.pc, test::TestMachine::kEntry.raw + 4);
        platform.now += 50;
        return interrupt(Irq::STI);
    });
    then([&](GuestHart& hart) {
        EXPECT_EQ(hart.pc, kVector);
        EXPECT_EQ(hart.scause, Scause::of(Irq::STI));
        EXPECT_EQ(hart.sepc, test::TestMachine::kEntry.raw + 4);
        EXPECT_EQ(hart.sstatus.get(Sstatus::SIE), 0);
        // Setting it again lowers the line.
        return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, ~0ull);
    });
    then_execute(test::csr_insn(test::kCsrrs, CsrNo::sip, kData, 0));
    then([](GuestHart& hart) {
        EXPECT_EQ(hart.get_x(kData), 0);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(MachineTest, AMaskedTimerStaysPending) {
    add();
    then([&](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::LegacySetTimer, 0, platform.now); });
    then_execute(test::csr_insn(test::kCsrrs, CsrNo::sip, kData, 0));
    then([](GuestHart& hart) {
        EXPECT_EQ(hart.get_x(kData), irq_bit(Irq::STI));
        enable(hart, Irq::STI);
        return interrupt(Irq::SSI);
    });
    then([](GuestHart& hart) {
        EXPECT_EQ(hart.scause, Scause::of(Irq::STI));
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(MachineTest, KeysBecomeExternalInterrupts) {
    Guest& guest = add();
    host.console.attach(&guest);
    then_listen(guest);
    then([&](GuestHart& hart) {
        enable(hart, Irq::SEI);
        host.terminal.type("xyz");
        platform.pending = irq_bit(Irq::SEI);
        return interrupt(Irq::SEI);
    });
    then([&](GuestHart& hart) {
        EXPECT_EQ(hart.pc, kVector);
        EXPECT_EQ(hart.scause, Scause::of(Irq::SEI));
        return exception(Cause::IllegalInstruction, test::csr_insn(test::kCsrrs, CsrNo::sip, kData, 0));
    });
    then([&](GuestHart& hart) {
        EXPECT_EQ(hart.get_x(kData), irq_bit(Irq::SEI));
        return interrupt(Irq::SSI);
    });
    then_load(guest, kPlicClaim);
    then([](GuestHart& hart) {
        EXPECT_EQ(hart.get_x(kData), kGuestUartIrq);
        return interrupt(Irq::SSI);
    });
    // Without FIFOs the port takes a key when the one before has been read.
    for (const char key : {'x', 'y', 'z'}) {
        then_load(guest, kGuestUart);
        then([key](GuestHart& hart) {
            EXPECT_EQ(hart.get_x(kData), static_cast<u64>(key));
            return interrupt(Irq::SSI);
        });
    }
    then_store(guest, kPlicClaim, kGuestUartIrq);
    then_execute(test::csr_insn(test::kCsrrs, CsrNo::sip, kData, 0));
    then([](GuestHart& hart) {
        EXPECT_EQ(hart.get_x(kData), 0);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(MachineTest, ATerminalWithoutInterruptsIsPolled) {
    host.terminal.has_interrupts = false;
    Guest& guest = add();
    host.console.attach(&guest);
    const u64 period = platform.timebase_hz() / 100;
    for (int i = 0; i < 2; ++i) {
        then([&, period](GuestHart&) {
            EXPECT_EQ(platform.deadline, platform.now + period);
            platform.now = platform.deadline;
            host.terminal.type("k");
            return interrupt(Irq::STI);
        });
    }
    then_load(guest, kGuestUart);
    then([](GuestHart& hart) {
        EXPECT_EQ(hart.get_x(kData), 'k');
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

// Sleep.

TEST_F(MachineTest, WfiSleepsUntilTheTimer) {
    add();
    const u64 deadline = platform.now + 12345;
    then([&](GuestHart& hart) {
        hart.sie.raw = irq_bit(Irq::STI);
        return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, deadline);
    });
    then_execute(test::kWfi);
    then([&](GuestHart& hart) {  // enabled in sie, not in sstatus: it wakes and takes no trap
        EXPECT_EQ(platform.waits, 1u);
        EXPECT_EQ(platform.now, deadline);
        EXPECT_EQ(hart.pc, test::TestMachine::kEntry.raw + 8);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(MachineTest, WfiDoesNotSleepOverAPendingInterrupt) {
    add();
    then([&](GuestHart& hart) {
        hart.sie.raw = irq_bit(Irq::STI);
        return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, platform.now);
    });
    then_execute(test::kWfi);
    then(shut_down);
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(platform.waits, 0u);
}

TEST_F(MachineTest, WfiSleepsOnThroughInterruptsThatAreNotItsOwn) {
    Guest& guest = add();
    host.console.attach(&guest);
    then_listen(guest);
    then([&](GuestHart& hart) {
        enable(hart, Irq::SEI);
        platform.events = {[&] { platform.pending = irq_bit(Irq::SSI); },
                           [&] {
                               host.terminal.type("k");
                               platform.pending = irq_bit(Irq::SEI);
                           }};
        return exception(Cause::IllegalInstruction, test::kWfi);
    });
    then([&](GuestHart& hart) {
        EXPECT_EQ(platform.waits, 2u);
        EXPECT_EQ(hart.scause, Scause::of(Irq::SEI));
        EXPECT_EQ(hart.sepc, test::TestMachine::kEntry.raw + 16);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

TEST_F(MachineTest, AnAlarmOfTheClockWakesASleepingGuest) {
    Guest& guest = add();
    const Gpa irq_enable = kGuestRtc + 0x10, alarm_low = kGuestRtc + 0x08, alarm_high = kGuestRtc + 0x0c;
    constexpr u64 kDelay = 5'000'000;  // ns
    const u64 alarm = host.clock.ns + kDelay;
    const u64 asleep_since = platform.now;
    then_store(guest, kPlicPriority + 4 * kGuestRtcIrq, 1);
    then_store(guest, kPlicEnable, 1u << kGuestRtcIrq);
    then_store(guest, irq_enable, 1);
    then_store(guest, alarm_high, static_cast<u32>(alarm >> 32));
    then_store(guest, alarm_low, static_cast<u32>(alarm));
    then([&](GuestHart& hart) {
        enable(hart, Irq::SEI);
        const auto sleep = [&] {
            ASSERT_NE(platform.deadline, ~0ull);
            host.clock.ns += (platform.deadline - platform.now) * 100;  // a tick of 10 MHz
            platform.now = platform.deadline;
        };
        platform.events = {sleep};
        return exception(Cause::IllegalInstruction, test::kWfi);
    });
    then([&](GuestHart& hart) {
        EXPECT_EQ(hart.scause, Scause::of(Irq::SEI));
        EXPECT_GE(platform.now, asleep_since + kDelay / 100);
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
}

// More than one vCPU.

TEST_F(MachineTest, VcpusStartStopAndWakeEachOther) {
    static constexpr u64 kSecond = 0x8020'0800;
    add("guest0", 2);
    then([](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Start, 1, kSecond, 0x77); });
    then([](GuestHart& hart) {
        hart.sie.raw = irq_bit(Irq::SSI);
        return exception(Cause::IllegalInstruction, test::kWfi);
    });
    then([](GuestHart& hart) {
        EXPECT_EQ(hart.pc, kSecond);
        EXPECT_EQ(hart.get_x(10), 1u);
        EXPECT_EQ(hart.get_x(11), 0x77u);
        EXPECT_EQ(hart.satp, Satp{});
        EXPECT_EQ(hart.priv, Priv::S);
        return sbi_ecall(hart, sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, 0);
    });
    then([](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Stop); });
    then([](GuestHart& hart) {
        EXPECT_EQ(hart.pc, test::TestMachine::kEntry.raw + 8);
        EXPECT_EQ(hart.sip.get(Sip::SSIP), 1u);
        return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Status, 1);
    });
    then([](GuestHart& hart) {
        EXPECT_EQ(hart.get_x(11), static_cast<u64>(sbi::hsm::Stopped));
        return shut_down(hart);
    });
    EXPECT_EQ(run(), MachineEnd::Success);
    EXPECT_EQ(platform.waits, 0u);
}

}  // namespace
}  // namespace uc
