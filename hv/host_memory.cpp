// SPDX-License-Identifier: MIT
#include "hv/host_memory.hpp"

#include <algorithm>

namespace uc {

void HostMemory::insert(unsigned i, HostRange range) {
    if (!ranges_.insert(i, range)) lost_ += range.size;
}

void HostMemory::merge(HostRange range) {
    Hpa base = range.base, end = range.end();
    unsigned i = 0;
    while (i < ranges_.size() && ranges_[i].end() < base) ++i;
    while (i < ranges_.size() && ranges_[i].base <= end) {
        base = std::min(base, ranges_[i].base);
        end = std::max(end, ranges_[i].end());
        ranges_.erase(i);
    }
    insert(i, {base, end - base});
}

void HostMemory::cut(HostRange range) {
    for (unsigned i = 0; i < ranges_.size();) {
        const HostRange old = ranges_[i];
        if (old.end() <= range.base || old.base >= range.end()) {
            ++i;
            continue;
        }
        ranges_.erase(i);
        if (old.base < range.base) insert(i++, {old.base, range.base - old.base});
        if (old.end() > range.end()) insert(i++, {range.end(), old.end() - range.end()});
    }
}

void HostMemory::add(HostRange range) {
    const Hpa base{align_up(range.base.raw, kPageSize)};
    const Hpa end{align_down(range.end().raw, kPageSize)};
    if (range.end() < range.base || end <= base) return;
    const LockGuard guard(lock_);
    merge({base, end - base});
}

void HostMemory::remove(HostRange range) {
    const Hpa base{align_down(range.base.raw, kPageSize)};
    const Hpa end = range.end() < range.base ? Hpa{~0ull} : Hpa{align_up(range.end().raw, kPageSize)};
    const LockGuard guard(lock_);
    cut({base, end - base});
}

std::optional<Hpa> HostMemory::allocate(u64 size, u64 align) {
    if (size == 0 || !is_aligned(size, kPageSize)) return std::nullopt;
    const LockGuard guard(lock_);
    std::optional<Hpa> best;
    u64 best_size = ~0ull;
    for (const HostRange& r : ranges_) {
        if (r.size < size || r.size > best_size) continue;
        const Hpa at{align_down((r.end() - size).raw, align)};
        const bool splits = at > r.base && at + size < r.end();
        if (at < r.base || (splits && ranges_.size() == ranges_.capacity())) continue;
        best = at;
        best_size = r.size;
    }
    if (!best) return std::nullopt;
    cut({*best, size});
    used_ += size;
    return best;
}

void HostMemory::free(HostRange range) {
    if (range.size == 0) return;
    const LockGuard guard(lock_);
    const auto overlaps = [&](const HostRange& r) { return r.base < range.end() && range.base < r.end(); };
    if (range.size > used_ || std::any_of(ranges_.begin(), ranges_.end(), overlaps)) __builtin_trap();
    merge(range);
    used_ -= range.size;
}

u64 HostMemory::available() const {
    const LockGuard guard(lock_);
    u64 sum = 0;
    for (const HostRange& r : ranges_) sum += r.size;
    return sum;
}

u64 HostMemory::used() const {
    const LockGuard guard(lock_);
    return used_;
}

u64 HostMemory::lost() const {
    const LockGuard guard(lock_);
    return lost_;
}

u64 HostMemory::largest(u64 align) const {
    const LockGuard guard(lock_);
    u64 best = 0;
    for (const HostRange& r : ranges_) {
        const u64 start = align_up(r.base.raw, align);
        if (start < r.end().raw) best = std::max(best, r.end().raw - start);
    }
    return best;
}

HostMemory::Ranges HostMemory::free_ranges() const {
    const LockGuard guard(lock_);
    return ranges_;
}

}  // namespace uc
