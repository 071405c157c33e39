// SPDX-License-Identifier: MIT
#include "tests/mm/fake_machine.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace uc::test {

FakeMachine::Memory FakeMachine::allocate(u64 size) {
    auto* bytes = static_cast<std::byte*>(std::aligned_alloc(kPageSize, size));
    std::memset(bytes, 0xcc, size);  // nobody may count on zeros
    return Memory(bytes);
}

FakeMachine::FakeMachine(const MachineConfig& config)
    : config_(config),
      ram_bytes_(allocate(config.ram_size)),
      pool_bytes_(allocate(u64{config.pages} * kPageSize)),
      code_bytes_(allocate(u64{config.copies} * kPageSize)),
      metadata_(
          Shadow::metadata_size(config.ram_size, config.pages, config.options.vcpus, config.copies) / sizeof(u64) + 1,
          0xcccc'cccc'cccc'ccccull),
      tlbs_(config.options.vcpus),
      random_(config.seed) {
    window_ = {Pte{{0x0123'4cfull}}, Pte{{0x0456'40full | Pte::G.mask}}};
    ShadowOptions options = config.options;
    // With one vCPU nothing is asked for.
    options.flusher = options.vcpus > 1 ? this : nullptr;
    options.window.first_slot = kWindowSlot;
    options.window.slots = static_cast<unsigned>(window_.size());
    options.window.entries = window_.data();
    options.code = {code_bytes_.get(), u64{config.copies} * kPageSize};
    options.code_base = kCodeHost;
    std::memset(ram_bytes_.get(), 0, config.ram_size);
    ram_ = std::make_unique<GuestRam>(kRamBase, kRamHost + config.host_offset,
                                      std::span{ram_bytes_.get(), config.ram_size});
    pool_ = std::make_unique<FramePool>(std::span{pool_bytes_.get(), u64{config.pages} * kPageSize}, kPoolHost);
    shadow_ = std::make_unique<Shadow>(*ram_, *pool_, options, std::as_writable_bytes(std::span{metadata_}));
}

void FakeMachine::apply(unsigned vcpu, const TlbFlush& flush) {
    if (flush.kind != TlbFlush::Kind::None) ++flushes;
    if (!flush.local && interlude) interlude();
    for (unsigned i = 0; i < tlbs_.size(); ++i) {
        if (flush.local && i != vcpu) continue;
        Tlb& tlb = tlbs_[i];
        switch (flush.kind) {
            case TlbFlush::Kind::None: break;
            case TlbFlush::Kind::Page:
                std::erase_if(tlb.leaves, [&](const auto& e) { return e.first.second == flush.va.frame(); });
                break;
            case TlbFlush::Kind::Asid:
                std::erase_if(tlb.leaves, [&](const auto& e) { return e.first.first == flush.asid; });
                std::erase_if(tlb.pointers, [&](const auto& e) { return std::get<0>(e.first) == flush.asid; });
                break;
            case TlbFlush::Kind::All:
                tlb.leaves.clear();
                tlb.pointers.clear();
                break;
        }
    }
}

void FakeMachine::flush_now(const TlbFlush& owed) {
    discharged.push_back(owed);
    apply(calling_, owed);
}

bool FakeMachine::has_root(unsigned vcpu) const {
    if (tlbs_[vcpu].satp == 0) return true;
    const Satp satp{{tlbs_[vcpu].satp}};
    const std::byte* root = pool_->frame(pool_->index(Hpa{satp.get(Satp::PPN) << kPageShift}));
    for (unsigned i = 0; i < window_.size(); ++i) {
        Pte entry;
        std::memcpy(&entry.raw, root + (kWindowSlot + i) * sizeof(u64), sizeof(u64));
        if (entry.set(Pte::RSW, 0).raw != window_[i].raw) return false;
    }
    return true;
}

std::optional<Result> FakeMachine::glimpse(unsigned vcpu, Gva gva, Access access) {
    if (tlbs_[vcpu].satp == 0) return std::nullopt;
    Hpa hpa;
    const Walk walk = translate(tlbs_[vcpu], gva, access, hpa);
    if (walk == Walk::Fault || (walk == Walk::Ok && in_code(hpa))) return std::nullopt;
    if (walk == Walk::Broken) return Result{Result::Broken, {}, {}, false};
    return Result{Result::Ok, ram_->gpa(hpa), {}, false};
}

void FakeMachine::activate(unsigned vcpu, const Shadow::View& view) {
    calling_ = vcpu;
    const auto activation = shadow_->activate(vcpu, view);
    last_flush = activation.flush;
    tlbs_[vcpu].satp = activation.host_satp;  // and only then the flush, as the run loop does
    tlbs_[vcpu].view = view;
    apply(vcpu, activation.flush);
    EXPECT_TRUE(has_root(vcpu));
}

/// A walk of the host's tables, from the root or from any pointer that a hart may have cached.
FakeMachine::Walk FakeMachine::walk_host(Tlb& tlb, Gva gva, Leaf& leaf) {
    const Satp satp{{tlb.satp}};
    const u16 asid = static_cast<u16>(satp.get(Satp::ASID));
    Hpa table{satp.get(Satp::PPN) << kPageShift};
    unsigned level = levels(satp.mode()) - 1;
    for (unsigned at = 0; at < level && config_.caching_tlb; ++at) {
        const auto cached = tlb.pointers.find({asid, at, gva.raw >> level_shift(at + 1)});
        if (cached != tlb.pointers.end() && chance(80)) {
            table = cached->second;
            level = at;
        }
    }
    for (;; --level) {
        if (table < kPoolHost || table >= kPoolHost + u64{config_.pages} * kPageSize) return Walk::Broken;
        Pte pte;
        std::memcpy(&pte.raw, pool_->frame(pool_->index(table)) + pte_index(gva.raw, level) * sizeof(u64), sizeof(u64));
        if (!pte.get(Pte::V)) return Walk::Fault;
        const Hpa target{pte.get(Pte::PPN) << kPageShift};
        if (!pte.is_leaf()) {
            if (level == 0) return Walk::Broken;
            if (pte.get(Pte::RSW)) return Walk::Fault;  // the window's own tables: supervisor only
            if (config_.caching_tlb && chance(60))
                tlb.pointers[{asid, level - 1, gva.raw >> level_shift(level)}] = target;
            table = target;
            continue;
        }
        if (!pte.get(Pte::U)) return Walk::Fault;
        const bool sane = pte.get(Pte::A) && (!pte.get(Pte::W) || (pte.get(Pte::R) && pte.get(Pte::D))) &&
                          is_aligned(target.raw, level_size(level)) && !pte.get(Pte::G);
        const Hpa page = Hpa{target.raw + align_down(gva.raw & (level_size(level) - 1), kPageSize)};
        const bool memory = page >= ram_->hpa(kRamBase) && page < ram_->hpa(kRamBase) + config_.ram_size;
        const bool code = in_code(page) && level == 0 && (pte.raw & kRights) == Pte::X.mask;
        if (!sane || (!memory && !code)) return Walk::Broken;
        leaf = {page, pte.raw & kRights, false};
        return Walk::Ok;
    }
}

/// Which of the guest's memory an access at `hpa` gets to. A copy of code must agree with it, but for ecalls.
FakeMachine::Walk FakeMachine::identify(Hpa hpa, Access access, Gpa& gpa) {
    if (!in_code(hpa)) {
        gpa = ram_->gpa(hpa);
        return Walk::Ok;
    }
    if (access != Access::Fetch) return Walk::Broken;
    const Gpa page = shadow_->shown_by(host_leaf(Hpa{align_down(hpa.raw, kPageSize)}, 0, 0));
    if (!ram_->contains(page, kPageSize)) return Walk::Broken;  // the copy is in use no more
    gpa = page + hpa.page_offset();
    u16 copied;  // one half of an instruction
    std::memcpy(&copied, code_bytes_.get() + align_down(hpa - kCodeHost, 2), sizeof copied);
    const u16 original = ram_->load_parcel(Gpa{align_down(gpa.raw, 2)}).value();
    return copied == original || copied == (kEcall & 0xffff) || copied == kEcall >> 16 ? Walk::Ok : Walk::Broken;
}

std::optional<u32> FakeMachine::fetched(unsigned vcpu, Gva gva) {
    Hpa hpa;
    if (translate(tlbs_[vcpu], gva, Access::Fetch, hpa) != Walk::Ok) return std::nullopt;
    u32 word;
    const std::byte* from = in_code(hpa) ? code_bytes_.get() + (hpa - kCodeHost) : ram_->pointer(ram_->gpa(hpa), 4);
    std::memcpy(&word, from, sizeof word);
    return word;
}

FakeMachine::Walk FakeMachine::translate(Tlb& tlb, Gva gva, Access access, Hpa& hpa) {
    const Satp satp{{tlb.satp}};
    if (!is_canonical(gva.raw, satp.mode())) return Walk::Fault;
    const u64 needed = access == Access::Fetch ? Pte::X.mask : access == Access::Load ? Pte::R.mask : Pte::W.mask;
    const std::pair key{static_cast<u16>(satp.get(Satp::ASID)), gva.frame()};
    const auto hit = tlb.leaves.find(key);
    if (hit != tlb.leaves.end()) {
        if (!hit->second.failed && (hit->second.rights & needed)) {
            hpa = hit->second.page + gva.page_offset();
            return Walk::Ok;
        }
        if (chance(50)) return Walk::Fault;  // some harts believe their TLB, others look again
    }
    Leaf leaf{};
    const Walk walk = walk_host(tlb, gva, leaf);
    if (walk == Walk::Fault && config_.caching_tlb && chance(10)) tlb.leaves[key] = {Hpa{}, 0, true};
    if (walk != Walk::Ok) return walk;
    if (config_.caching_tlb && chance(70)) tlb.leaves[key] = leaf;
    hpa = leaf.page + gva.page_offset();
    return leaf.rights & needed ? Walk::Ok : Walk::Fault;
}

Result FakeMachine::access(unsigned vcpu, const Shadow::View& view, Gva gva, Access access) {
    activate(vcpu, view);
    for (unsigned attempt = 0; attempt < 12; ++attempt) {
        Hpa hpa;
        Gpa gpa;
        Walk walk = translate(tlbs_[vcpu], gva, access, hpa);
        if (walk == Walk::Ok) walk = identify(hpa, access, gpa);
        switch (walk) {
            case Walk::Ok: return {Result::Ok, gpa, {}, false};
            case Walk::Broken: return {Result::Broken, {}, {}, false};
            case Walk::Fault: break;
        }
        ++faults;
        const auto result = shadow_->handle_fault(vcpu, view, gva, access);
        last_flush = result.flush;
        apply(vcpu, result.flush);
        using Kind = Shadow::FaultResult::Kind;
        if (result.kind == Kind::Inject) return {Result::Inject, {}, result.cause, result.window_conflict};
        if (result.kind == Kind::Device) return {Result::Device, result.gpa, {}, false};
    }
    return {Result::Stuck, {}, {}, false};
}

}  // namespace uc::test
