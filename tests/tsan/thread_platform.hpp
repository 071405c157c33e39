// SPDX-License-Identifier: MIT
#pragma once
// A hart that is a thread: interrupts come from other threads, sleeping takes time, and the guest is made up.

#include "hv/terminal.hpp"
#include "hv/trap_handler.hpp"
#include "tests/hv/register_free_platform.hpp"
#include "tests/tsan/stress.hpp"

namespace uc::stress {

/// What the guests do that run here.
class GuestPlayer {
  public:
    /// `vcpu` is entered, and left, on the hart `hart`.
    virtual void enter(Vcpu& vcpu, unsigned hart) = 0;
    virtual void leave(Vcpu& vcpu) = 0;
    /// What it does next, up to and with its trap.
    virtual TrapInfo play(Vcpu& vcpu) = 0;

  protected:
    ~GuestPlayer() = default;
};

/// `time` counts microseconds, the clock of exits nanoseconds.
class ThreadPlatform final : public test::RegisterFreePlatform {
  public:
    static constexpr u64 kHz = 1'000'000;
    static constexpr u64 kParked = 0;

    ThreadPlatform(GuestPlayer& player, unsigned number) : player_(player), number_(number) {}

    // Any thread.
    void interrupt() override { raise(Irq::SSI); }
    void raise(Irq irq) {
        const std::lock_guard guard(mutex_);
        pending_.fetch_or(irq_bit(irq));
        wake_.notify_one();
    }
    u64 time() override { return now(); }

    // The hart's own thread.
    /// Told of external interrupts.
    void set_terminal(TerminalListener& listener) { terminal_ = &listener; }
    /// Interrupts that wait for the hypervisor, as bits of sip.
    [[nodiscard]] u64 pending() const { return pending_.load() | (now() >= deadline_ ? irq_bit(Irq::STI) : 0); }

    void use_translation(u64 satp) override { satp_ = satp; }
    void run(VcpuFrame& frame) override {
        Vcpu& vcpu = Vcpu::of(frame);
        if (satp_ == kParked || satp_ != vcpu.host_satp) fail("a guest is entered on tables of another");
        player_.enter(vcpu, number_);
        TrapInfo trap;
        do trap = player_.play(vcpu);
        while (handle_trap(frame, trap, exit_clock(), [this] { return exit_clock(); }));
        player_.leave(vcpu);
    }
    u64 exit_clock() override { return now_ns(); }
    void park() override { satp_ = kParked; }
    void put_away(VcpuFrame& frame) override { frame.home = this; }
    void set_timer(u64 at) override { deadline_ = std::min(deadline_, at); }
    u64 timebase_hz() const override { return kHz; }
    u64 take_interrupts() override {
        u64 taken = pending_.exchange(0);
        if (now() >= deadline_) {
            deadline_ = ~0ull;
            taken |= irq_bit(Irq::STI);
        }
        if ((taken & irq_bit(Irq::SEI)) != 0 && terminal_ != nullptr) terminal_->terminal_interrupted();
        return taken;
    }
    void wait() override {
        constexpr u64 kLongest = 1'000'000;
        std::unique_lock lock(mutex_);
        while (pending() == 0) {
            const u64 time = now();
            const u64 left = std::min(deadline_ - std::min(deadline_, time), kLongest);
            wake_.wait_for(lock, std::chrono::microseconds(left));
        }
    }
    u64 counter(CsrNo) override { return now_ns(); }

  private:
    [[nodiscard]] static u64 now_ns() {
        const auto t = std::chrono::steady_clock::now().time_since_epoch();
        return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(t).count());
    }

    GuestPlayer& player_;
    const unsigned number_;
    TerminalListener* terminal_ = nullptr;
    u64 satp_ = kParked;
    u64 deadline_ = ~0ull;
    std::atomic<u64> pending_{0};
    std::mutex mutex_;
    std::condition_variable wake_;
};

}  // namespace uc::stress
