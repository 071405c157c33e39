// SPDX-License-Identifier: MIT
#pragma once
// A hart on which tests play the guest.

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "hv/terminal.hpp"
#include "hv/trap_handler.hpp"
#include "isa/sbi.hpp"

namespace uc::test {

constexpr TrapInfo exception(Cause cause, u64 stval = 0) { return {Scause::of(cause), stval, {}}; }
constexpr TrapInfo interrupt(Irq irq) { return {Scause::of(irq), 0, {}}; }

/// The guest's ecall, as hardware reports it whatever the guest's privilege.
template <class... Args>
TrapInfo sbi_ecall(GuestHart& hart, sbi::Ext ext, u64 fid, Args... args) {
    unsigned reg = 10;
    (hart.set_x(reg++, static_cast<u64>(args)), ...);
    hart.set_x(16, fid);
    hart.set_x(17, static_cast<u64>(ext));
    return exception(Cause::EcallFromU);
}

inline TrapInfo shut_down(GuestHart& hart) {
    return sbi_ecall(hart, sbi::Ext::Srst, sbi::srst::Reset, sbi::srst::Shutdown, sbi::srst::None);
}

/// Plays `script`, and keeps a record of all that was asked of it. Time moves when a test or wait() moves it, cycles do
/// when a test moves them.
class FakePlatform final : public Platform {
  public:
    /// One stay in the guest: what it does to its registers, and how it leaves.
    using Stay = std::function<TrapInfo(GuestHart&)>;
    struct Entry {
        GuestHart hart;
        u64 host_satp;
    };

    std::deque<Stay> script;
    std::deque<std::function<void()>> events;  ///< what ends each wait(); none left: the timer does

    std::vector<Entry> entries;
    std::vector<TlbFlush> flushes;
    std::vector<u64> flushed_under;  ///< the translation in use at each flush
    unsigned waits = 0;
    unsigned fences_i = 0;
    std::vector<const VcpuFrame*> put_aways;
    unsigned interrupts = 0;  ///< sent to this hart

    static constexpr u64 kParked = 0;  ///< `host_satp` when no guest's tables are in use
    u64 host_satp = kParked;
    u64 now = 1000;
    u64 cycles = 0;
    u64 spend = 0;  ///< cycles that an exit takes which does not lead to the run loop
    u64 deadline = ~0ull;
    u64 pending = 0;                       ///< SSI and SEI; the timer's follows from `deadline`
    TerminalListener* terminal = nullptr;  ///< to be told of SEI
    std::array<u64, 32> f{};
    std::map<CsrNo, u64> csrs;  ///< counters and the CSRs of F and V

    void use_translation(u64 satp) override { host_satp = satp; }
    void run(VcpuFrame& frame) override {
        TrapInfo trap;
        do trap = enter(frame);
        while (handle_trap(frame, trap, cycles, [this] { return cycles += spend; }));
    }
    u64 exit_clock() override { return cycles; }
    TrapInfo enter(VcpuFrame& frame) {
        entries.push_back({frame.hart, host_satp});
        if (script.empty()) {
            ADD_FAILURE() << "the guest is entered once more than the script says";
            if (++unforeseen_ > 10) std::abort();  // and does not take the hint
            frame.hart.priv = Priv::S;
            return shut_down(frame.hart);
        }
        const Stay stay = std::move(script.front());
        script.pop_front();
        return stay(frame.hart);
    }
    void park() override { host_satp = kParked; }
    void put_away(VcpuFrame& frame) override { put_aways.push_back(&frame); }
    void interrupt() override {
        ++interrupts;
        pending |= irq_bit(Irq::SSI);
    }
    void set_timer(u64 at) override { deadline = std::min(deadline, at); }
    u64 timebase_hz() const override { return 10'000'000; }
    u64 take_interrupts() override {
        const bool due = now >= deadline;
        if (due) deadline = ~0ull;
        if ((pending & irq_bit(Irq::SEI)) != 0 && terminal != nullptr) terminal->terminal_interrupted();
        return std::exchange(pending, 0) | (due ? irq_bit(Irq::STI) : 0);
    }
    void wait() override {
        ++waits;
        if (!events.empty()) {
            const auto event = std::move(events.front());
            events.pop_front();
            event();
        } else if (deadline != ~0ull) {
            now = std::max(now, deadline);
        } else {
            std::fputs("the machine sleeps and nothing will wake it\n", stderr);
            std::abort();
        }
    }
    void fence_i() override { ++fences_i; }

    u64 time() override { return now; }
    u64 counter(CsrNo number) override { return csrs.at(number); }
    u64 read_fp(unsigned reg) override { return f.at(reg); }
    void write_fp(unsigned reg, u64 bits) override { f.at(reg) = bits; }
    u64 read_user_csr(CsrNo number) override { return csrs.at(number); }
    void write_user_csr(CsrNo number, u64 value) override { csrs[number] = value; }

  protected:
    void perform(const TlbFlush& flush) override {
        flushes.push_back(flush);
        flushed_under.push_back(host_satp);
    }

  private:
    unsigned unforeseen_ = 0;
};

}  // namespace uc::test
