// SPDX-License-Identifier: MIT
#include "emul/mmio.hpp"

#include "emul/goldfish_rtc.hpp"
#include "emul/manager_device.hpp"
#include "emul/plic.hpp"
#include "emul/syscon.hpp"
#include "emul/uart16550.hpp"
#include "tests/emul/fake_host.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace uc;
using fuzz::require;

/// The devices of `virt`, and an outside that the fuzzer moves.
struct Machine final : ExternalLine, ConsolePort, ResetLine, WallClock {
    Plic plic{2, *this};
    Uart16550 uart{plic, 10, *this};
    Syscon syscon{*this};
    GoldfishRtc rtc{plic, 11, *this};
    ManagerDevice manager;
    Bus bus;
    bool seip[2]{};
    bool has_room = true;
    u64 now = 0;

    Machine() {
        require(bus.add(Gpa{0x0010'0000}, Syscon::kSize, syscon));
        require(bus.add(Gpa{0x0010'1000}, GoldfishRtc::kSize, rtc));
        require(bus.add(Gpa{0x0010'2000}, manager::kSize, manager));
        require(bus.add(Gpa{0x0c00'0000}, Plic::kSize, plic));
        require(bus.add(Gpa{0x1000'0000}, Uart16550::kSize, uart));
    }
    void set_seip(unsigned vcpu, bool level) override {
        require(vcpu < 2 && seip[vcpu] != level);
        seip[vcpu] = level;
    }
    bool write(u8) override { return has_room; }
    void request_reset(ResetRequest) override {}
    u64 now_ns() override { return now; }
};

/// An address near the devices' registers, most of the time inside them.
Gpa any_address(fuzz::Input& input) {
    constexpr u64 kNear[] = {0x0010'0000, 0x0010'1000, 0x0010'2000, 0x0010'2800, 0x0010'2f80, 0x0c00'0000,
                             0x0c00'1000, 0x0c00'2080, 0x0c20'1000, 0x0c20'3000, 0x1000'0000};
    const u8 choice = input.take<u8>();
    if (choice >= 0xf0) return Gpa{input.take<u64>()};
    return Gpa{kNear[choice % std::size(kNear)] + input.take<u8>()};
}

void access(Machine& m, GuestHart& hart, test::FakeHost& host, fuzz::Input& input) {
    const u32 word = input.take<u32>();
    const Gpa gpa = any_address(input);
    const Gva gva{input.take<u64>()};
    const std::optional<MemoryInsn> insn = decode_memory(word);
    if (!insn) return;
    const GuestHart before = hart;
    const Outcome outcome = access_device(hart, host, m.bus, *insn, gpa, gva);
    require(hart.x[0] == 0 && hart.pc == before.pc);
    switch (outcome.kind) {
        case Outcome::Kind::Advance:
            require(outcome == Outcome::advance(insn->length));
            if (insn->access == Access::Store) require(hart == before);
            break;
        case Outcome::Kind::Inject:
            require(outcome == Outcome::inject({access_fault(insn->access), gva.raw}));
            require(hart == before);
            break;
        default: require(outcome == Outcome::retry() && insn->fp && hart == before); break;
    }
}

/// What others rely on: a call is there once; while SEIP is high there is something to claim, and it can be completed.
void check(Machine& m) {
    if (const auto call = m.manager.take_call()) m.manager.finish({sbi::Error::Failed, call->function});
    require(!m.manager.take_call());
    for (unsigned vcpu = 0; vcpu < 2; ++vcpu) {
        if (!m.seip[vcpu]) continue;
        const u64 claim = 0x201004 + 0x2000 * vcpu;
        const std::optional<u64> source = m.plic.read(claim, 4);
        require(source.has_value() && *source > 0 && *source < Plic::kSources);
        require(m.plic.write(claim, 4, *source));
    }
}

}  // namespace

// Loads and stores of every encoding at devices, with bytes typed, room made and time passing in between.
extern "C" int LLVMFuzzerTestOneInput(const u8* data, usize size) {
    fuzz::Input input(data, size);
    Machine m;
    GuestHart hart;
    test::FakeHost host;
    for (unsigned n = 1; n < 32; ++n) hart.x[n] = host.f[n] = input.take<u16>();
    hart.sstatus.set(Sstatus::FS, input.take<u8>());
    while (!input.empty()) {
        switch (input.take<u8>() % 8) {
            case 0: {
                const bool fits = m.uart.room() > 0;
                require(m.uart.receive(input.take<u8>()) == fits);
                break;
            }
            case 1:
                m.has_room = input.take<u8>() & 1;
                require(m.uart.drain() || !m.has_room);
                break;
            case 2:
                m.now += input.take<u32>();
                m.rtc.poll();
                if (const auto deadline = m.rtc.deadline()) require(*deadline >= m.now);
                break;
            case 3: m.plic.set(input.take<u8>(), input.take<u8>() & 1); break;
            case 4: check(m); break;
            default: access(m, hart, host, input); break;
        }
    }
    return 0;
}
