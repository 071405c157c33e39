// SPDX-License-Identifier: MIT
#include "emul/plic.hpp"

#include <bit>
#include <span>

namespace uc {
namespace {

// Register map (PLIC specification 1.0, chapter 3).
constexpr u64 kPriorityBase = 0x000000;
constexpr u64 kPendingBase = 0x001000;
constexpr u64 kEnableBase = 0x002000;
constexpr u64 kEnableStride = 0x80;
constexpr u64 kContextBase = 0x200000;
constexpr u64 kContextStride = 0x1000;
constexpr u64 kThreshold = 0;
constexpr u64 kClaimComplete = 4;

[[nodiscard]] constexpr u32 bit(unsigned source) { return 1u << (source % 32); }
[[nodiscard]] constexpr bool exists(u64 source) { return source != 0 && source < Plic::kSources; }

}  // namespace

void Plic::set(unsigned source, bool level) {
    if (!exists(source)) return;
    const unsigned word = source / 32;
    if (!level) {
        // A request that was passed on stays, and the handler finds nothing to do (chapter 7).
        level_[word] &= ~bit(source);
        return;
    }
    level_[word] |= bit(source);
    if ((in_service_[word] | pending_[word]) & bit(source)) return;
    pending_[word] |= bit(source);
    update_outputs();
}

std::optional<u64> Plic::read(u64 offset, unsigned width) {
    if (width != 4) return std::nullopt;
    return read_register(offset);
}

bool Plic::write(u64 offset, unsigned width, u64 value) {
    if (width != 4) return false;
    write_register(offset, static_cast<u32>(value));
    return true;
}

u32 Plic::read_register(u64 offset) {
    if (offset >= kContextBase) {
        Context* c = context((offset - kContextBase) / kContextStride);
        if (!c) return 0;
        switch (offset % kContextStride) {
            case kThreshold: return c->threshold;
            case kClaimComplete: return claim(*c);
            default: return 0;
        }
    }
    if (offset >= kEnableBase) {
        const Context* c = context((offset - kEnableBase) / kEnableStride);
        const u64 word = offset % kEnableStride / 4;
        return c && word < kWords ? c->enable[word] : 0;
    }
    if (offset >= kPendingBase) {
        const u64 word = (offset - kPendingBase) / 4;
        return word < kWords ? pending_[word] : 0;
    }
    const u64 source = (offset - kPriorityBase) / 4;
    return exists(source) ? priority_[source] : 0;
}

void Plic::write_register(u64 offset, u32 value) {
    if (offset >= kContextBase) {
        Context* c = context((offset - kContextBase) / kContextStride);
        if (!c) return;
        const u64 reg = offset % kContextStride;
        if (reg == kThreshold) c->threshold = value & kMaxPriority;
        if (reg == kClaimComplete) complete(*c, value);
    } else if (offset >= kEnableBase) {
        Context* c = context((offset - kEnableBase) / kEnableStride);
        const u64 word = offset % kEnableStride / 4;
        if (c && word < kWords) c->enable[word] = word == 0 ? value & ~bit(0) : value;
    } else if (offset < kPendingBase) {
        const u64 source = (offset - kPriorityBase) / 4;
        if (exists(source)) priority_[source] = static_cast<u8>(value & kMaxPriority);
    }
    update_outputs();
}

/// Supervisor contexts are the odd ones.
Plic::Context* Plic::context(u64 number) {
    return number % 2 == 1 && number / 2 < vcpus_ ? &contexts_[number / 2] : nullptr;
}

/// The pending and enabled source of the highest priority, the lowest number among equals; priority 0 is never.
Plic::Candidate Plic::best(const Context& context) const {
    Candidate found;
    for (unsigned word = 0; word < kWords; ++word) {
        for (u32 bits = pending_[word] & context.enable[word]; bits != 0; bits &= bits - 1) {
            const unsigned source = 32 * word + static_cast<unsigned>(std::countr_zero(bits));
            if (priority_[source] > found.priority) found = {source, priority_[source]};
        }
    }
    return found;
}

/// The threshold holds back notifications, not claims (chapter 8).
u32 Plic::claim(Context& context) {
    const unsigned source = best(context).source;
    if (source == 0) return 0;
    pending_[source / 32] &= ~bit(source);
    in_service_[source / 32] |= bit(source);
    update_outputs();
    return source;
}

/// Reopens the gateway, which passes a request on at once if its wire is still high. Sources that the context has not
/// enabled are ignored (chapter 9).
void Plic::complete(const Context& context, u32 source) {
    if (!exists(source)) return;
    const unsigned word = source / 32;
    if (!(context.enable[word] & in_service_[word] & bit(source))) return;
    in_service_[word] &= ~bit(source);
    pending_[word] |= level_[word] & bit(source);
}

void Plic::update_outputs() {
    for (unsigned vcpu = 0; vcpu < vcpus_; ++vcpu) {
        Context& c = contexts_[vcpu];
        const bool seip = best(c).priority > c.threshold;
        if (seip == c.seip) continue;
        c.seip = seip;
        output_.set_seip(vcpu, seip);
    }
}

void Plic::reset() {
    priority_ = {};
    in_service_ = {};
    pending_ = level_;
    for (Context& c : contexts_) {
        c.enable = {};
        c.threshold = 0;
    }
    update_outputs();
}

}  // namespace uc
