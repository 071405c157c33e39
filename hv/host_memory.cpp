// SPDX-License-Identifier: MIT
#include "hv/host_memory.hpp"

#include <algorithm>

namespace uc {

void HostMemory::erase(unsigned i) {
    std::copy(ranges_.begin() + i + 1, ranges_.begin() + count_, ranges_.begin() + i);
    --count_;
}

void HostMemory::insert(unsigned i, HostRange range) {
    if (count_ == kCapacity) return;
    std::copy_backward(ranges_.begin() + i, ranges_.begin() + count_, ranges_.begin() + count_ + 1);
    ranges_[i] = range;
    ++count_;
}

void HostMemory::add(HostRange range) {
    Hpa base{align_up(range.base.raw, kPageSize)};
    Hpa end{align_down(range.end().raw, kPageSize)};
    if (range.end() < range.base || end <= base) return;
    unsigned i = 0;
    while (i < count_ && ranges_[i].end() < base) ++i;
    while (i < count_ && ranges_[i].base <= end) {
        base = std::min(base, ranges_[i].base);
        end = std::max(end, ranges_[i].end());
        erase(i);
    }
    insert(i, {base, end - base});
}

void HostMemory::remove(HostRange range) {
    const Hpa base{align_down(range.base.raw, kPageSize)};
    const Hpa end = range.end() < range.base ? Hpa{~0ull} : Hpa{align_up(range.end().raw, kPageSize)};
    for (unsigned i = 0; i < count_;) {
        const HostRange old = ranges_[i];
        if (old.end() <= base || old.base >= end) {
            ++i;
            continue;
        }
        erase(i);
        if (old.base < base) insert(i++, {old.base, base - old.base});
        if (old.end() > end) insert(i++, {end, old.end() - end});
    }
}

std::optional<Hpa> HostMemory::allocate(u64 size, u64 align) {
    if (size == 0 || !is_aligned(size, kPageSize)) return std::nullopt;
    for (unsigned i = count_; i-- > 0;) {
        const HostRange r = ranges_[i];
        if (r.size < size) continue;
        const Hpa at{align_down((r.end() - size).raw, align)};
        if (at < r.base) continue;
        remove({at, size});
        return at;
    }
    return std::nullopt;
}

u64 HostMemory::available() const {
    u64 sum = 0;
    for (unsigned i = 0; i < count_; ++i) sum += ranges_[i].size;
    return sum;
}

u64 HostMemory::largest(u64 align) const {
    u64 best = 0;
    for (unsigned i = 0; i < count_; ++i) {
        const u64 start = align_up(ranges_[i].base.raw, align);
        if (start < ranges_[i].end().raw) best = std::max(best, ranges_[i].end().raw - start);
    }
    return best;
}

}  // namespace uc
