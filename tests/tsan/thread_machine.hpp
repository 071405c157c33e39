// SPDX-License-Identifier: MIT
#pragma once
// The whole hypervisor but hv/arch, with threads for harts.

#include <list>

#include "hv/machine_view.hpp"
#include "hv/monitor.hpp"
#include "tests/hv/lock_check.hpp"
#include "tests/tsan/played_guest.hpp"
#include "tests/tsan/thread_terminal.hpp"

namespace uc::stress {

/// The machine's own clock, in the nanoseconds of time().
struct ThreadClock final : WallClock {
    u64 now_ns() override { return now() * 1000; }
};

class ThreadMachine final : public GuestPlayer {
  public:
    static constexpr unsigned kHarts = 3;

    ThreadMachine(std::span<const Part> cast, u64 seed);

    /// Runs until the machine is over. Meanwhile somebody types, who ends all by `quit` or leaves that to the guests.
    void run(const char* name, bool quit);
    /// For after run().
    [[nodiscard]] u64 done() const;

    void enter(Vcpu& vcpu, unsigned hart) override { played(vcpu).enter(vcpu, hart); }
    void leave(Vcpu& vcpu) override { played(vcpu).leave(vcpu); }
    TrapInfo play(Vcpu& vcpu) override { return played(vcpu).play(vcpu); }

  private:
    struct Free {
        void operator()(std::byte* bytes) const { std::free(bytes); }
    };
    static constexpr u64 kMemory = 48 * kMiB;
    static constexpr Hpa kBase{0x40'0000'0000};

    [[nodiscard]] PlayedGuest& played(const Vcpu& vcpu) { return *played_[vcpu.guest->number()]; }
    void add(const Part& part, HartMask may_have, u64 seed);
    void type(bool quit);
    void command(std::string_view text);
    [[nodiscard]] std::string random_command();
    [[nodiscard]] std::string describe();

    test::CheckLocks check_;
    std::unique_ptr<std::byte, Free> bytes_{static_cast<std::byte*>(std::aligned_alloc(2 * kMiB, kMemory))};
    std::vector<std::byte> kernel_ = make_kernel();
    std::list<GuestConfig> configs_;
    std::atomic<u64> progress_{0};
    std::atomic<unsigned> left_{0};  ///< harts that have left the run loop
    std::vector<std::unique_ptr<PlayedGuest>> played_;
    std::list<ThreadPlatform> platforms_;
    std::optional<ThreadTerminal> terminal_;
    std::optional<Console> console_;
    ThreadClock clock_;
    HostMemory memory_{reinterpret_cast<u64>(bytes_.get()) - kBase.raw};
    Pte window_{{Pte::V.mask | Pte::R.mask | Pte::A.mask | Pte::G.mask}};
    GuestEnvironment environment_;
    Options options_;
    std::optional<Machine> machine_;
    std::optional<MachineView> view_;
    std::optional<Monitor> monitor_;
    std::list<Runner> runners_;
    std::minstd_rand random_;
};

}  // namespace uc::stress
