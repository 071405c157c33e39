// SPDX-License-Identifier: MIT
#include "emul/mmio.hpp"

#include <algorithm>
#include <span>

namespace uc {
namespace {

[[nodiscard]] constexpr u64 low_bytes(u64 value, unsigned width) {
    return width >= 8 ? value : value & ((1ull << (8 * width)) - 1);
}

/// What lands in the register: integers are extended, floating-point values NaN-boxed (Unprivileged, 12.2).
[[nodiscard]] u64 loaded_value(const MemoryInsn& insn, u64 value) {
    value = low_bytes(value, insn.width);
    if (insn.fp) return value | ~low_bytes(~0ull, insn.width);
    return insn.sign_extend ? sign_extend(value, 8u * insn.width) : value;
}

[[nodiscard]] bool load(GuestHart& hart, Host& host, const Bus::Target& target, const MemoryInsn& insn) {
    const std::optional<u64> value = target.device.read(target.offset, insn.width);
    if (!value) return false;
    if (insn.fp) {
        host.write_fp(insn.reg, loaded_value(insn, *value));
        hart.sstatus.set(Sstatus::FS, static_cast<u64>(ExtState::Dirty));
    } else {
        hart.set_x(insn.reg, loaded_value(insn, *value));
    }
    return true;
}

[[nodiscard]] bool store(const GuestHart& hart, Host& host, const Bus::Target& target, const MemoryInsn& insn) {
    const u64 value = insn.fp ? host.read_fp(insn.reg) : hart.get_x(insn.reg);
    return target.device.write(target.offset, insn.width, low_bytes(value, insn.width));
}

}  // namespace

bool Bus::add(Gpa base, u64 size, Device& device) {
    if (size == 0 || count_ == kCapacity || size - 1 > ~base.raw) return false;
    const Window added{base.raw, base.raw + (size - 1), &device};
    const auto overlaps = [&](const Window& w) { return added.first <= w.last && w.first <= added.last; };
    if (std::ranges::any_of(std::span{windows_}.first(count_), overlaps)) return false;
    windows_[count_++] = added;
    return true;
}

std::optional<Bus::Target> Bus::find(Gpa address, u64 width) const {
    for (const Window& w : std::span{windows_}.first(count_)) {
        if (address.raw < w.first || address.raw > w.last) continue;
        if (width - 1 > w.last - address.raw) return std::nullopt;
        return Target{*w.device, address.raw - w.first};
    }
    return std::nullopt;
}

Outcome access_device(GuestHart& hart, Host& host, const Bus& bus, const MemoryInsn& insn, Gpa gpa, Gva gva) {
    // Another hart may have rewritten the instruction since it trapped. One that F registers are off for never got
    // as far as an access: let the hart find out by itself, our own read of the register would trap.
    if (insn.fp && hart.sstatus.get(Sstatus::FS) == static_cast<u64>(ExtState::Off)) return Outcome::retry();

    const Outcome fault = Outcome::inject({access_fault(insn.access), gva.raw});
    if (insn.amo || !is_aligned(gpa.raw, insn.width)) return fault;
    const std::optional<Bus::Target> target = bus.find(gpa, insn.width);
    if (!target) return fault;
    const bool done = insn.access == Access::Load ? load(hart, host, *target, insn) : store(hart, host, *target, insn);
    return done ? Outcome::advance(insn.length) : fault;
}

}  // namespace uc
