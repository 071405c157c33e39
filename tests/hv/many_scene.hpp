// SPDX-License-Identifier: MIT
#pragma once
// A scene of several guests with several vCPUs: who does what next, by name.

#include <string>
#include <utility>

#include "hv/machine_view.hpp"
#include "hv/monitor.hpp"
#include "tests/emul/insn.hpp"
#include "tests/hv/dts.hpp"
#include "tests/hv/machine_scene.hpp"

namespace uc::test {

inline constexpr u64 kEntry = TestMachine::kEntry.raw;
inline constexpr u64 kSecondEntry = kEntry + 0x800;  // where second vCPUs begin

struct ManyScene : MachineScene {
    MachineView view{machine, host.memory};
    Monitor monitor{view, host.console.prompt_sink()};

    /// How many guests get ASIDs.
    void share(unsigned guests) { host.environment.guests = guests; }
    std::string who() const {
        const Vcpu* vcpu = runner.current();
        return vcpu == nullptr ? "?" : std::string(vcpu->guest->name()) + std::to_string(vcpu->id);
    }
    /// A stay that must be `vcpu`'s, such as "guest01" or "a0".
    void then_as(const std::string& vcpu, test::FakePlatform::Stay stay) {
        then([this, vcpu, stay = std::move(stay)](GuestHart& hart) {
            EXPECT_EQ(who(), vcpu) << "at " << hart.pc;
            return stay(hart);
        });
    }
    /// It computes until the next timer interrupt, whatever that is for.
    void then_compute(const std::string& vcpu) {
        then_as(vcpu, [this](GuestHart&) {
            EXPECT_NE(platform.deadline, ~0ull);
            platform.now = std::max(platform.now, platform.deadline);
            return interrupt(Irq::STI);
        });
    }
    /// It waits for `irq`, which it does not take.
    void then_wait(const std::string& vcpu, Irq irq) {
        then_as(vcpu, [irq](GuestHart& hart) {
            hart.sie.raw = irq_bit(irq);
            return exception(Cause::IllegalInstruction, test::kWfi);
        });
    }
    void then_start_second(const std::string& vcpu) {
        then_as(vcpu,
                [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Start, 1, kSecondEntry, 0); });
    }
    void then_stop_hart(const std::string& vcpu) {
        then_as(vcpu, [](GuestHart& hart) { return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Stop); });
    }
    /// While it runs, somebody does `what`; then it is interrupted.
    void then_meanwhile(const std::string& vcpu, std::function<void()> what) {
        then_as(vcpu, [what = std::move(what)](GuestHart&) {
            what();
            return interrupt(Irq::SSI);
        });
    }
    void then_shut_down(const std::string& vcpu) { then_as(vcpu, shut_down); }
    void act(Guest& guest, GuestAction action) { EXPECT_TRUE(machine.act(guest, action)); }
    void type(std::string_view keys) {
        host.terminal.type(keys);
        platform.pending |= irq_bit(Irq::SEI);
    }
    bool printed(std::string_view text) { return host.output().find(text) != std::string::npos; }
    u64 slice() const { return platform.timebase_hz() / 100; }
};

}  // namespace uc::test
