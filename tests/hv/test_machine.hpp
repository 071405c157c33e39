// SPDX-License-Identifier: MIT
#pragma once
// All that a guest needs around it, made of fakes.

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "hv/guest.hpp"
#include "isa/pte.hpp"
#include "tests/hv/fake_platform.hpp"
#include "tests/hv/fake_terminal.hpp"
#include "tests/hv/lock_check.hpp"

namespace uc::test {

struct FakeWallClock final : WallClock {
    u64 ns = 1'000'000'000;
    u64 now_ns() override { return ns; }
};

/// A machine with an Sv48 MMU whose guests have Sv39, and whose memory holds no zeroes to rely on.
class TestMachine {
    struct Free {
        void operator()(std::byte* bytes) const { std::free(bytes); }
    };
    std::unique_ptr<std::byte, Free> bytes_;

  public:
    static constexpr Hpa kBase{0x40'0000'0000};
    static constexpr u64 kGuestMemory = 4 * kMiB;
    static constexpr Gpa kEntry{0x8020'0000};  ///< of raw kernels

    CheckLocks checked;
    FakePlatform platform;
    FakeTerminal terminal;
    Console console{terminal};
    FakeWallClock clock;
    HostMemory memory;
    GuestEnvironment environment;

    /// With `size` bytes of memory, a multiple of 2 MiB.
    explicit TestMachine(u64 size = 22 * kMiB)
        : bytes_(static_cast<std::byte*>(std::aligned_alloc(2 * kMiB, size))),
          memory(reinterpret_cast<u64>(bytes_.get()) - kBase.raw) {
        std::memset(bytes_.get(), 0xa5, size);
        memory.add({kBase, size});
        environment.platform = &platform;
        platform.terminal = &console;
        environment.memory = &memory;
        environment.console = &console;
        environment.wall_clock = &clock;
        environment.features = {.max_mode = SatpMode::Sv39, .asid_bits = 16, .fpu = true, .sstc = true};
        environment.isa = parse_riscv_isa("rv64imafdc_zicsr_zifencei_sstc");
        environment.timebase_hz = platform.timebase_hz();
        environment.window = {SatpMode::Sv48, 300, 1, &window_};
        environment.host_asid_bits = 16;
        the_log.set_sink(&console);
        the_log.set_level(LogLevel::Info);
    }
    ~TestMachine() { the_log.set_sink(nullptr); }
    TestMachine(const TestMachine&) = delete;
    TestMachine& operator=(const TestMachine&) = delete;

    /// What a guest called `name` with a small raw kernel asks for; it stays where it is.
    GuestConfig& config(std::string_view name = "guest0", u32 vcpus = 1) {
        GuestConfig& added = configs_.emplace_back();
        added.name = name;
        added.memory = kGuestMemory;
        added.vcpus = vcpus;
        added.kernel.data = kernel_;
        added.bootargs = "quiet";
        return added;
    }
    Guest& create(const GuestConfig& config, unsigned number = 0) {
        auto guest = Guest::create(config, environment, number);
        if (!guest) {
            ADD_FAILURE() << guest.error().text.view();
            std::abort();
        }
        for (Vcpu& vcpu : (*guest)->vcpus()) vcpu.platform = &platform;
        return **guest;
    }
    /// Starts it, whatever it is doing, as the machine does once no hart runs it.
    static bool start(Guest& guest) {
        if (guest.act(guest.live() ? GuestAction::Reset : GuestAction::Start)) guest.start_over();
        return guest.start().has_value();
    }
    /// A guest that waits at its first instruction, attached to the terminal.
    Guest& start(u32 vcpus = 1) {
        Guest& guest = create(config("guest0", vcpus));
        EXPECT_TRUE(start(guest));
        console.attach(&guest);
        return guest;
    }

    /// Everything printed so far.
    const std::string& output() {
        console.service();
        console.drain();
        return terminal.out;
    }
    Bytes kernel() const { return kernel_; }

  private:
    /// Nothing but ecalls.
    static std::vector<std::byte> ecalls() {
        std::vector<std::byte> code(4096);
        for (usize at = 0; at < code.size(); at += sizeof kEcall) std::memcpy(&code[at], &kEcall, sizeof kEcall);
        return code;
    }
    std::vector<std::byte> kernel_ = ecalls();
    Pte window_{{Pte::V.mask | Pte::R.mask | Pte::A.mask | Pte::G.mask}};
    std::list<GuestConfig> configs_;
};

/// Does what others have asked of the vCPU, as its hart would before it runs it.
inline void serve(Vcpu& vcpu) { vcpu.guest->serve_requests(vcpu, vcpu.mailbox.take()); }

/// Puts `insn` where the guest's pc, taken as a physical address, is.
inline void place(Guest& guest, Gpa pc, u32 insn) {
    EXPECT_TRUE(guest.ram().store<u16>(pc, static_cast<u16>(insn)));
    if ((insn & 3) == 3) {
        EXPECT_TRUE(guest.ram().store<u16>(pc + 2, static_cast<u16>(insn >> 16)));
    }
}

}  // namespace uc::test
