// SPDX-License-Identifier: MIT
#pragma once
// A guest of five harts and 64 KiB that writes down what SBI calls do to it.

#include <algorithm>
#include <string>
#include <vector>

#include "emul/sbi_server.hpp"

namespace uc::test {

/// Stops the test when handed a vCPU or memory that does not exist: the
/// server promised to check.
class FakeSbiBackend : public SbiBackend {
  public:
    static constexpr u64 kRam = 0x8000'0000;
    static constexpr u64 kRamSize = 0x1'0000;

    struct Event {
        enum class Kind : u8 { Timer, Ipi, FenceI, Sfence, Start, Stop, Suspend, Reset, StealTime };
        Kind kind;
        u64 vcpu = 0;
        u64 a = 0;  ///< deadline, pc, retentive, reset type, record (~0: none)
        u64 b = 0;  ///< opaque, reset reason
        SfenceRange range{};
        friend bool operator==(const Event&, const Event&) = default;
    };

    std::vector<sbi::hsm::State> states{sbi::hsm::Started, sbi::hsm::Stopped, sbi::hsm::Suspended,
                                        sbi::hsm::StartPending, sbi::hsm::StopPending};
    std::vector<u8> ram = std::vector<u8>(kRamSize);
    std::vector<Event> events;
    std::string output, input;
    usize output_room = ~usize{0};
    std::expected<u64, Exception> mask_word = 0;  ///< what the guest's virtual memory holds, wherever
    std::vector<u64> mask_reads;
    std::vector<SbiState> sbi_states = std::vector<SbiState>(5);
    std::array<u64, 32> counters{};  ///< the hart's, by their numbers in scounteren; reading one beyond 2 is a mistake
    u32 existing_counters = 7;
    std::array<u64, sbi::pmu::FirmwareEvents> firmware{};  ///< of any vCPU
    bool delegates_misaligned = false;
    bool manager = false;
    bool act_works = true;
    std::vector<std::pair<u64, sbi::undercroft::Action>> acts;

    u64 vcpu_count() override { return states.size(); }
    u64 mvendorid() override { return 0x1111; }
    u64 marchid() override { return 0x8000'0000'0000'2222; }
    u64 mimpid() override { return 0x3333; }

    void set_timer(unsigned vcpu, u64 deadline) override { note({Event::Kind::Timer, vcpu, deadline}); }
    void send_ipi(unsigned vcpu) override { note({Event::Kind::Ipi, vcpu}); }
    void remote_fence_i(unsigned vcpu) override { note({Event::Kind::FenceI, vcpu}); }
    void remote_sfence(unsigned vcpu, const SfenceRange& range) override {
        note({Event::Kind::Sfence, vcpu, 0, 0, range});
    }
    sbi::Error hart_start(unsigned vcpu, Gpa pc, u64 opaque) override {
        if (states.at(vcpu) != sbi::hsm::Stopped) return sbi::Error::AlreadyAvailable;
        note({Event::Kind::Start, vcpu, pc.raw, opaque});
        return sbi::Error::Success;
    }
    void hart_stop(unsigned vcpu) override { note({Event::Kind::Stop, vcpu}); }
    sbi::hsm::State hart_state(unsigned vcpu) override { return states.at(vcpu); }
    void hart_suspend(unsigned vcpu, bool retentive) override { note({Event::Kind::Suspend, vcpu, retentive}); }
    SbiState& sbi_state(unsigned vcpu) override { return sbi_states.at(vcpu); }
    u32 hart_counters() override { return existing_counters; }
    u64 hart_counter(CsrNo number) override {
        const auto n = static_cast<usize>(number) - static_cast<usize>(CsrNo::cycle);
        return (existing_counters >> n & 1) != 0 && n != 1 && n < 3 ? counters.at(n) : counters.at(~0ull);
    }
    u64 firmware_events(unsigned vcpu, sbi::pmu::FirmwareEvent event) override {
        static_cast<void>(states.at(vcpu));
        return firmware.at(event);
    }
    bool misaligned_delegated() override { return delegates_misaligned; }
    void set_steal_time(unsigned vcpu, std::optional<Gpa> record) override {
        note({Event::Kind::StealTime, vcpu, record ? record->raw : ~0ull});
    }
    void system_reset(sbi::srst::Type type, sbi::srst::Reason reason) override {
        events.push_back({Event::Kind::Reset, 0, type, reason});
    }

    bool is_manager() override { return manager; }
    u64 guest_count() override { return 2; }
    std::optional<sbi::undercroft::GuestRecord> guest_record(u64 guest) override {
        if (guest >= 2) return std::nullopt;
        sbi::undercroft::GuestRecord record;
        record.name[0] = static_cast<char>('a' + guest);
        record.vcpus = 3;
        return record;
    }
    std::optional<sbi::undercroft::GuestMemoryRecord> guest_memory(u64 guest) override {
        if (guest >= 2) return std::nullopt;
        return sbi::undercroft::GuestMemoryRecord{.ram = guest + 1, .starts = 7};
    }
    sbi::undercroft::MachineMemoryRecord machine_memory() override { return {.total = 10, .hypervisor = 3}; }
    std::optional<sbi::undercroft::GuestExitsRecord> guest_exits(u64 guest, u64 kind) override {
        if (guest >= 2 || kind >= 2) return std::nullopt;
        return sbi::undercroft::GuestExitsRecord{{'k', static_cast<char>('0' + kind)}, 1000 * (guest + 1), 5000};
    }
    bool guest_act(u64 guest, sbi::undercroft::Action action) override {
        acts.push_back({guest, action});
        return act_works;
    }
    usize console_write(std::span<const u8> bytes) override {
        const usize taken = std::min(bytes.size(), output_room);
        output.append(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
        output_room -= taken;
        return taken;
    }
    usize console_read(std::span<u8> bytes) override {
        const usize given = std::min(bytes.size(), input.size());
        std::copy_n(input.begin(), given, bytes.begin());
        input.erase(0, given);
        return given;
    }
    bool is_guest_memory(Gpa address, u64 size) override {
        return address.raw >= kRam && size <= kRamSize && address.raw - kRam <= kRamSize - size;
    }
    void read_guest(Gpa address, std::span<u8> bytes) override {
        for (usize i = 0; i < bytes.size(); ++i) bytes[i] = ram.at(address.raw - kRam + i);
    }
    void write_guest(Gpa address, std::span<const u8> bytes) override {
        for (usize i = 0; i < bytes.size(); ++i) ram.at(address.raw - kRam + i) = bytes[i];
    }
    std::expected<u64, Exception> read_virtual(Gva address) override {
        mask_reads.push_back(address.raw);
        return mask_word;
    }

  private:
    void note(Event event) {
        static_cast<void>(states.at(event.vcpu));
        events.push_back(event);
    }
};

}  // namespace uc::test
