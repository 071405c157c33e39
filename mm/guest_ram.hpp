// SPDX-License-Identifier: MIT
#pragma once
// A guest's memory: one contiguous range of guest-physical addresses over one range of host memory.

#include "isa/types.hpp"

#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace uc {

/// Bounds-checked guest-physical memory. Whatever lies outside the range is a value (nullopt, false, nullptr), never a
/// crash. Guest harts and device models may touch the same bytes at any time; only `load_parcel`,
/// `load_pte` and `compare_exchange` are atomic.
class GuestRam {
  public:
    /// `bytes` is what the hypervisor dereferences, `host_base` where the machine's bus sees it. `base`, `host_base`,
    /// the pointer and the size are multiples of 4 KiB.
    GuestRam(Gpa base, Hpa host_base, std::span<std::byte> bytes)
        : bytes_(bytes.data()), size_(bytes.size()), base_(base), host_base_(host_base) {}

    [[nodiscard]] Gpa base() const { return base_; }
    [[nodiscard]] u64 size() const { return size_; }

    /// Whether all of [gpa, gpa + size) is memory; no address overflows it. An empty range at the end is inside.
    [[nodiscard]] bool contains(Gpa gpa, u64 size) const {
        const u64 offset = gpa.raw - base_.raw;  // wraps to something huge below the base
        return offset <= size_ && size <= size_ - offset;
    }

    /// Host memory behind [gpa, gpa + size), or nullptr when part of it is not memory.
    [[nodiscard]] std::byte* pointer(Gpa gpa, u64 size) const {
        return contains(gpa, size) ? bytes_ + (gpa.raw - base_.raw) : nullptr;
    }

    /// Host-physical address of `gpa`, which must be inside.
    [[nodiscard]] Hpa hpa(Gpa gpa) const { return host_base_ + (gpa - base_); }
    /// The reverse; `hpa` must lie behind this memory.
    [[nodiscard]] Gpa gpa(Hpa hpa) const { return base_ + (hpa - host_base_); }

    /// Reads a value at any alignment; nullopt outside.
    template <class T>
        requires std::is_trivially_copyable_v<T>
    [[nodiscard]] std::optional<T> load(Gpa gpa) const {
        const std::byte* from = pointer(gpa, sizeof(T));
        if (!from) return std::nullopt;
        T value;
        std::memcpy(&value, from, sizeof(T));
        return value;
    }

    /// Writes a value at any alignment; false outside.
    template <class T>
        requires std::is_trivially_copyable_v<T>
    [[nodiscard]] bool store(Gpa gpa, const T& value) {
        std::byte* to = pointer(gpa, sizeof(T));
        if (to) std::memcpy(to, &value, sizeof(T));
        return to != nullptr;
    }

    /// Reads an aligned 16-bit parcel in one piece, as a hart's fetch does; nullopt outside or misaligned.
    [[nodiscard]] std::optional<u16> load_parcel(Gpa gpa) const {
        const std::byte* from = is_aligned(gpa.raw, 2) ? pointer(gpa, 2) : nullptr;
        if (!from) return std::nullopt;
        return __atomic_load_n(reinterpret_cast<const u16*>(from), __ATOMIC_RELAXED);
    }

    /// Reads an aligned doubleword in one piece, as a hart's page-table walk does; nullopt outside or misaligned.
    [[nodiscard]] std::optional<u64> load_pte(Gpa gpa) const {
        const u64* from = doubleword(gpa);
        if (!from) return std::nullopt;
        return __atomic_load_n(from, __ATOMIC_RELAXED);
    }

    /// Replaces an aligned doubleword if it still holds `expected`; says whether it did. nullopt outside or misaligned.
    [[nodiscard]] std::optional<bool> compare_exchange(Gpa gpa, u64 expected, u64 desired) {
        u64* at = doubleword(gpa);
        if (!at) return std::nullopt;
        return __atomic_compare_exchange_n(at, &expected, desired, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }

    /// Copies out of or into memory; false, having done nothing, when part of the range is outside.
    [[nodiscard]] bool read(Gpa gpa, std::span<std::byte> out) const {
        const std::byte* from = pointer(gpa, out.size());
        if (from && !out.empty()) std::memcpy(out.data(), from, out.size());
        return from != nullptr;
    }
    [[nodiscard]] bool write(Gpa gpa, std::span<const std::byte> in) {
        std::byte* to = pointer(gpa, in.size());
        if (to && !in.empty()) std::memcpy(to, in.data(), in.size());
        return to != nullptr;
    }

  private:
    [[nodiscard]] u64* doubleword(Gpa gpa) const {
        return is_aligned(gpa.raw, 8) ? reinterpret_cast<u64*>(pointer(gpa, 8)) : nullptr;
    }

    std::byte* bytes_;
    u64 size_;
    Gpa base_;
    Hpa host_base_;
};

}  // namespace uc
