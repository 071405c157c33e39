// SPDX-License-Identifier: MIT
// A guest that does anything at all: instructions, calls, accesses and stores to its own page tables, while keys are
// typed and time passes. Everything above the hardware is real.
#include <algorithm>
#include <array>

#include "hv/machine.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/hv/test_machine.hpp"

namespace {

using namespace uc;
using fuzz::require;

constexpr Gpa kTables = kGuestRamBase + 0x1'0000;  ///< page tables, if the guest makes any, are in these frames
constexpr u64 kFrames = 8;

/// Addresses that lead somewhere, and some that do not.
u64 any_address(fuzz::Input& input) {
    constexpr std::array<u64, 12> kPlaces{kGuestRamBase.raw,
                                          kTables.raw,
                                          test::TestMachine::kEntry.raw,
                                          kGuestUart.raw,
                                          kGuestPlic.raw,
                                          kGuestPlic.raw + 0x2080,
                                          kGuestPlic.raw + 0x20'1000,
                                          kGuestRtc.raw,
                                          kGuestSyscon.raw,
                                          kGuestRamBase.raw + test::TestMachine::kGuestMemory - 8,
                                          0xffff'ffff'ffff'f000,
                                          0};
    const u8 choice = input.take<u8>();
    const u64 base = choice < 0xe0 ? kPlaces[choice % kPlaces.size()] : input.take<u64>();
    return base + input.take<u8>();
}

/// Values for registers and page-table entries.
u64 any_value(fuzz::Input& input) {
    const u8 choice = input.take<u8>();
    const u64 frame = kTables.frame() + choice % kFrames;
    switch (choice >> 4 & 7) {
        case 0: return static_cast<u64>(SatpMode::Sv39) << Satp::MODE.lsb | u64{choice} << Satp::ASID.lsb | frame;
        case 1: return frame << Pte::PPN.lsb | Pte::V.mask;
        case 2: return frame << Pte::PPN.lsb | input.take<u8>();
        case 3: return kGuestRamBase.frame() << Pte::PPN.lsb | input.take<u8>();
        case 4: return any_address(input);
        case 5: return choice & 15;
        default: return input.take<u64>();
    }
}

/// Mostly instructions that mean something to the hypervisor.
u32 any_insn(fuzz::Input& input) {
    constexpr std::array<u32, 9> kSystem{0x1020'0073, 0x1050'0073, 0x1200'0073, 0x1205'0073, 0x120b'8073,
                                         0x1800'0073, 0x3020'0073, 0,           0x0000'100f};
    constexpr std::array<u32, 12> kCsrs{0x100, 0x104, 0x105, 0x106, 0x140, 0x141,
                                        0x142, 0x143, 0x144, 0x14d, 0x180, 0xc01};
    const u8 choice = input.take<u8>();
    if (choice < 0x40) return kSystem[choice % kSystem.size()];
    if (choice >= 0xe0) return input.take<u32>();
    const u32 registers_and_form = input.take<u16>() & 0x1f'ff;  // rs1 below 4, funct3, rd
    return kCsrs[choice % kCsrs.size()] << 20 | registers_and_form << 7 | 0x73;
}

class WildGuest {
  public:
    void play(fuzz::Input input) {
        input_ = &input;
        host_.terminal.typed.clear();
        host_.terminal.out.clear();
        host_.platform.entries.clear();
        host_.platform.flushes.clear();
        static const std::array<std::byte, kFrames * kPageSize> kZeroes{};
        require(guest_.ram().write(kTables, kZeroes));
        host_.platform.script = {[this](GuestHart& hart) { return stay(hart); }};
        host_.platform.events = {[this] { sleep(); }};
        Machine machine(host_.platform, host_.console, options_);
        host_.environment.keeper = &machine;
        Runner runner(machine, host_.platform, 0, 0);
        machine.add(runner);
        require(machine.add(guest_));
        require(machine.start());
        runner.run();
    }

  private:
    TrapInfo stay(GuestHart& hart) {
        host_.platform.script = {[this](GuestHart& h) { return stay(h); }};
        check(hart);
        if (input_->empty()) {
            hart.priv = Priv::S;
            return test::shut_down(hart);
        }
        const u8 what = input_->take<u8>();
        if (what & 0x80) hart.set_x(what & 31, any_value(*input_));
        switch (what >> 4 & 7) {
            case 0:
            case 1: return test::exception(Cause::IllegalInstruction, any_insn(*input_));
            case 2: return call(hart);
            case 3: return store(hart);
            case 4: return access(hart);
            case 5: return test::exception(static_cast<Cause>(what & 7), any_address(*input_));
            case 6: host_.platform.now += input_->take<u16>(); return test::interrupt(Irq::STI);
            default:
                host_.terminal.type("k");
                host_.platform.pending = irq_bit(Irq::SEI);
                return test::interrupt(Irq::SEI);
        }
    }

    TrapInfo call(GuestHart& hart) {
        constexpr std::array kCalls{sbi::Ext::Base, sbi::Ext::Time, sbi::Ext::Ipi,  sbi::Ext::Rfence,
                                    sbi::Ext::Hsm,  sbi::Ext::Srst, sbi::Ext::Dbcn, sbi::Ext::LegacySendIpi};
        const u8 which = input_->take<u8>();
        const u64 a = any_value(*input_), b = any_value(*input_), c = any_value(*input_);
        return test::sbi_ecall(hart, kCalls[which % kCalls.size()], which >> 5, a, b, c);
    }

    /// A store as hardware makes it: unseen where the shadow allows it, else a fault.
    TrapInfo store(GuestHart& hart) {
        const Gva va{align_down(any_address(*input_), 8)};
        const u64 value = any_value(*input_);
        const Vcpu& vcpu = guest_.vcpus()[0];
        const auto entry = guest_.shadow().lookup(vcpu.view(), va);
        if (!entry || entry->pte.get(Pte::W) == 0) {
            place_insn(hart, 0x0053'3023);  // sd x5, 0(x6)
            return test::exception(Cause::StorePageFault, va.raw);
        }
        const u64 offset = va.raw & (level_size(entry->level) - 1);
        const Hpa target{align_down(host_target(entry->pte).raw, level_size(entry->level)) + offset};
        const Hpa ram = guest_.ram().hpa(kGuestRamBase);
        require(target >= ram && target - ram <= guest_.ram().size() - 8);  // nobody else's memory
        require(guest_.ram().store(guest_.ram().gpa(target), value));
        return test::interrupt(Irq::SSI);
    }

    TrapInfo access(GuestHart& hart) {
        constexpr std::array kFaults{Cause::FetchPageFault, Cause::LoadPageFault, Cause::StorePageFault};
        const u64 va = any_address(*input_);
        const u8 which = input_->take<u8>();
        place_insn(hart, which & 0x80 ? input_->take<u32>() : 0x0000'2403);  // or lw x8, 0(x0)
        return test::exception(kFaults[which % kFaults.size()], va);
    }

    void place_insn(const GuestHart& hart, u32 insn) {
        const auto at = guest_.translate(guest_.vcpus()[0], Gva{hart.pc}, Access::Fetch);
        if (!at || !guest_.ram().store(*at, insn)) return;
        static_cast<void>(guest_.shadow().memory_written(*at, sizeof insn));  // it may be a table
    }

    void sleep() {
        host_.platform.events = {[this] { sleep(); }};
        if (input_->empty()) return require(guest_.fail("sleeps for ever"));
        if (input_->take<u8>() & 1) {
            host_.terminal.type("k");
            host_.platform.pending = irq_bit(Irq::SEI);
        } else {
            host_.platform.now += input_->take<u16>();
        }
    }

    void check(const GuestHart& hart) {
        constexpr u64 kSstatus = Sstatus::SIE.mask | Sstatus::SPIE.mask | Sstatus::SPP.mask | Sstatus::VS.mask |
                                 Sstatus::FS.mask | Sstatus::SUM.mask | Sstatus::MXR.mask;
        require(hart.x[0] == 0 && (hart.pc & 1) == 0 && (hart.sepc & 1) == 0);
        require((hart.sstatus.raw & ~kSstatus) == 0 && hart.sstatus.get(Sstatus::VS) == 0);
        require(hart.satp.mode() == SatpMode::Bare || hart.satp.mode() == SatpMode::Sv39);
        require(guest_.shadow().check_invariants());
        require(Satp{{host_.platform.entries.back().host_satp}}.mode() == SatpMode::Sv48);
        host_.platform.entries.clear();
    }

    test::TestMachine host_;
    Guest& guest_ = host_.create(host_.config());
    Options options_;
    fuzz::Input* input_ = nullptr;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, usize size) {
    static WildGuest guest;
    guest.play(fuzz::Input(data, size));
    return 0;
}
