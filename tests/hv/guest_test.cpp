// SPDX-License-Identifier: MIT
#include "hv/guest.hpp"

#include <gtest/gtest.h>
#include <libfdt.h>

#include "hv/exit.hpp"
#include "tests/hv/dts.hpp"
#include "tests/hv/test_machine.hpp"

namespace uc {
namespace {

using test::exception;
using test::sbi_ecall;
using test::TestMachine;

struct GuestTest : testing::Test {
    TestMachine machine;
    test::FakePlatform& platform = machine.platform;

    template <class... Args>
    static sbi::Ret call(Vcpu& vcpu, sbi::Ext ext, u64 fid, Args... args) {
        EXPECT_EQ(handle_exit(vcpu, sbi_ecall(vcpu.hart(), ext, fid, args...)), ExitReason::Sbi);
        return {static_cast<sbi::Error>(vcpu.hart().get_x(10)), vcpu.hart().get_x(11)};
    }
    static constexpr sbi::Ret kSuccess{};
};

u64 device_read(Guest& guest, Gpa address, unsigned width) {
    const auto target = guest.bus().find(address, width);
    return target ? target->device.read(target->offset, width).value_or(~0ull) : ~0ull;
}
void device_write(Guest& guest, Gpa address, unsigned width, u64 value) {
    const auto target = guest.bus().find(address, width);
    ASSERT_TRUE(target);
    EXPECT_TRUE(target->device.write(target->offset, width, value));
}

std::string_view chosen(Guest& guest, const char* property) {
    const std::byte* tree = guest.ram().pointer(Gpa{guest.vcpus()[0].hart().get_x(11)}, 4096);
    if (tree == nullptr || fdt_check_header(tree) != 0) return {};
    int length = 0;
    const void* value = fdt_getprop(tree, fdt_path_offset(tree, "/chosen"), property, &length);
    return value ? std::string_view(static_cast<const char*>(value), static_cast<usize>(length)) : std::string_view{};
}

bool holds(Guest& guest, Gpa at, Bytes bytes) {
    const std::byte* memory = guest.ram().pointer(at, bytes.size());
    return memory != nullptr && std::ranges::equal(bytes, std::span{memory, bytes.size()});
}

/// A device tree of exactly `size` bytes.
std::string tree_of(usize size) {
    std::string bytes(size, '\0');
    const auto write = [&](usize padding) {
        void* place = nullptr;
        return fdt_create(bytes.data(), static_cast<int>(size)) == 0 && fdt_finish_reservemap(bytes.data()) == 0 &&
               fdt_begin_node(bytes.data(), "") == 0 &&
               fdt_property_placeholder(bytes.data(), "padding", static_cast<int>(padding), &place) == 0 &&
               fdt_end_node(bytes.data()) == 0 && fdt_finish(bytes.data()) == 0;
    };
    EXPECT_TRUE(write(0));
    const usize rest = size - fdt_totalsize(bytes.data());
    EXPECT_TRUE(write(rest));
    EXPECT_EQ(fdt_totalsize(bytes.data()), size);
    return bytes;
}

/// Why a guest with `tree` as its own device tree cannot be created.
std::string create_error(TestMachine& machine, const std::string& tree) {
    const Blob blob("1234" + tree);  // as in an image tree, four bytes off
    GuestConfig& config = machine.config("web");
    config.kernel.load = kGuestRamBase;
    config.fdt.data = blob.bytes().subspan(4);
    return error_of(Guest::create(config, machine.environment));
}

// Creation.

TEST_F(GuestTest, MemoryThatTheMachineLacksIsAnErrorThatNamesIt) {
    GuestConfig& config = machine.config("greedy");
    config.memory = 64 * kMiB;
    const auto guest = Guest::create(config, machine.environment);
    ASSERT_FALSE(guest);
    const std::string text(guest.error().text.view());
    EXPECT_EQ(text.rfind("guest greedy: undercroft,memory: 64 MiB do not fit", 0), 0u) << text;
}

TEST_F(GuestTest, NothingStaysAllocatedForAGuestThatCannotBeCreated) {
    const u64 before = machine.memory.available();
    GuestConfig& config = machine.config("greedy");
    config.memory = before - 2 * kMiB;  // leaves nothing for its shadow tables and itself
    EXPECT_FALSE(Guest::create(config, machine.environment));
    EXPECT_EQ(machine.memory.available(), before);
    EXPECT_NE(create_error(machine, "no tree"), "");
    EXPECT_EQ(machine.memory.available(), before);
}

TEST_F(GuestTest, ImagesThatDoNotFitAreAnErrorBeforeAnyStart) {
    GuestConfig& config = machine.config("fat");
    config.kernel.load = kGuestRamBase + TestMachine::kGuestMemory - 8;
    const auto guest = Guest::create(config, machine.environment);
    ASSERT_FALSE(guest);
    EXPECT_EQ(guest.error().text.view().substr(0, 18), "guest fat: kernel:");
}

TEST_F(GuestTest, TreeThatCannotBeUsedIsAnErrorBeforeAnyStart) {
    const std::string good = compile_dts("/ { model = \"mine\"; };").string();
    EXPECT_EQ(create_error(machine, std::string(100, 'x')), "guest web: fdt: not a flattened device tree");
    EXPECT_EQ(create_error(machine, "short"), "guest web: fdt: only 5 bytes");
    EXPECT_EQ(create_error(machine, good.substr(0, good.size() - 1)),
              "guest web: fdt: cut off: " + std::to_string(good.size() - 1) + " of " + std::to_string(good.size()) +
                  " bytes are there");
    std::string corrupt = good;
    corrupt[fdt_off_dt_struct(good.data()) + 3] = 0x77;
    EXPECT_EQ(create_error(machine, corrupt), "guest web: fdt: corrupt: FDT_ERR_BADSTRUCTURE");
}

TEST_F(GuestTest, TreeWithoutRoomForChosenIsAnErrorBeforeAnyStart) {
    EXPECT_EQ(create_error(machine, tree_of(2 * kMiB + 4)), "guest web: fdt: 2097156 bytes are more than 2 MiB");
    EXPECT_EQ(create_error(machine, tree_of(2 * kMiB - 64)),
              "guest web: fdt: with its /chosen it does not fit into 2097152 bytes");
}

TEST_F(GuestTest, TreeThatCanBeUsedIsUsed) {
    const Blob blob(tree_of(2 * kMiB - 4096));
    GuestConfig& config = machine.config("web");
    config.kernel.load = kGuestRamBase;
    config.fdt.data = blob.bytes();
    Guest& guest = machine.create(config);
    ASSERT_TRUE(TestMachine::start(guest));
    EXPECT_EQ(guest.vcpus()[0].hart().get_x(11), kGuestRamBase.raw + 2 * kMiB);
    EXPECT_EQ(chosen(guest, "bootargs"), std::string_view("quiet\0", 6));
}

TEST_F(GuestTest, GeneratedTreeWithoutRoomForBootargsIsAnErrorBeforeAnyStart) {
    const std::string bootargs(2 * kMiB - 100, 'b');
    GuestConfig& config = machine.config("web");
    config.kernel.load = kGuestRamBase;
    config.bootargs = bootargs;
    EXPECT_EQ(error_of(Guest::create(config, machine.environment)),
              "guest web: device tree: with its /chosen it does not fit into 2097152 bytes");
}

TEST_F(GuestTest, GuestsShareNoMemory) {
    Guest& one = machine.create(machine.config("one"));
    Guest& two = machine.create(machine.config("two"));
    const Hpa a = one.ram().hpa(kGuestRamBase), b = two.ram().hpa(kGuestRamBase);
    EXPECT_GE(std::max(a, b) - std::min(a, b), TestMachine::kGuestMemory);
    EXPECT_LT(machine.memory.available(), 20 * kMiB - 2 * TestMachine::kGuestMemory);
}

// Starting.

TEST_F(GuestTest, StartsLikeAHartThatFirmwareLeft) {
    Guest& guest = machine.create(machine.config("guest0", 2));
    EXPECT_EQ(guest.state(), GuestState::Created);
    ASSERT_TRUE(TestMachine::start(guest));
    EXPECT_EQ(guest.state(), GuestState::Running);

    GuestHart expected;
    expected.pc = TestMachine::kEntry.raw;
    expected.set_x(11, guest.vcpus()[0].hart().get_x(11));
    EXPECT_EQ(guest.vcpus()[0].hart(), expected);
    EXPECT_TRUE(guest.vcpus()[0].runnable());
    EXPECT_FALSE(guest.vcpus()[1].runnable());
    EXPECT_EQ(guest.vcpus()[1].state, sbi::hsm::Stopped);
    EXPECT_EQ(chosen(guest, "bootargs"), std::string_view("quiet\0", 6));
    EXPECT_TRUE(holds(guest, TestMachine::kEntry, machine.kernel()));
}

TEST_F(GuestTest, EachStartHasASeedOfItsOwn) {
    Guest& guest = machine.start();
    const std::string first(chosen(guest, "rng-seed"));
    ASSERT_TRUE(TestMachine::start(guest));
    EXPECT_EQ(first.size(), 32u);
    EXPECT_NE(first, chosen(guest, "rng-seed"));
}

TEST_F(GuestTest, RestartingLeavesNothingOfTheLifeBefore) {
    Guest& guest = machine.start(2);
    Vcpu& vcpu = guest.vcpus()[0];
    const GuestHart fresh = vcpu.hart();
    constexpr Gpa kLineControl = kGuestUart + 3, kInterrupts = kGuestUart + 1, kScratch = kGuestUart + 7;
    constexpr Gpa kPriority = kGuestPlic + 4 * kGuestUartIrq, kEnable = kGuestPlic + 0x2080;
    constexpr Gpa kAlarmArmed = kGuestRtc + 0x18, kAlarm = kGuestRtc + 0x08, kClock = kGuestRtc;

    // A life: memory, registers, devices, a second vCPU, interrupts and shadow tables.
    constexpr Gpa kMark = TestMachine::kEntry + 0x800;
    ASSERT_TRUE(guest.ram().store<u64>(kMark, 0));
    vcpu.hart().x.fill(1);
    vcpu.frame.fp.fcsr = 0x60;
    vcpu.frame.vector.vstart = 3;
    vcpu.hart().sscratch = 1;
    vcpu.hart().sie.raw = vcpu.hart().sip.raw = irq_bit(Irq::SSI);
    EXPECT_EQ(call(vcpu, sbi::Ext::Hsm, sbi::hsm::Start, 1, TestMachine::kEntry.raw, 0), kSuccess);
    EXPECT_EQ(call(vcpu, sbi::Ext::Time, sbi::time::SetTimer, 0), kSuccess);
    device_write(guest, kPriority, 4, 1);
    device_write(guest, kEnable, 4, 1u << kGuestUartIrq);
    device_write(guest, kInterrupts, 1, 1);
    device_write(guest, kScratch, 1, 0x5a);
    device_write(guest, kLineControl, 1, 0x03);
    EXPECT_TRUE(guest.type('k'));
    device_write(guest, kClock, 4, 77);
    device_write(guest, kAlarm, 4, ~0u);
    test::serve(vcpu);
    EXPECT_EQ(vcpu.lines, irq_bit(Irq::STI) | irq_bit(Irq::SEI));
    vcpu.frame.home = &platform;
    vcpu.host_satp = guest.shadow().activate(0, vcpu.view()).host_satp;
    EXPECT_EQ(handle_exit(vcpu, exception(Cause::LoadPageFault, kGuestRamBase.raw)), ExitReason::ShadowFill);
    EXPECT_TRUE(guest.shadow().lookup(vcpu.view(), Gva{kGuestRamBase.raw}));
    vcpu.waiting = true;
    vcpu.translation_stale = false;
    platform.flushes.clear();

    ASSERT_TRUE(TestMachine::start(guest));
    EXPECT_EQ(vcpu.hart(), fresh);
    EXPECT_EQ(vcpu.lines, 0);
    EXPECT_TRUE(vcpu.runnable());
    EXPECT_TRUE(vcpu.translation_stale);
    EXPECT_EQ(vcpu.frame.fp.fcsr, 0u);
    EXPECT_EQ(vcpu.frame.vector.vstart, 0u);
    EXPECT_EQ(vcpu.frame.home, nullptr) << "what of them is in a hart is outdated";
    EXPECT_EQ(guest.vcpus()[1].state, sbi::hsm::Stopped);
    EXPECT_TRUE(holds(guest, TestMachine::kEntry, machine.kernel()));
    EXPECT_EQ(device_read(guest, kPriority, 4), 0);
    EXPECT_EQ(device_read(guest, kEnable, 4), 0);
    EXPECT_EQ(device_read(guest, kGuestPlic + 0x1000, 4), 0);
    EXPECT_EQ(device_read(guest, kInterrupts, 1), 0);
    EXPECT_EQ(device_read(guest, kScratch, 1), 0);
    EXPECT_EQ(device_read(guest, kLineControl, 1), 0);
    EXPECT_EQ(device_read(guest, kGuestUart, 1), 0);
    EXPECT_EQ(device_read(guest, kAlarmArmed, 4), 0);
    EXPECT_EQ(device_read(guest, kClock, 4), machine.clock.ns & 0xffff'ffff);
    EXPECT_FALSE(guest.shadow().lookup(vcpu.view(), Gva{kGuestRamBase.raw}));
    EXPECT_EQ(guest.shadow().pages_in_use(), 0u);
    // Whichever hart it comes to forgets what it knew.
    vcpu.mailbox.arrive(0);
    const Requests due = vcpu.mailbox.take();
    EXPECT_TRUE(due.has(Request::Fence) && due.has(Request::FenceI));
}

TEST_F(GuestTest, AMachineWithoutClockGivesItsGuestsNone) {
    machine.environment.wall_clock = nullptr;
    Guest& guest = machine.start();
    EXPECT_FALSE(guest.bus().find(kGuestRtc, 4));
    EXPECT_TRUE(guest.bus().find(kGuestUart, 1));
    guest.poll_devices(platform);
    EXPECT_EQ(platform.deadline, ~0ull);
}

// What a person may do to a guest.

/// A guest in that state.
Guest& guest_in(TestMachine& machine, GuestState state) {
    Guest& guest = machine.create(machine.config());
    const auto act = [&](GuestAction action) { EXPECT_TRUE(guest.act(action)); };
    if (state == GuestState::Created) return guest;
    if (state == GuestState::Starting) {
        act(GuestAction::Start);
        return guest;
    }
    EXPECT_TRUE(TestMachine::start(guest));
    Vcpu& vcpu = guest.vcpus()[0];
    switch (state) {
        case GuestState::Paused: act(GuestAction::Pause); break;
        case GuestState::Stopped: act(GuestAction::Stop); break;
        case GuestState::Reboot: act(GuestAction::Reset); break;
        case GuestState::Failed: guest.fail("why"); break;
        case GuestState::Shutdown: static_cast<void>(handle_exit(vcpu, test::shut_down(vcpu.hart()))); break;
        default: break;
    }
    return guest;
}

TEST(GuestActions, EachStateAllowsSome) {
    using S = GuestState;
    constexpr std::optional<S> no;
    struct Row {
        S from;
        std::array<std::optional<S>, 5> to;  ///< after Start, Stop, Pause, Resume, Reset
        bool live;
    };
    const Row rows[] = {
        {S::Created, {S::Starting, no, no, no, no}, false},
        {S::Starting, {no, S::Stopped, no, no, S::Reboot}, true},
        {S::Running, {no, S::Stopped, S::Paused, no, S::Reboot}, true},
        {S::Paused, {no, S::Stopped, no, S::Running, S::Reboot}, true},
        {S::Shutdown, {S::Starting, no, no, no, no}, false},
        {S::Stopped, {S::Starting, no, no, no, no}, false},
        {S::Reboot, {no, S::Stopped, no, no, S::Reboot}, true},
        {S::Failed, {S::Starting, no, no, no, no}, false},
    };
    constexpr GuestAction kActions[] = {GuestAction::Start, GuestAction::Stop, GuestAction::Pause, GuestAction::Resume,
                                        GuestAction::Reset};
    for (const Row& row : rows) {
        for (usize i = 0; i < row.to.size(); ++i) {
            TestMachine machine;
            Guest& guest = guest_in(machine, row.from);
            ASSERT_EQ(guest.state(), row.from);
            EXPECT_EQ(guest.live(), row.live) << name(row.from);
            EXPECT_EQ(guest.act(kActions[i]), row.to[i].has_value()) << name(row.from) << ' ' << i;
            EXPECT_EQ(guest.state(), row.to[i].value_or(row.from)) << name(row.from) << ' ' << i;
            EXPECT_EQ(guest.running(), guest.state() == S::Running);
        }
    }
}

TEST_F(GuestTest, EachLifeIsToldAnew) {
    Guest& guest = machine.start();
    EXPECT_FALSE(guest.was_told());
    guest.set_told();
    ASSERT_TRUE(TestMachine::start(guest));
    EXPECT_FALSE(guest.was_told());
}

TEST_F(GuestTest, VectorRegistersAreApartAndHoldNothingOfBefore) {
    constexpr u64 kBytes = 16;
    machine.environment.vlenb = kBytes;
    Guest& guest = machine.create(machine.config("guest0", 2));
    std::byte *first = guest.vcpus()[0].frame.vector.v, *second = guest.vcpus()[1].frame.vector.v;
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(second - first, static_cast<std::ptrdiff_t>(kVectorRegisters * kBytes));
    const auto zero = [](std::byte b) { return b == std::byte{0}; };
    EXPECT_TRUE(std::all_of(first, second + kVectorRegisters * kBytes, zero));
    ASSERT_TRUE(TestMachine::start(guest));  // which uses all its memory for metadata
    EXPECT_TRUE(std::all_of(first, second + kVectorRegisters * kBytes, zero));
}

// What SBI calls do to a guest.

TEST_F(GuestTest, HartsStartOnceAndStop) {
    Guest& guest = machine.start(2);
    Vcpu &first = guest.vcpus()[0], &second = guest.vcpus()[1];
    second.hart().satp.raw = 1;
    second.hart().priv = Priv::U;
    second.translation_stale = false;
    const auto start = [&] { return call(first, sbi::Ext::Hsm, sbi::hsm::Start, 1, TestMachine::kEntry.raw, 42); };
    EXPECT_EQ(start(), kSuccess);
    EXPECT_EQ(second.state, sbi::hsm::StartPending);
    EXPECT_EQ(start().error, sbi::Error::AlreadyAvailable);
    EXPECT_EQ(second.hart().priv, Priv::U) << "its own hart changes it";
    test::serve(second);
    EXPECT_TRUE(second.runnable());
    EXPECT_TRUE(second.translation_stale);
    EXPECT_EQ(second.hart().pc, TestMachine::kEntry.raw);
    EXPECT_EQ(second.hart().get_x(10), 1);
    EXPECT_EQ(second.hart().get_x(11), 42);
    EXPECT_EQ(second.hart().priv, Priv::S);
    EXPECT_EQ(second.hart().satp, Satp{});
    EXPECT_EQ(start().error, sbi::Error::AlreadyAvailable);

    static_cast<void>(call(second, sbi::Ext::Hsm, sbi::hsm::Stop));
    EXPECT_FALSE(second.runnable());
    EXPECT_EQ(second.hart().pc, TestMachine::kEntry.raw);  // the call does not return
    EXPECT_EQ(call(first, sbi::Ext::Ipi, sbi::ipi::SendIpi, 2, 0), kSuccess);
    test::serve(second);
    EXPECT_EQ(second.hart().sip, Sip{});
    EXPECT_EQ(start(), kSuccess);
}

TEST_F(GuestTest, SuspendedHartsWaitAndOnlySomeComeBackWhereTheyWere) {
    Guest& guest = machine.start();
    Vcpu& vcpu = guest.vcpus()[0];
    EXPECT_EQ(call(vcpu, sbi::Ext::Hsm, sbi::hsm::Suspend, sbi::hsm::kSuspendRetentive, 0, 0), kSuccess);
    EXPECT_TRUE(vcpu.waiting);
    EXPECT_EQ(vcpu.hart().pc, TestMachine::kEntry.raw + 4);

    vcpu.waiting = false;
    vcpu.translation_stale = false;
    const u64 resume = TestMachine::kEntry.raw + 0x100;
    static_cast<void>(call(vcpu, sbi::Ext::Hsm, sbi::hsm::Suspend, sbi::hsm::kSuspendNonRetentive, resume, 9));
    EXPECT_TRUE(vcpu.waiting);
    EXPECT_TRUE(vcpu.translation_stale);
    EXPECT_EQ(vcpu.hart().pc, resume);
    EXPECT_EQ(vcpu.hart().get_x(11), 9);
}

TEST_F(GuestTest, TheDebugConsoleIsTheTerminal) {
    Guest& guest = machine.start();
    Vcpu& vcpu = guest.vcpus()[0];
    const Gpa buffer = kGuestRamBase + 0x1000;
    ASSERT_TRUE(guest.ram().write(buffer, std::as_bytes(std::span{"hello", 5})));
    EXPECT_EQ(call(vcpu, sbi::Ext::Dbcn, sbi::dbcn::Write, 5, buffer.raw, 0), (sbi::Ret{sbi::Error::Success, 5}));
    EXPECT_EQ(call(vcpu, sbi::Ext::Dbcn, sbi::dbcn::WriteByte, '!'), kSuccess);
    EXPECT_EQ(machine.output(), "hello!");

    machine.terminal.type("abc");
    EXPECT_EQ(call(vcpu, sbi::Ext::Dbcn, sbi::dbcn::Read, 8, buffer.raw, 0), (sbi::Ret{sbi::Error::Success, 3}));
    EXPECT_TRUE(holds(guest, buffer, std::as_bytes(std::span{"abclo", 5})));
    EXPECT_EQ(call(vcpu, sbi::Ext::Dbcn, sbi::dbcn::Read, 8, buffer.raw, 0), (sbi::Ret{sbi::Error::Success, 0}));
}

TEST_F(GuestTest, AFullTerminalTakesWhatItCan) {
    Guest& guest = machine.start();
    Vcpu& vcpu = guest.vcpus()[0];
    const Gpa buffer = kGuestRamBase + 0x1000;
    constexpr u64 kRoom = OutputRing::kCapacity;
    EXPECT_EQ(call(vcpu, sbi::Ext::Dbcn, sbi::dbcn::Write, kRoom + 1, buffer.raw, 0),
              (sbi::Ret{sbi::Error::Success, kRoom}));
    const u64 pc = vcpu.hart().pc;
    static_cast<void>(call(vcpu, sbi::Ext::LegacyPutchar, 0, 'l'));
    EXPECT_EQ(vcpu.hart().pc, pc);  // again, until there is room
    EXPECT_EQ(machine.output(), std::string(kRoom, '\0'));
    static_cast<void>(call(vcpu, sbi::Ext::LegacyPutchar, 0, 'l'));
    EXPECT_EQ(vcpu.hart().pc, pc + 4);
    EXPECT_TRUE(machine.output().ends_with('l'));
}

TEST_F(GuestTest, LegacyMasksAreReadThroughTheGuestsTables) {
    Guest& guest = machine.start(2);
    Vcpu &first = guest.vcpus()[0], &second = guest.vcpus()[1];
    EXPECT_EQ(call(first, sbi::Ext::Hsm, sbi::hsm::Start, 1, TestMachine::kEntry.raw, 0), kSuccess);
    // One page at the top of the second gigabyte's first two megabytes, and nothing behind it.
    constexpr Gpa kTables = kGuestRamBase + 0x10'0000;
    constexpr Gpa kPage = kGuestRamBase + 0x20'0000;
    constexpr Gva kVa{0x401f'f000};
    const auto point = [&](unsigned level, Gpa to, u64 bits) {
        const Gpa table = kTables + (2 - level) * kPageSize;
        EXPECT_TRUE(guest.ram().write(table, std::vector<std::byte>(kPageSize)));
        EXPECT_TRUE(guest.ram().store<u64>(table + 8 * pte_index(kVa.raw, level), (to.frame() << Pte::PPN.lsb) | bits));
    };
    point(2, kTables + kPageSize, Pte::V.mask);
    point(1, kTables + 2 * kPageSize, Pte::V.mask);
    point(0, kPage, Pte::V.mask | Pte::R.mask | Pte::A.mask);
    first.hart().satp.set(Satp::MODE, static_cast<u64>(SatpMode::Sv39)).set(Satp::PPN, kTables.frame());

    EXPECT_TRUE(guest.ram().store<u64>(kPage + 8, 2));
    EXPECT_EQ(call(first, sbi::Ext::LegacySendIpi, 0, kVa.raw + 8).error, sbi::Error::Success);
    test::serve(second);
    EXPECT_EQ(second.hart().sip.get(Sip::SSIP), 1);
    EXPECT_EQ(first.hart().sip.get(Sip::SSIP), 0);

    const u64 pc = first.hart().pc;
    const Gva across = kVa + kPageSize - 4;
    static_cast<void>(call(first, sbi::Ext::LegacySendIpi, 0, across.raw));
    EXPECT_EQ(first.hart().scause, Scause::of(Cause::LoadPageFault));
    EXPECT_EQ(first.hart().stval, across.raw + 4);
    EXPECT_EQ(first.hart().sepc, pc);
}

TEST_F(GuestTest, RemoteFencesReachTheShadowUpToTheLastAddress) {
    Guest& guest = machine.start();
    Vcpu& vcpu = guest.vcpus()[0];
    constexpr Gpa kTables = kGuestRamBase + 0x10'0000;
    constexpr Gva kLast{0xffff'ffff'ffff'f000};
    const Gpa root_entry = kTables + 8 * 511;
    // Three levels whose last entries lead to each other, and the topmost page to the RAM.
    const auto leaf_at = kTables + 2 * kPageSize + 8 * 511;
    const u64 leaf = kGuestRamBase.frame() << Pte::PPN.lsb | Pte::V.mask | Pte::R.mask | Pte::A.mask;
    EXPECT_TRUE(guest.ram().write(kTables, std::vector<std::byte>(3 * kPageSize)));
    EXPECT_TRUE(guest.ram().store<u64>(root_entry, (kTables.frame() + 1) << Pte::PPN.lsb | Pte::V.mask));
    EXPECT_TRUE(guest.ram().store<u64>(root_entry + kPageSize, (kTables.frame() + 2) << Pte::PPN.lsb | Pte::V.mask));
    EXPECT_TRUE(guest.ram().store<u64>(leaf_at, leaf));
    // The tables map themselves nowhere: stores to them come from another address space, here none at all.
    const auto fill = [&] {
        vcpu.hart().satp.set(Satp::MODE, static_cast<u64>(SatpMode::Sv39)).set(Satp::PPN, kTables.frame());
        static_cast<void>(guest.shadow().activate(0, vcpu.view()));
        EXPECT_EQ(handle_exit(vcpu, exception(Cause::LoadPageFault, kLast.raw)), ExitReason::ShadowFill);
        EXPECT_TRUE(guest.shadow().lookup(vcpu.view(), kLast));
    };
    const auto store_to_leaf = [&](u64 value) {
        const Shadow::View bare;
        static_cast<void>(guest.shadow().activate(0, bare));
        static_cast<void>(guest.shadow().handle_fault(0, bare, Gva{leaf_at.raw}, Access::Store));
        EXPECT_TRUE(guest.ram().store<u64>(leaf_at, value));
        static_cast<void>(guest.shadow().activate(0, vcpu.view()));
    };
    for (const u64 size : {u64{kPageSize}, 1000 * kPageSize, SfenceRange::kEverything}) {
        store_to_leaf(leaf);
        fill();
        store_to_leaf(0);
        platform.flushes.clear();
        const u64 start = size == SfenceRange::kEverything ? 0 : 0 - size;
        EXPECT_EQ(call(vcpu, sbi::Ext::Rfence, sbi::rfence::SfenceVma, 1, 0, start, size), kSuccess);
        EXPECT_FALSE(guest.shadow().lookup(vcpu.view(), kLast)) << size;
        EXPECT_FALSE(platform.flushes.empty()) << size;
    }
    EXPECT_TRUE(guest.shadow().check_invariants());
    const unsigned before = platform.fences_i;
    EXPECT_EQ(call(vcpu, sbi::Ext::Rfence, sbi::rfence::FenceI, 1, 0), kSuccess);
    EXPECT_EQ(platform.fences_i, before + 1);
}

TEST_F(GuestTest, KeysThatFirmwareCallsAskForComeFromThePortFirst) {
    Guest& guest = machine.start();
    Vcpu& vcpu = guest.vcpus()[0];
    machine.terminal.type("ab");
    machine.console.service();  // one byte goes to the port, the other waits
    EXPECT_EQ(static_cast<u64>(call(vcpu, sbi::Ext::LegacyGetchar, 0).error), 'a');
    EXPECT_EQ(static_cast<u64>(call(vcpu, sbi::Ext::LegacyGetchar, 0).error), 'b');
    EXPECT_EQ(static_cast<i64>(call(vcpu, sbi::Ext::LegacyGetchar, 0).error), -1);
}

}  // namespace
}  // namespace uc
