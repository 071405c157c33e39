// SPDX-License-Identifier: MIT
// What a guest's SBI calls and devices ask of it.

#include <algorithm>
#include <bit>
#include <utility>

#include "emul/trap.hpp"
#include "hv/guest_sbi.hpp"

namespace uc {

static_assert(kMaxVcpus <= 64);

Outcome Guest::serve_sbi(Vcpu& vcpu) {
    GuestSbi backend(vcpu);
    return sbi_call(vcpu.hart(), vcpu.id, backend);
}

void Guest::serve_requests(Vcpu& vcpu, Requests requests) {
    if (requests.has(Request::Interrupt)) vcpu.hart().sip.set(Sip::SSIP, 1);
    if (requests.has(Request::LineRose) || requests.has(Request::LineFell)) {
        const u64 sei = irq_bit(Irq::SEI);
        vcpu.lines = vcpu.mailbox.line() ? vcpu.lines | sei : vcpu.lines & ~sei;
    }
    if (requests.has(Request::Fence)) {
        vcpu.platform->flush(TlbFlush::all());
        vcpu.translation_stale = true;  // the ASID of its root may have been given to another
    }
    if (requests.has(Request::FenceI)) vcpu.platform->fence_i();
    if (requests.has(Request::Kick)) {
        begin(vcpu);
        if (running()) poll_devices(*vcpu.platform);  // nobody did while it was paused
    }
}

void Guest::begin(Vcpu& vcpu) {
    const LockGuard guard(guest_lock_);
    if (vcpu.state != sbi::hsm::StartPending) return;
    vcpu.reset_sbi();
    enter_supervisor(vcpu.hart(), vcpu.id, vcpu.start.opaque);
    vcpu.hart().pc = vcpu.start.pc;
    vcpu.waiting = false;
    vcpu.translation_stale = true;
    vcpu.state = sbi::hsm::Started;
}

GuestSbi::~GuestSbi() {
    for (u64 left = fences_i_; left != 0; left &= left - 1) {
        const auto vcpu = static_cast<unsigned>(std::countr_zero(left));
        guest_.vcpus_[vcpu].mailbox.await(tickets_[vcpu], [] {});
    }
}

void GuestSbi::set_timer(unsigned vcpu, u64 deadline) {
    Vcpu& v = guest_.vcpus_[vcpu];
    v.hart().stimecmp = deadline;
    guest_.update_timer(v);
}

void GuestSbi::send_ipi(unsigned vcpu) {
    Vcpu& v = guest_.vcpus_[vcpu];
    if (&v == &caller_) {
        v.hart().sip.set(Sip::SSIP, 1);
    } else if (v.up()) {
        v.received.count(sbi::pmu::IpiReceived);
        guest_.reach(v, v.mailbox.post(Request::Interrupt));
    }
}

// All are told at first, and waited for when the call ends. The caller must not keep others waiting meanwhile.
void GuestSbi::remote_fence_i(unsigned vcpu) {
    Vcpu& v = guest_.vcpus_[vcpu];
    if (&v == &caller_) return v.platform->fence_i();
    if (!v.up()) return;
    v.received.count(sbi::pmu::FenceIReceived);
    caller_.mailbox.leave();
    const Posted posted = v.mailbox.post(Request::FenceI);
    guest_.reach(v, posted);
    tickets_[vcpu] = posted.ticket;
    fences_i_ |= u64{1} << vcpu;
}

// The tables are shared by all vCPUs: what was fenced once, and reached all harts, is fenced for everyone.
void GuestSbi::remote_sfence(unsigned vcpu, const SfenceRange& range) {
    if (Vcpu& v = guest_.vcpus_[vcpu]; &v != &caller_ && v.up()) {
        v.received.count(range.asid ? sbi::pmu::SfenceVmaAsidReceived : sbi::pmu::SfenceVmaReceived);
    }
    if (std::exchange(fenced_, true)) return;
    // Beyond some pages, comparing every table that changed is cheaper than walking to each page.
    constexpr u64 kMostPages = 64;
    ShadowAccess shadow(caller_);
    if (range.size > kMostPages * kPageSize) return shadow.discharge(shadow->fence(std::nullopt, range.asid));
    TlbFlush flush;
    // Counted, not compared: the range may end with the address space.
    const u64 pages = align_up(range.start.page_offset() + range.size, kPageSize) / kPageSize;
    for (u64 n = 0; n < pages; ++n) {
        flush.merge(shadow->fence(range.start.page() + n * kPageSize, range.asid));
    }
    shadow.discharge(flush);
}

sbi::Error GuestSbi::hart_start(unsigned vcpu, Gpa pc, u64 opaque) {
    Vcpu& v = guest_.vcpus_[vcpu];
    caller_.mailbox.leave();
    {
        const LockGuard guard(guest_.guest_lock_);
        if (v.state != sbi::hsm::Stopped) return sbi::Error::AlreadyAvailable;
        v.start = {pc.raw, opaque};
        v.state = sbi::hsm::StartPending;
    }
    guest_.reach(v, v.mailbox.post(Request::Kick));
    return sbi::Error::Success;
}

void GuestSbi::hart_stop(unsigned /*vcpu*/) {
    caller_.mailbox.leave();
    const LockGuard guard(guest_.guest_lock_);
    caller_.state = sbi::hsm::Stopped;
    const auto stopped = [](const Vcpu& v) { return v.state == sbi::hsm::Stopped; };
    if (!std::all_of(guest_.vcpus_.begin(), guest_.vcpus_.end(), stopped)) {
        // Not for who is started here next, as after firmware, which switches off what may interrupt.
        caller_.hart().sip.set(Sip::SSIP, 0);
        caller_.hart().stimecmp = ~u64{0};
        guest_.update_timer(caller_);
        return;
    }
    // Paused, the guest cannot fail: the call is made again when it goes on.
    if (!guest_.fail("its last hart has stopped")) caller_.state = sbi::hsm::Started;
}

void GuestSbi::hart_suspend(unsigned /*vcpu*/, bool retentive) {
    caller_.waiting = true;
    caller_.state = sbi::hsm::Suspended;
    if (!retentive) caller_.translation_stale = true;
}

// Where the guest is paused meanwhile, nothing happens: the caller's pc stays, and it calls again when it goes on.
void GuestSbi::system_reset(sbi::srst::Type type, sbi::srst::Reason reason) {
    if (type != sbi::srst::Shutdown) {
        static_cast<void>(guest_.change_state(GuestState::Running, GuestState::Reboot));
    } else if (reason == sbi::srst::SystemFailure) {
        guest_.fail("the guest reported a system failure");
    } else {
        static_cast<void>(guest_.change_state(GuestState::Running, GuestState::Shutdown));
    }
}

void Guest::request_reset(ResetRequest request) {
    switch (request.kind) {
        case ResetRequest::Kind::Poweroff:
            reset_refused_ = !change_state(GuestState::Running, GuestState::Shutdown);
            break;
        case ResetRequest::Kind::Reboot: reset_refused_ = !change_state(GuestState::Running, GuestState::Reboot); break;
        case ResetRequest::Kind::Fail: reset_refused_ = !fail("the guest reported a failure to its test device"); break;
    }
}

namespace {

sbi::undercroft::State state_of(const Guest& guest) {
    using enum sbi::undercroft::State;
    switch (guest.state()) {
        case GuestState::Created: return Created;
        case GuestState::Running: return Running;
        case GuestState::Paused: return Paused;
        case GuestState::Shutdown: return Ended;
        case GuestState::Stopped: return Stopped;
        case GuestState::Failed: return Failed;
        case GuestState::Destroyed: return Destroyed;
        case GuestState::Starting:
        case GuestState::Reboot:
        case GuestState::Destroying:
        case GuestState::Creating: break;
    }
    return Busy;
}

}  // namespace

// Null: there is no such guest.
Guest* GuestSbi::find(u64 number) const {
    const auto guests = guest_.environment_.keeper->guests();
    return number < guests.size() ? guests[number] : nullptr;
}

std::optional<sbi::undercroft::GuestRecord> GuestSbi::guest_record(u64 number) {
    Guest* const found = find(number);
    if (found == nullptr) return std::nullopt;
    Guest& guest = *found;
    sbi::undercroft::GuestRecord record;
    std::copy_n(guest.name().begin(), std::min(guest.name().size(), record.name.size() - 1), record.name.begin());
    caller_.mailbox.leave();
    const LockGuard guard(guest.guest_lock_);
    record.state = state_of(guest);
    record.vcpus = static_cast<u32>(guest.vcpus().size());
    record.memory = guest.ram().size();
    for (const Vcpu& vcpu : guest.vcpus()) record.exits += vcpu.stats.exits();
    record.is_caller = &guest == &guest_ ? 1 : 0;
    return record;
}

std::optional<sbi::undercroft::GuestMemoryRecord> GuestSbi::guest_memory(u64 number) {
    Guest* const guest = find(number);
    if (guest == nullptr) return std::nullopt;
    caller_.mailbox.leave();
    const GuestAccount account = guest->account();
    return sbi::undercroft::GuestMemoryRecord{.ram = account.ram,
                                              .rest = account.rest,
                                              .frames_used = account.frames_used,
                                              .frames = account.frames,
                                              .copies = account.copies,
                                              .timers = account.timers,
                                              .starts = account.starts};
}

sbi::undercroft::MachineMemoryRecord GuestSbi::machine_memory() {
    caller_.mailbox.leave();
    const MemoryAccount account = account_of(*guest_.environment_.memory, guest_.environment_.keeper->guests());
    return {.total = account.total, .free = account.free, .largest = account.largest, .hypervisor = account.hypervisor};
}

std::optional<sbi::undercroft::GuestExitsRecord> GuestSbi::guest_exits(u64 number, u64 kind) {
    Guest* const guest = find(number);
    if (guest == nullptr || kind >= kExitReasons) return std::nullopt;
    const auto reason = static_cast<ExitReason>(kind);
    sbi::undercroft::GuestExitsRecord record;
    std::copy_n(name(reason).begin(), std::min(name(reason).size(), record.name.size() - 1), record.name.begin());
    caller_.mailbox.leave();
    const LockGuard guard(guest->guest_lock_);
    for (const Vcpu& vcpu : guest->vcpus()) {
        record.count += vcpu.stats.of(reason).count.get();
        record.ns += guest_.environment_.keeper->exit_ns(vcpu.stats.of(reason).spent.get());
    }
    return record;
}

bool GuestSbi::guest_act(u64 guest, sbi::undercroft::Action action) {
    static_assert(static_cast<u64>(GuestAction::Create) == sbi::undercroft::Create &&
                  static_cast<u64>(GuestAction::Reset) == sbi::undercroft::Reset &&
                  static_cast<u64>(GuestAction::Start) == sbi::undercroft::Start);
    caller_.mailbox.leave();  // creating takes locks
    return guest_.environment_.keeper->act(*find(guest), static_cast<GuestAction>(action));
}

usize GuestSbi::console_write(std::span<const u8> bytes) {
    caller_.mailbox.leave();
    const LockGuard guard(guest_.devices_lock_);
    if (!guest_.uart_.drain()) return 0;  // not before what the serial port still holds
    usize taken = 0;
    while (taken < bytes.size() && guest_.output_.push(bytes[taken])) ++taken;
    return taken;
}

usize GuestSbi::console_read(std::span<u8> bytes) {
    caller_.mailbox.leave();
    Console& console = *guest_.environment_.console;
    usize given = 0;
    const Console::Guard guard(console, Console::UnlessBusy());
    if (!guard) return 0;  // the person is at the monitor
    while (given < bytes.size()) {
        // On a bare machine firmware reads the same receiver, so what waits there comes first.
        auto byte = guest_.take_received();
        if (!byte) byte = console.get(guest_);
        if (!byte) break;
        bytes[given++] = *byte;
    }
    return given;
}

void GuestSbi::read_guest(Gpa address, std::span<u8> bytes) {
    static_cast<void>(guest_.ram_.read(address, std::as_writable_bytes(bytes)));
}

void GuestSbi::write_guest(Gpa address, std::span<const u8> bytes) {
    ShadowAccess shadow(caller_);
    static_cast<void>(guest_.ram_.write(address, std::as_bytes(bytes)));
    shadow.discharge(shadow->memory_written(address, bytes.size()));
}

std::expected<u64, Exception> GuestSbi::read_virtual(Gva address) {
    // Two loads where the doubleword crosses a page: each half may fault on its own.
    u64 value = 0;
    for (unsigned i = 0; i < 8; ++i) {
        const Gva at = address + i;
        const auto gpa = guest_.translate(caller_, at, Access::Load);
        if (!gpa) return std::unexpected(Exception{gpa.error(), at.raw});
        const auto byte = guest_.ram_.load<u8>(*gpa);
        if (!byte) return std::unexpected(Exception{Cause::LoadAccess, at.raw});
        value |= static_cast<u64>(*byte) << (8 * i);
    }
    return value;
}

}  // namespace uc
