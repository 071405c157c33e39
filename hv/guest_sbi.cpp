// SPDX-License-Identifier: MIT
// What a guest's SBI calls and devices ask of it.

#include <algorithm>

#include "emul/trap.hpp"
#include "hv/guest.hpp"

namespace uc {

Outcome Guest::serve_sbi(Vcpu& vcpu) {
    caller_ = &vcpu;
    return sbi_call(vcpu.hart(), vcpu.id, *this);
}

void Guest::set_timer(unsigned vcpu, u64 deadline) {
    vcpus_[vcpu].hart().stimecmp = deadline;
    update_timer(vcpus_[vcpu]);
}

void Guest::send_ipi(unsigned vcpu) {
    Vcpu& v = vcpus_[vcpu];
    if (v.state != sbi::hsm::Started) return;
    v.hart().sip.set(Sip::SSIP, 1);
    wake(v);
}

void Guest::remote_fence_i(unsigned) { platform().fence_i(); }

void Guest::remote_sfence(unsigned, const SfenceRange& range) {
    // Beyond some pages, comparing every table that changed is cheaper than walking to each page.
    constexpr u64 kMostPages = 64;
    if (range.size > kMostPages * kPageSize) {
        platform().flush(shadow_->fence(std::nullopt, range.asid));
        return;
    }
    TlbFlush flush;
    // Counted, not compared: the range may end with the address space.
    const u64 pages = align_up(range.start.page_offset() + range.size, kPageSize) / kPageSize;
    for (u64 n = 0; n < pages; ++n) {
        flush.merge(shadow_->fence(range.start.page() + n * kPageSize, range.asid));
    }
    platform().flush(flush);
}

sbi::Error Guest::hart_start(unsigned vcpu, Gpa pc, u64 opaque) {
    Vcpu& v = vcpus_[vcpu];
    if (v.state != sbi::hsm::Stopped) return sbi::Error::AlreadyAvailable;
    enter_supervisor(v.hart(), vcpu, opaque);
    v.hart().pc = pc.raw;
    v.translation_stale = true;
    v.state = sbi::hsm::Started;
    wake(v);
    return sbi::Error::Success;
}

void Guest::hart_stop(unsigned vcpu) {
    vcpus_[vcpu].state = sbi::hsm::Stopped;
    const auto stopped = [](const Vcpu& v) { return v.state == sbi::hsm::Stopped; };
    if (std::all_of(vcpus_.begin(), vcpus_.end(), stopped)) fail("its last hart has stopped");
}

void Guest::hart_suspend(unsigned vcpu, bool retentive) {
    vcpus_[vcpu].waiting = true;
    if (!retentive) vcpus_[vcpu].translation_stale = true;
}

void Guest::system_reset(sbi::srst::Type type, sbi::srst::Reason reason) {
    if (type != sbi::srst::Shutdown) {
        state_ = GuestState::Reboot;
    } else if (reason == sbi::srst::SystemFailure) {
        fail("the guest reported a system failure");
    } else {
        state_ = GuestState::Shutdown;
    }
}

void Guest::request_reset(ResetRequest request) {
    switch (request.kind) {
        case ResetRequest::Kind::Poweroff: state_ = GuestState::Shutdown; break;
        case ResetRequest::Kind::Reboot: state_ = GuestState::Reboot; break;
        case ResetRequest::Kind::Fail: fail("the guest reported a failure to its test device"); break;
    }
}

std::optional<sbi::undercroft::GuestRecord> Guest::guest_record(u64 number) {
    using namespace sbi::undercroft;
    const auto guests = environment_.keeper->guests();
    if (number >= guests.size()) return std::nullopt;
    Guest& guest = *guests[number];
    GuestRecord record;
    std::copy_n(guest.name().begin(), std::min(guest.name().size(), record.name.size() - 1), record.name.begin());
    switch (guest.state()) {
        case GuestState::Created: record.state = Created; break;
        case GuestState::Starting:
        case GuestState::Running:
        case GuestState::Reboot: record.state = Running; break;
        case GuestState::Paused: record.state = Paused; break;
        case GuestState::Shutdown: record.state = Ended; break;
        case GuestState::Stopped: record.state = Stopped; break;
        case GuestState::Failed: record.state = Failed; break;
    }
    record.vcpus = static_cast<u32>(guest.vcpus().size());
    record.memory = guest.ram().size();
    for (const Vcpu& vcpu : guest.vcpus()) record.exits += vcpu.stats.exits();
    record.is_caller = &guest == this ? 1 : 0;
    return record;
}

bool Guest::guest_act(u64 guest, sbi::undercroft::Action action) {
    static_assert(static_cast<u64>(GuestAction::Reset) == sbi::undercroft::Reset &&
                  static_cast<u64>(GuestAction::Start) == sbi::undercroft::Start);
    return environment_.keeper->act(*environment_.keeper->guests()[guest], static_cast<GuestAction>(action));
}

usize Guest::console_write(std::span<const u8> bytes) {
    if (!uart_.drain()) return 0;  // not before what the serial port still holds
    usize taken = 0;
    while (taken < bytes.size() && environment_.console->put(*this, bytes[taken])) ++taken;
    return taken;
}

usize Guest::console_read(std::span<u8> bytes) {
    usize given = 0;
    while (given < bytes.size()) {
        // On a bare machine firmware reads the same receiver, so what waits there comes first.
        auto byte = uart_.take();
        if (!byte) byte = environment_.console->get(*this);
        if (!byte) break;
        bytes[given++] = *byte;
    }
    return given;
}

void Guest::read_guest(Gpa address, std::span<u8> bytes) {
    static_cast<void>(ram_.read(address, std::as_writable_bytes(bytes)));
}

void Guest::write_guest(Gpa address, std::span<const u8> bytes) {
    static_cast<void>(ram_.write(address, std::as_bytes(bytes)));
    platform().flush(shadow_->memory_written(address, bytes.size()));
}

std::expected<u64, Exception> Guest::read_virtual(Gva address) {
    // Two loads where the doubleword crosses a page: each half may fault on its own.
    u64 value = 0;
    for (unsigned i = 0; i < 8; ++i) {
        const Gva at = address + i;
        const auto gpa = translate(*caller_, at, Access::Load);
        if (!gpa) return std::unexpected(Exception{gpa.error(), at.raw});
        const auto byte = ram_.load<u8>(*gpa);
        if (!byte) return std::unexpected(Exception{Cause::LoadAccess, at.raw});
        value |= static_cast<u64>(*byte) << (8 * i);
    }
    return value;
}

void Guest::set_seip(unsigned vcpu, bool level) {
    u64& lines = vcpus_[vcpu].lines;
    lines = level ? lines | irq_bit(Irq::SEI) : lines & ~irq_bit(Irq::SEI);
    if (level) wake(vcpus_[vcpu]);
}

}  // namespace uc
