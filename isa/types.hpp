// SPDX-License-Identifier: MIT
#pragma once
// The words everything else is written in: integers, typed addresses, privilege and access.

#include <compare>
#include <cstddef>
#include <cstdint>

namespace uc {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using usize = std::size_t;

inline constexpr u64 kPageShift = 12;
inline constexpr u64 kPageSize = 1ull << kPageShift;
inline constexpr u64 kKiB = 1ull << 10;
inline constexpr u64 kMiB = 1ull << 20;
inline constexpr u64 kGiB = 1ull << 30;

/// Rounds down/up to a power of two.
[[nodiscard]] constexpr u64 align_down(u64 value, u64 align) { return value & ~(align - 1); }
[[nodiscard]] constexpr u64 align_up(u64 value, u64 align) { return (value + align - 1) & ~(align - 1); }
[[nodiscard]] constexpr bool is_aligned(u64 value, u64 align) { return (value & (align - 1)) == 0; }

/// Sign-extends the low `bits` (1..64) of `value`.
[[nodiscard]] constexpr u64 sign_extend(u64 value, unsigned bits) {
    return static_cast<u64>(static_cast<i64>(value << (64 - bits)) >> (64 - bits));
}

/// An address in the space named by `Tag`. Converts to and from integers explicitly, to other spaces never.
template <class Tag>
struct Addr {
    u64 raw = 0;

    constexpr Addr() = default;
    explicit constexpr Addr(u64 value) : raw(value) {}

    friend constexpr auto operator<=>(Addr, Addr) = default;
    friend constexpr Addr operator+(Addr a, u64 n) { return Addr{a.raw + n}; }
    friend constexpr Addr operator-(Addr a, u64 n) { return Addr{a.raw - n}; }
    friend constexpr u64 operator-(Addr a, Addr b) { return a.raw - b.raw; }
    constexpr Addr& operator+=(u64 n) {
        raw += n;
        return *this;
    }

    [[nodiscard]] constexpr u64 frame() const { return raw >> kPageShift; }
    [[nodiscard]] constexpr u64 page_offset() const { return raw & (kPageSize - 1); }
    [[nodiscard]] constexpr Addr page() const { return Addr{align_down(raw, kPageSize)}; }
};

using Gva = Addr<struct GuestVirtualTag>;   ///< what a guest's instruction names
using Gpa = Addr<struct GuestPhysicalTag>;  ///< what a guest's page tables produce
using Hva = Addr<struct HostVirtualTag>;    ///< what the hypervisor dereferences
using Hpa = Addr<struct HostPhysicalTag>;   ///< what the machine's bus sees

/// Privilege of a guest's hart. The values are those of sstatus.SPP.
enum class Priv : u8 { U = 0, S = 1 };

/// Kind of a memory access; AMOs and store-conditionals count as Store.
enum class Access : u8 { Fetch, Load, Store };

}  // namespace uc
