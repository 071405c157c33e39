// SPDX-License-Identifier: MIT
#include "hv/guest.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "hv/guest_layout.hpp"
#include "hv/sha256.hpp"
#include "hv/shadow_access.hpp"

namespace uc {

namespace {

// Shadow tables get this share of the guest's memory, within bounds: a kernel's own tables take less than one part in
// 200, and each has up to three shadows.
constexpr u64 kShadowShare = 32;
constexpr u64 kLeastShadow = 2 * kMiB;
constexpr u64 kMostShadow = 64 * kMiB;

u64 shadow_pool_size(u64 memory) {
    return align_up(std::clamp(memory / kShadowShare, kLeastShadow, kMostShadow), kPageSize);
}

// Copies of code (docs/replacing.md). A stock Linux executes privileged instructions on some 160 pages.
constexpr u64 kCodeShare = 256;
constexpr u64 kLeastCode = 64 * kKiB;
constexpr u64 kMostCode = 4 * kMiB;

u64 code_size(u64 memory) { return align_up(std::clamp(memory / kCodeShare, kLeastCode, kMostCode), kPageSize); }

}  // namespace

std::expected<Guest*, LoadError> Guest::create(const GuestConfig& config, const GuestEnvironment& environment,
                                               unsigned number) {
    const auto plan = plan_guest(config);
    if (!plan) return std::unexpected(plan.error());
    HostMemory& memory = *environment.memory;
    const u64 pool_size = shadow_pool_size(config.memory);
    const u64 copies_size = environment.replace ? code_size(config.memory) : 0;
    const u64 metadata_size = Shadow::metadata_size(config.memory, static_cast<u32>(pool_size / kPageSize),
                                                    config.vcpus, static_cast<u32>(copies_size / kPageSize));
    const u64 vcpus_size = sizeof(Vcpu) * config.vcpus;
    const u64 vectors_size = kVectorRegisters * environment.vlenb * config.vcpus;
    const u64 rest_size = align_up(sizeof(Guest) + vcpus_size + metadata_size + vectors_size, kPageSize);

    const auto ram = memory.allocate(config.memory, kGuestMemoryUnit);
    const auto pool = ram ? memory.allocate(pool_size + copies_size, kPageSize) : std::nullopt;
    const auto rest = pool ? memory.allocate(rest_size, kPageSize) : std::nullopt;
    const auto give_back = [&] {
        if (ram) memory.free({*ram, config.memory});
        if (pool) memory.free({*pool, pool_size + copies_size});
        if (rest) memory.free({*rest, rest_size});
    };
    if (!rest) {
        const auto error = load_error("guest ", config.name, ": undercroft,memory: ", config.memory / kMiB,
                                      " MiB do not fit into the machine's memory: the largest free block has ",
                                      memory.largest(kGuestMemoryUnit) / kMiB, " MiB");
        give_back();
        return error;
    }

    // Whatever was there before is nobody's business any more.
    std::memset(memory.pointer(*ram), 0, config.memory);
    std::byte* at = memory.pointer(*rest);
    std::memset(at + sizeof(Guest) + vcpus_size + metadata_size, 0, vectors_size);
    static_assert(sizeof(Guest) % alignof(Vcpu) == 0 && sizeof(Vcpu) % 8 == 0);
    auto* vcpus = reinterpret_cast<Vcpu*>(at + sizeof(Guest));
    for (unsigned i = 0; i < config.vcpus; ++i) new (&vcpus[i]) Vcpu{};
    auto* guest = new (at) Guest(config, environment, number, {*ram, config.memory}, {*pool, pool_size},
                                 {*pool + pool_size, copies_size}, {at + sizeof(Guest) + vcpus_size, metadata_size},
                                 {vcpus, config.vcpus}, at + sizeof(Guest) + vcpus_size + metadata_size);
    // Whether a device tree can be made shows only in the making.
    if (auto written = guest->write_device_tree(*plan); !written) {
        give_back();
        return std::unexpected(written.error());
    }
    return guest;
}

Guest::Guest(const GuestConfig& config, const GuestEnvironment& environment, unsigned number, HostRange ram,
             HostRange pool, HostRange code, std::span<std::byte> metadata, std::span<Vcpu> vcpus, std::byte* vectors)
    : config_(config),
      environment_(environment),
      number_(number),
      features_(environment.features),
      ram_(kGuestRamBase, ram.base, {environment.memory->pointer(ram.base), ram.size}),
      pool_range_(pool),
      code_range_(code),
      metadata_(metadata),
      vcpus_(vcpus),
      flusher_(vcpus),
      plic_(config.vcpus, *this),
      uart_(plic_, kGuestUartIrq, *this),
      syscon_(*this) {
    features_.max_mode = config.mmu.value_or(features_.max_mode);
    for (unsigned i = 0; i < vcpus_.size(); ++i) {
        vcpus_[i].guest = this;
        vcpus_[i].id = i;
        const u64 size = kVectorRegisters * environment.vlenb;
        vcpus_[i].frame.vector.v = size == 0 ? nullptr : vectors + i * size;
    }
    // Guests that share harts must not share ASIDs. 0 is the hypervisor's own.
    const u64 share = ((1ull << environment.host_asid_bits) - 1) / environment.guests;
    asid_first_ = static_cast<u16>(1 + number * share);
    asid_last_ = static_cast<u16>((number + 1) * share);
    bool placed = bus_.add(kGuestSyscon, Syscon::kSize, syscon_) && bus_.add(kGuestPlic, Plic::kSize, plic_) &&
                  bus_.add(kGuestUart, Uart16550::kSize, uart_);
    if (environment.wall_clock != nullptr) {
        rtc_.emplace(plic_, kGuestRtcIrq, *environment.wall_clock);
        placed = placed && bus_.add(kGuestRtc, GoldfishRtc::kSize, *rtc_);
    }
    if (config.manager) {
        manager_.emplace();
        placed = placed && bus_.add(kGuestManager, manager::kSize, *manager_);
    }
    if (!placed) state_ = GuestState::Failed;  // the devices overlap
}

ShadowOptions Guest::shadow_options() {
    const Features& f = features_;
    return {
        .window = environment_.window,
        .vcpus = static_cast<unsigned>(vcpus_.size()),
        .flusher = &flusher_,
        .host_asid_bits = environment_.host_asid_bits,
        .host_asid_first = asid_first_,
        .host_asid_last = asid_last_,
        .update_ad = f.svadu_hw,
        .svpbmt = f.svpbmt,
        .svnapot = f.svnapot,
        .code = {environment_.memory->pointer(code_range_.base), code_range_.size},
        .code_base = code_range_.base,
    };
}

LoadStatus Guest::start() {
    const auto placement = plan_guest(config_);
    if (!placement) return std::unexpected(placement.error());
    ++starts_;
    ended_ = false;
    load_images(config_, *placement, {ram_.pointer(ram_.base(), ram_.size()), ram_.size()});
    if (auto written = write_device_tree(*placement); !written) return written;

    // A new Shadow over the whole pool. No hart uses the old tables, and what harts remember of them they forget when
    // one of the vCPUs, which are all new to them, comes there.
    {
        const LockGuard guard(shadow_lock_);
        shadow_.reset();
        pool_.emplace(std::span{environment_.memory->pointer(pool_range_.base), pool_range_.size}, pool_range_.base);
        shadow_.emplace(ram_, *pool_, shadow_options(), metadata_);
    }
    reset_vcpus();
    {
        const LockGuard guard(devices_lock_);
        uart_.reset();
        if (rtc_) rtc_->reset();
        if (manager_) manager_->reset();
        clock_armed_.store(false, std::memory_order_relaxed);
        plic_.reset();
    }
    Vcpu& first = vcpus_[0];
    first.hart().pc = placement->entry.raw;
    first.hart().set_x(10, 0);
    first.hart().set_x(11, placement->fdt.base.raw);
    first.state = sbi::hsm::Started;
    // Unless somebody has changed their mind meanwhile.
    static_cast<void>(change_state(GuestState::Starting, GuestState::Running));
    return {};
}

void Guest::reset_vcpus() {
    for (Vcpu& vcpu : vcpus_) {
        vcpu.frame.hart = GuestHart{};
        vcpu.frame.home = nullptr;
        vcpu.frame.fp = {};
        std::byte* const v = vcpu.frame.vector.v;
        vcpu.frame.vector = {.v = v};
        if (v != nullptr) std::memset(v, 0, kVectorRegisters * environment_.vlenb);
        vcpu.reset_sbi();
        vcpu.watchdog.reset();
        vcpu.lines = 0;
        vcpu.waiting = false;
        vcpu.state = sbi::hsm::Stopped;
        vcpu.translation_stale = true;
        vcpu.mailbox.reset();
    }
}

LoadStatus Guest::write_device_tree(const Placement& placement) {
    // The seed of this very start: the machine's own, stretched by the time and the number of starts.
    struct {
        std::array<std::byte, 64> seed;
        u64 time;
        u64 starts;
        std::array<char, 32> name;
    } entropy{};
    const auto& seed = environment_.rng_seed;
    std::copy_n(seed.begin(), std::min(seed.size(), entropy.seed.size()), entropy.seed.begin());
    entropy.time = environment_.platform->time();
    entropy.starts = starts_;
    std::copy_n(name().begin(), std::min(name().size(), entropy.name.size()), entropy.name.begin());

    const GuestMachine machine{
        .vcpus = config_.vcpus,
        .ram = {ram_.base(), ram_.size()},
        .isa = environment_.isa,
        .mmu = features().max_mode,
        .timebase_hz = environment_.timebase_hz,
        .cbom_block_size = environment_.cbom_block_size,
        .cboz_block_size = environment_.cboz_block_size,
        .rtc = rtc_.has_value(),
        .manager = manager_.has_value(),
        .bootargs = config_.bootargs,
        .initrd = placement.ramdisk,
        .rng_seed = sha256(std::as_bytes(std::span{&entropy, 1})),
    };
    const std::span out{ram_.pointer(placement.fdt.base, placement.fdt.size), placement.fdt.size};
    const auto length =
        config_.fdt.data.empty() ? build_guest_fdt(machine, out) : adapt_guest_fdt(config_.fdt.data, machine, out);
    if (!length) return load_error("guest ", name(), ": ", length.error().text.view());
    return {};
}

std::string_view name(GuestState state) {
    constexpr std::array<std::string_view, 8> kNames{"created",   "starting", "running",   "paused",
                                                     "shut down", "stopped",  "rebooting", "failed"};
    return kNames[static_cast<usize>(state)];
}

bool Guest::change_state(GuestState from, GuestState to) {
    if (!state_.compare_exchange_strong(from, to, std::memory_order_seq_cst)) return false;
    // Those that run look again, and so do those that sleep. Who is stopped looks when it is started.
    for (Vcpu& vcpu : vcpus_) {
        if (vcpu.state != sbi::hsm::Stopped) reach(vcpu, vcpu.mailbox.post(Request::Kick));
    }
    if (environment_.keeper != nullptr) environment_.keeper->state_changed();
    return true;
}

// From whatever a live guest is doing.
bool Guest::change_live_state(GuestState to) {
    while (live()) {
        if (const GuestState now = state(); now == to || change_state(now, to)) return true;
    }
    return false;
}

bool Guest::act(GuestAction action) {
    switch (action) {
        case GuestAction::Start:
            for (GuestState now = state(); !live(); now = state()) {
                if (change_state(now, GuestState::Starting)) return true;
            }
            return false;
        case GuestAction::Stop: return change_live_state(GuestState::Stopped);
        case GuestAction::Pause: return change_state(GuestState::Running, GuestState::Paused);
        case GuestAction::Resume: return change_state(GuestState::Paused, GuestState::Running);
        case GuestAction::Reset: return change_live_state(GuestState::Reboot);
    }
    return false;
}

bool Guest::restart_after_failure() {
    if (restarts_ == config_.restarts || !change_state(GuestState::Failed, GuestState::Starting)) return false;
    ++restarts_;
    return true;
}

void Guest::fail(std::string_view reason) {
    // Whoever tells of it waits until the vCPU that calls has left its hart.
    if (change_state(GuestState::Running, GuestState::Failed)) fail_reason_ = Text<200>(reason);
}

void Guest::fail_to_start(std::string_view reason) {
    if (change_state(GuestState::Starting, GuestState::Failed)) fail_reason_ = Text<200>(reason);
}

void Guest::update_timer(Vcpu& vcpu) {
    const u64 deadline = vcpu.hart().stimecmp;
    if (vcpu.platform->time() >= deadline) {
        vcpu.lines |= irq_bit(Irq::STI);
    } else {
        vcpu.lines &= ~irq_bit(Irq::STI);
        vcpu.platform->set_timer(deadline);
    }
}

std::expected<Gpa, Cause> Guest::translate(Vcpu& vcpu, Gva gva, Access access) {
    ShadowAccess shadow(vcpu);
    TlbFlush flush;
    const auto result = shadow->translate(vcpu.view(), gva, access, flush);
    shadow.discharge(flush);
    if (!result) return std::unexpected(result.error());
    return result->gpa;
}

std::expected<u32, Exception> Guest::fetch(Vcpu& vcpu) {
    const Gva pc{vcpu.hart().pc};
    const auto parcels = [&](Gva at) -> std::expected<Gpa, Exception> {
        const auto gpa = translate(vcpu, at, Access::Fetch);
        if (!gpa) return std::unexpected(Exception{gpa.error(), at.raw});
        if (!ram_.contains(*gpa, sizeof(u16))) return std::unexpected(Exception{Cause::FetchAccess, at.raw});
        return *gpa;
    };
    const auto first = parcels(pc);
    if (!first) return std::unexpected(first.error());
    const u32 low = ram_.load_parcel(*first).value_or(0);
    if ((low & 3) != 3) return low;
    // The second half may lie on another page, which may lie anywhere.
    const bool same_page = pc.page_offset() + sizeof(u32) <= kPageSize;
    const auto second = same_page ? *first + sizeof(u16) : parcels(pc + sizeof(u16));
    if (!second) return std::unexpected(second.error());
    return static_cast<u32>(ram_.load_parcel(*second).value_or(0)) << 16 | low;
}

}  // namespace uc
