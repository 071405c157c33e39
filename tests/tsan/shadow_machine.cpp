// SPDX-License-Identifier: MIT
#include "tests/tsan/shadow_machine.hpp"

namespace uc::stress {

std::byte* ShadowMachine::aligned(Pages& pages) {
    const auto at = reinterpret_cast<u64>(pages.data());
    return pages.data() + (align_up(at, kPageSize) - at);
}

ShadowMachine::ShadowMachine(const ShadowScenario& scenario, u64 seed)
    : pages_(scenario.pages),
      copies_(scenario.copies),
      ram_bytes_(kGuestSize + kPageSize),
      pool_bytes_((u64{pages_} + 1) * kPageSize),
      code_bytes_((u64{copies_} + 1) * kPageSize),
      metadata_(Shadow::metadata_size(kGuestSize, pages_, kShadowVcpus, copies_) / sizeof(u64) + 1),
      window_{Pte{{0x0123'4cfull}}, Pte{{0x0456'40full | Pte::G.mask}}} {
    ram_ = std::make_unique<GuestRam>(kGuestBase, kGuestHost, std::span{aligned(ram_bytes_), kGuestSize});
    pool_ = std::make_unique<FramePool>(std::span{aligned(pool_bytes_), u64{pages_} * kPageSize}, kPoolHost);
    const ShadowOptions options{
        .window = {SatpMode::Sv39, kWindowSlot, static_cast<unsigned>(window_.size()), window_.data()},
        .vcpus = kShadowVcpus,
        .flusher = this,
        .host_asid_bits = scenario.asid_bits,
        .update_ad = true,
        .code = {aligned(code_bytes_), u64{copies_} * kPageSize},
        .code_base = kCodeHost,
    };
    shadow_ = std::make_unique<Shadow>(*ram_, *pool_, options, std::as_writable_bytes(std::span{metadata_}));
    for (unsigned i = 0; i < kShadowVcpus; ++i) {
        cpus_[i].id = i;
        cpus_[i].random.seed(static_cast<unsigned>(seed * kShadowVcpus + i + 1));
        queue_.push_back(&cpus_[i]);
    }
}

std::byte* ShadowMachine::memory(Hpa hpa) const {
    if (is_memory(hpa)) return ram_->pointer(kGuestBase + (hpa - kGuestHost), 1);
    return aligned(const_cast<Pages&>(code_bytes_)) + (hpa - kCodeHost);
}

const u64* ShadowMachine::entry(Hpa table, unsigned index) const {
    if (table - kPoolHost >= u64{pages_} * kPageSize) return nullptr;
    return reinterpret_cast<const u64*>(pool_->frame(table)) + index;
}

bool ShadowMachine::has_window(Hpa root) const {
    for (unsigned i = 0; i < window_.size(); ++i) {
        Pte found{{__atomic_load_n(entry(root, kWindowSlot + i), __ATOMIC_ACQUIRE)}};
        if (found.set(Pte::RSW, 0).raw != window_[i].raw) return false;
    }
    return true;
}

// As the hypervisor does it: post to all first, then wait for those that were in the guest.
void ShadowMachine::tell_others(const GuestCpu& from, bool fence, bool fetch) {
    std::vector<std::pair<GuestCpu*, u64>> tickets;
    for (GuestCpu& cpu : cpus_) {
        if (&cpu == &from) continue;
        for (const Request request : {Request::FenceI, Request::Fence}) {
            if (request == Request::Fence ? !fence : !fetch) continue;
            const Posted posted = cpu.mailbox.post(request);
            if (posted.then == Posted::Then::Interrupt) harts_[posted.hart].send();
            if (posted.then == Posted::Then::Wake) fail("a fence wakes nobody");
            tickets.emplace_back(&cpu, posted.ticket);
        }
    }
    for (const auto& [cpu, ticket] : tickets) cpu->mailbox.await(ticket, [] { std::this_thread::yield(); });
}

void ShadowMachine::flush_now(const TlbFlush& owed) {
    ShadowHart& from = *ShadowHart::current();
    from.forget(owed);
    // What is wrong before a flush, or right after, shall have the time to show.
    from.dawdle();
    tell_others(from.cpu(), owed.kind != TlbFlush::Kind::None, owed.fetch);
    from.dawdle();
}

void ShadowMachine::fence_i(ShadowHart& from) { tell_others(from.cpu(), false, true); }

GuestCpu* ShadowMachine::take_cpu() {
    const std::lock_guard guard(queue_lock_);
    GuestCpu* const cpu = queue_.front();  // there are more than harts
    queue_.pop_front();
    return cpu;
}

void ShadowMachine::give_cpu(GuestCpu* cpu) {
    const std::lock_guard guard(queue_lock_);
    queue_.push_back(cpu);
}

}  // namespace uc::stress
