// SPDX-License-Identifier: MIT
#pragma once
// Copies of guest pages that supervisors execute in place of the originals, with privileged instructions replaced.
// docs/replacing.md explains why and how.

#include "isa/types.hpp"

#include <algorithm>
#include <cstring>
#include <span>

namespace uc {

/// `ecall`, which stands for every replaced instruction: firmware hands it to S-mode without a detour.
inline constexpr u32 kEcall = 0x0000'0073;

/// A ring of page-sized copies. Storage only: who maps a copy and when it is outdated is for others to know. Not safe
/// for concurrent use; the owner's lock covers it.
class CodeCopies {
  public:
    /// `bytes`, aligned to 4 KiB, lies at `base` on the bus. `sources` has a word for each frame in it.
    CodeCopies(std::span<std::byte> bytes, Hpa base, u32* sources)
        : bytes_(bytes.data()), base_(base), capacity_(static_cast<u32>(bytes.size() / kPageSize)), sources_(sources) {
        for (u32 i = 0; i < capacity_; ++i) sources_[i] = kFree;
    }

    static constexpr u32 kFree = ~0u;

    [[nodiscard]] u32 capacity() const { return capacity_; }
    [[nodiscard]] Hpa hpa(u32 copy) const { return base_ + u64{copy} * kPageSize; }
    [[nodiscard]] bool contains(Hpa hpa) const { return hpa - base_ < u64{capacity_} * kPageSize; }
    /// The copy at `hpa`, which is contained.
    [[nodiscard]] u32 index(Hpa hpa) const { return static_cast<u32>((hpa - base_) / kPageSize); }
    /// What a copy is of, as its owner named it; kFree: of nothing.
    [[nodiscard]] u32 source(u32 copy) const { return sources_[copy]; }

    /// How many there are; looks at all.
    [[nodiscard]] u32 in_use() const {
        return capacity_ - static_cast<u32>(std::count(sources_, sources_ + capacity_, kFree));
    }
    /// The copy whose turn it is to be overwritten: a free one if any of the next few is. Capacity must not be 0.
    [[nodiscard]] u32 next() {
        for (u32 tries = 0; tries < kTries; ++tries) {
            hand_ = hand_ + 1 < capacity_ ? hand_ + 1 : 0;
            if (sources_[hand_] == kFree) break;
        }
        return hand_;
    }
    void claim(u32 copy, u32 source) { sources_[copy] = source; }
    void fill(u32 copy, const std::byte* page) { std::memcpy(at(copy), page, kPageSize); }
    void free(u32 copy) { sources_[copy] = kFree; }
    /// The 16-bit parcel at `offset`, which is even.
    [[nodiscard]] u16 parcel(u32 copy, u64 offset) const {
        return __atomic_load_n(reinterpret_cast<const u16*>(at(copy) + offset), __ATOMIC_RELAXED);
    }

    /// Replaces the four bytes at `offset`, a multiple of 2 below 4093. Harts fetch parcels of 16 bits: one that
    /// executes there meanwhile may find either half replaced alone (shadow_replace.cpp).
    void replace(u32 copy, u64 offset) {
        std::byte* const to = at(copy) + offset;
        if (is_aligned(offset, sizeof(u32))) {
            __atomic_store_n(reinterpret_cast<u32*>(to), kEcall, __ATOMIC_RELAXED);
            return;
        }
        auto* const parcels = reinterpret_cast<u16*>(to);
        __atomic_store_n(parcels + 1, static_cast<u16>(kEcall >> 16), __ATOMIC_RELAXED);
        __atomic_store_n(parcels, static_cast<u16>(kEcall), __ATOMIC_RELEASE);
    }

  private:
    static constexpr u32 kTries = 16;

    [[nodiscard]] std::byte* at(u32 copy) const { return bytes_ + u64{copy} * kPageSize; }

    std::byte* bytes_;
    Hpa base_;
    u32 capacity_;
    u32* sources_;
    u32 hand_ = 0;
};

}  // namespace uc
