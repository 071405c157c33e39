// SPDX-License-Identifier: MIT
#include "hv/arch/secondary.hpp"

#include "hv/arch/csr_access.hpp"
#include "hv/arch/hart_entry.h"
#include "hv/arch/sbi_call.hpp"
#include "hv/arch/symbols.hpp"
#include "hv/arch/window.hpp"

namespace uc::arch {

static_assert(offsetof(HartEntry, satp) == ENTRY_SATP && offsetof(HartEntry, continue_at) == ENTRY_CONTINUE &&
              offsetof(HartEntry, stack_top) == ENTRY_STACK && offsetof(HartEntry, argument) == ENTRY_ARGUMENT &&
              offsetof(HartEntry, refused) == ENTRY_REFUSED && offsetof(HartEntry, hart) == ENTRY_HART);

namespace {

constexpr u64 kStackSize = 32 * kKiB;

// The image's own symbols, on the bus.
u64 bus_address(const char* symbol) {
    return (window.image + (reinterpret_cast<u64>(symbol) - reinterpret_cast<u64>(uc_image_start))).raw;
}

}  // namespace

SecondaryHart* SecondaryHart::start(const HostHart& host, HostMap& map, HostMemory& memory) {
    const u64 size = align_up(sizeof(SecondaryHart), kPageSize);
    const auto place = memory.allocate(size, kPageSize);
    const auto stack = place ? memory.allocate(kStackSize, kPageSize) : std::nullopt;
    // Mapped apart, with nothing below: running over its end traps.
    const Hva stack_at = stack ? map.map_apart(*stack, kStackSize) : Hva{};
    if (stack_at.raw == 0) {
        log_warn("hart {} is not used: there is no memory for it", host.id);
        if (place) memory.free({*place, size});
        if (stack) memory.free({*stack, kStackSize});
        return nullptr;
    }
    auto* hart = new (memory.pointer(*place)) SecondaryHart(host);
    hart->entry_ = {map.satp(),
                    reinterpret_cast<u64>(uc_secondary_continue),
                    (stack_at + kStackSize).raw,
                    reinterpret_cast<u64>(hart),
                    0,
                    host.id};
    // One that was given up may come just now: it must not find the entry before what is in it.
    std::atomic_thread_fence(std::memory_order_release);
    uc_expected_entry = physical(Hva{reinterpret_cast<u64>(&hart->entry_)}).raw;
    fence_interrupts();  // what it finds is there before it is asked to come
    const sbi::Ret ret = sbi_call(sbi::Ext::Hsm, sbi::hsm::Start, host.id, bus_address(uc_secondary_start), 0);
    const bool asked = ret.error == sbi::Error::Success, ready = asked && hart->wait_until_ready();
    uc_expected_entry = 0;
    if (ready) return hart;
    if (!asked) {
        log_warn("hart {} is not used: firmware does not start it (error {})", host.id, static_cast<i64>(ret.error));
    } else {
        log_warn("hart {} is not used: {}", host.id,
                 hart->entry_.refused != 0 ? "it lacks the translation mode" : "it was started and did not arrive");
    }
    // Its memory stays with it: it may still come.
    return nullptr;
}

bool SecondaryHart::wait_until_ready() {
    constexpr u64 kTries = 1'000'000'000;  // seconds, where there is no clock to ask yet
    const auto* refused = static_cast<const volatile u64*>(&entry_.refused);
    for (u64 tries = 0; tries < kTries && *refused == 0; ++tries) {
        if (stage_.load(std::memory_order_acquire) == Stage::Ready) return true;
    }
    Stage expected = Stage::Starting;
    return !stage_.compare_exchange_strong(expected, Stage::GivenUp);
}

void SecondaryHart::release(const Hart::Machine& common) {
    common_ = common;
    stage_.store(Stage::Released, std::memory_order_release);
    fence_interrupts();
    sbi_call(sbi::Ext::Ipi, sbi::ipi::SendIpi, 1, id_);
}

void SecondaryHart::main() {
    abilities_ = probe_hart(named_sstc_);
    Stage expected = Stage::Starting;
    if (!stage_.compare_exchange_strong(expected, Stage::Ready)) return;
    csr_write<CsrNo::sie>(irq_bit(Irq::SSI));
    while (stage_.load(std::memory_order_acquire) != Stage::Released) {
        wait_for_interrupt();
        csr_clear<CsrNo::sip>(irq_bit(Irq::SSI));
        fence_interrupts();
    }
    sfence_all();  // the hypervisor's tables have grown meanwhile
    hart_.init(id_, abilities_, common_);
    hart_.start();
    runner_->run();
}

}  // namespace uc::arch
