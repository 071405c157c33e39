// SPDX-License-Identifier: MIT
#include "hv/guest.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "hv/guest_layout.hpp"
#include "hv/sha256.hpp"
#include "hv/shadow_access.hpp"

namespace uc {

std::expected<Guest*, LoadError> Guest::create(const GuestConfig& config, const GuestEnvironment& environment,
                                               unsigned number) {
    const auto plan = plan_guest(config);
    if (!plan) return std::unexpected(plan.error());
    HostMemory& memory = *environment.memory;
    auto resources = GuestResources::take(config, environment);
    if (!resources) return std::unexpected(resources.error());
    const u64 size = align_up(sizeof(Guest) + sizeof(Vcpu) * config.vcpus, kPageSize);
    const auto place = memory.allocate(size, kPageSize);
    if (!place) {
        resources->give_back(memory);
        return load_error("guest ", config.name, ": there is no memory left to keep its vCPUs in");
    }
    std::byte* at = memory.pointer(*place);
    static_assert(sizeof(Guest) % alignof(Vcpu) == 0);
    auto* vcpus = reinterpret_cast<Vcpu*>(at + sizeof(Guest));
    for (unsigned i = 0; i < config.vcpus; ++i) new (&vcpus[i]) Vcpu{};
    auto* guest = new (at) Guest(config, environment, number, {vcpus, config.vcpus});
    // Whatever was there before is nobody's business any more.
    resources->clear(memory);
    guest->equip(*resources);
    // Whether a device tree can be made shows only in the making.
    if (auto written = guest->write_device_tree(*plan); !written) {
        resources->give_back(memory);
        memory.free({*place, size});
        return std::unexpected(written.error());
    }
    return guest;
}

Guest::Guest(const GuestConfig& config, const GuestEnvironment& environment, unsigned number, std::span<Vcpu> vcpus)
    : config_(config),
      environment_(environment),
      number_(number),
      features_(environment.features),
      all_vcpus_(vcpus),
      flusher_(vcpus),
      plic_(config.vcpus, *this),
      uart_(plic_, kGuestUartIrq, *this),
      syscon_(*this) {
    features_.max_mode = config.mmu.value_or(features_.max_mode);
    for (unsigned i = 0; i < vcpus.size(); ++i) {
        vcpus[i].guest = this;
        vcpus[i].id = i;
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
    if (!placed) static_cast<void>(life_.change(GuestState::Created, GuestState::Failed));  // the devices overlap
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
        .code = {environment_.memory->pointer(resources_.code.base), resources_.code.size},
        .code_base = resources_.code.base,
    };
}

LoadStatus Guest::start() {
    const auto placement = plan_guest(config_);
    if (!placement) return std::unexpected(placement.error());
    starts_.fetch_add(1, std::memory_order_relaxed);
    was_told_ = false;
    load_images(config_, *placement, {ram_.pointer(ram_.base(), ram_.size()), ram_.size()});
    if (auto written = write_device_tree(*placement); !written) return written;

    // A new Shadow over the whole pool. No hart uses the old tables, and what harts remember of them they forget when
    // one of the vCPUs, which are all new to them, comes there.
    {
        const LockGuard guard(shadow_lock_);
        shadow_.reset();
        const HostRange pool = resources_.pool;
        pool_.emplace(std::span{environment_.memory->pointer(pool.base), pool.size}, pool.base);
        shadow_.emplace(ram_, *pool_, shadow_options(), resources_.metadata);
    }
    reset_vcpus();
    {
        const LockGuard guard(devices_lock_);
        reset_devices();
    }
    Vcpu& first = vcpus_[0];
    first.hart().pc = placement->entry.raw;
    first.hart().set_x(10, 0);
    first.hart().set_x(11, placement->fdt.base.raw);
    first.state = sbi::hsm::Started;
    // Unless somebody has changed their mind meanwhile, if only for a moment.
    if (life_.begin()) tell_vcpus();
    return {};
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
    entropy.starts = starts_.load(std::memory_order_relaxed);
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
