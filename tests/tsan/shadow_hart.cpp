// SPDX-License-Identifier: MIT
// A hart: what it remembers, when it is in the guest, and how it traps.
#include "tests/tsan/shadow_machine.hpp"

namespace uc::stress {

namespace {

thread_local ShadowHart* the_hart = nullptr;

u64 load(const u64* at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }

/// What a hart does on its own account while it works for the hypervisor may meet tables that are being made: all that
/// comes of it is forgotten in time.
__attribute__((no_sanitize("thread"), noinline)) u64 load_unseen(const u64* at) {
    return *const_cast<const volatile u64*>(at);
}

}  // namespace

ShadowHart* ShadowHart::current() { return the_hart; }

void ShadowHart::arrive(GuestCpu& cpu) {
    the_hart = this;
    cpu_ = &cpu;
    activated_ = false;
    cpu.mailbox.arrive(number_);
}

void ShadowHart::depart() {
    go_outside();
    satp_ = 0;
    if (chance(50)) static_cast<void>(cpu_->mailbox.sleep());
    cpu_ = nullptr;
}

void ShadowHart::set_view(const Shadow::View& view) {
    if (view == cpu_->view) return;
    cpu_->view = view;
    activated_ = false;
}

void ShadowHart::go_outside() {
    if (!inside_) return;
    cpu_->mailbox.leave();
    inside_ = false;
    speculate();
}

/// Into the guest, or on with it if nobody interrupts.
void ShadowHart::go_inside() {
    while (!inside_ || !activated_ || m_.hart(number_).pending()) {
        if (m_.hart(number_).pending()) {
            m_.hart(number_).take();
            go_outside();
        }
        if (!inside_) {
            const Requests requests = cpu_->mailbox.enter();
            if (requests.any()) {
                if (satp_ != 0 && !m_.has_window(root())) fail("a hart runs on a root that is none");
                if (requests.has(Request::FenceI)) fetched_.clear();
                if (requests.has(Request::Fence)) {
                    forget(TlbFlush::all());
                    activated_ = false;
                    speculate();
                }
                continue;
            }
            inside_ = true;
        }
        if (!activated_) choose_root();
    }
}

void ShadowHart::choose_root() {
    activated_ = true;
    if (const auto known = m_.shadow().try_activate(cpu_->id, cpu_->view)) {
        if (chance(20)) std::this_thread::yield();
        satp_ = known->host_satp;
        forget(known->flush);
    } else {
        locked([this](Shadow& shadow) {
            const auto activation = shadow.activate(cpu_->id, cpu_->view);
            satp_ = activation.host_satp;
            return activation.flush;
        });
    }
    if (!m_.has_window(root())) fail("a hart turns to a root that is none");
}

void ShadowHart::forget(const TlbFlush& flush) {
    if (flush.fetch) fetched_.clear();
    switch (flush.kind) {
        case TlbFlush::Kind::None: break;
        case TlbFlush::Kind::Page:
            std::erase_if(leaves_, [&](const auto& e) { return (e.first ^ flush.va.frame()) << 16 == 0; });
            break;
        case TlbFlush::Kind::Asid:
        case TlbFlush::Kind::All:
            leaves_.clear();
            pointers_.clear();
            break;
    }
}

void ShadowHart::discharge(const TlbFlush& flush) {
    if (flush.empty()) return;
    if (flush.local) {
        forget(flush);
    } else {
        m_.flush_now(flush);
    }
}

/// Something that was used lately, or lies near it, is walked to although nobody asked.
void ShadowHart::speculate() {
    if (satp_ == 0 || !chance(60)) return;
    const Gva va{last_.raw ^ (random_() % 16 << kPageShift)};
    if (const auto leaf = walk(va, load_unseen, false)) leaves_[asid() << 48 | va.frame()] = *leaf;
}

template <class Load>
std::optional<ShadowHart::Leaf> ShadowHart::walk(Gva va, Load load, bool trusted) {
    const auto key = [&](unsigned level) { return asid() << 48 | u64{level} << 40 | va.raw >> level_shift(level + 1); };
    Hpa table = root();
    unsigned level = 2;
    for (unsigned at = 0; at < level; ++at) {
        const auto cached = pointers_.find(key(at));
        if (cached != pointers_.end() && chance(80)) {
            table = cached->second;
            level = at;
        }
    }
    for (;; --level) {
        const u64* const at = m_.entry(table, pte_index(va.raw, level));
        if (at == nullptr) {
            if (trusted) fail("a hart walks out of the tables");
            return std::nullopt;
        }
        const Pte pte{{load(at)}};
        const Hpa target{pte.get(Pte::PPN) << kPageShift};
        if (!pte.get(Pte::V)) return std::nullopt;
        if (pte.is_leaf()) {
            const bool sane = pte.get(Pte::U) && pte.get(Pte::A) && is_aligned(target.raw, level_size(level)) &&
                              (ShadowMachine::is_memory(target) || target - kCodeHost < kMiB);
            if (!sane && trusted) fail("a hart finds a leaf that nobody made");
            if (!sane) return std::nullopt;
            return Leaf{target + align_down(va.raw & (level_size(level) - 1), kPageSize), pte.raw & kRights};
        }
        if (level == 0) {
            if (trusted) fail("a hart finds a pointer that nobody made");
            return std::nullopt;
        }
        if (chance(60)) pointers_[key(level - 1)] = target;
        table = target;
    }
}

std::optional<Hpa> ShadowHart::translate(Gva va, Access access) {
    const u64 needed = access == Access::Fetch ? Pte::X.mask : access == Access::Load ? Pte::R.mask : Pte::W.mask;
    const u64 key = asid() << 48 | va.frame();
    last_ = va;
    const auto hit = leaves_.find(key);
    if (hit != leaves_.end() && (hit->second.rights & needed)) return hit->second.page + va.page_offset();
    if (hit != leaves_.end() && chance(50)) return std::nullopt;
    const auto leaf = walk(va, load, true);
    if (!leaf) return std::nullopt;
    if (chance(70)) leaves_[key] = *leaf;
    if (!(leaf->rights & needed)) return std::nullopt;
    return leaf->page + va.page_offset();
}

std::optional<Hpa> ShadowHart::access(Gva va, Access access) {
    for (unsigned attempt = 0;; ++attempt) {
        if (attempt == 100'000) fail("an access gets nowhere");
        go_inside();
        if (const auto hpa = translate(va, access)) return hpa;
        bool injected = false;
        locked([&](Shadow& shadow) {
            const auto result = shadow.handle_fault(cpu_->id, cpu_->view, va, access);
            injected = result.kind == Shadow::FaultResult::Kind::Inject;
            if (result.kind == Shadow::FaultResult::Kind::Device) fail("a guest's page is no memory");
            return result.flush;
        });
        if (injected) return std::nullopt;
    }
}

u16 ShadowHart::parcel(Hpa at) {
    const auto cached = fetched_.find(at.raw);
    if (cached != fetched_.end()) return cached->second;
    const u16 found = __atomic_load_n(reinterpret_cast<const u16*>(m_.memory(at)), __ATOMIC_RELAXED);
    if (chance(80)) fetched_[at.raw] = found;
    return found;
}

u32 ShadowHart::fetch(Hpa hpa) {
    const u32 low = parcel(hpa);
    const u32 word = u32{parcel(hpa + 2)} << 16 | low;
    // What lies near it is fetched as well.
    if (chance(50) && hpa.page_offset() + kNearCode + sizeof(u32) <= kPageSize) {
        for (unsigned half = 0; half < 2; ++half) static_cast<void>(parcel(hpa + kNearCode + 2 * half));
    }
    return word;
}

u32 ShadowHart::execute(Gva pc) {
    for (;;) {
        const auto hpa = access(pc, Access::Fetch);
        if (!hpa) fail("code cannot be executed");
        const u32 word = fetch(*hpa);
        if (cpu_->view.priv == Priv::U) return word;
        if (word == kEcall) {
            if (chance(20)) std::this_thread::yield();
            const auto known = m_.shadow().known_original(cpu_->id, pc);
            u32 insn = known.value_or(kEcall);
            if (!known) {
                locked([&](Shadow& shadow) {
                    insn = shadow.original(cpu_->id, pc);
                    return TlbFlush::none();
                });
            }
            if (insn != kEcall) return insn;
            continue;  // there are none of the guest's own: the copy is gone
        }
        bool undone = false;
        locked([&](Shadow& shadow) {
            TlbFlush flush;
            undone = shadow.undo_replacement(cpu_->id, pc, word, flush);
            return flush;
        });
        if (undone) continue;
        locked([&](Shadow& shadow) { return shadow.replace(cpu_->id, pc, word); });
        return word;
    }
}

void ShadowHart::fence(std::optional<Gva> va, std::optional<u16> asid) {
    locked([&](Shadow& shadow) { return shadow.fence(va, asid); });
}

void ShadowHart::fence_i() {
    go_outside();
    fetched_.clear();
    m_.fence_i(*this);
}

}  // namespace uc::stress
