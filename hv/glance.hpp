// SPDX-License-Identifier: MIT
#pragma once
// A look at what another hart may be writing: what belongs to a vCPU that it runs, or a guest's memory.

#include <cstddef>
#include <span>
#include <type_traits>

#include "isa/types.hpp"

namespace uc {

/// A copy of `from` as it is found: each aligned doubleword, or the whole of a smaller scalar, is one load, but the
/// words may be of different moments. For what is shown to people, never to decide by. It orders nothing, and costs
/// nothing where the owner writes: that is the trap entry code, and whatever emulates, with plain stores.
/// ThreadSanitizer, which would have them atomic, is told to look away here, and nowhere else.
template <class T>
    requires std::is_trivially_copyable_v<T>
[[nodiscard]] __attribute__((no_sanitize("thread"), noinline)) T glance(const T& from) {
    if constexpr (std::is_scalar_v<T>) {
        return *static_cast<const volatile T*>(&from);
    } else {
        using Word [[gnu::may_alias]] = u64;
        static_assert(sizeof(T) % sizeof(Word) == 0 && alignof(T) % alignof(Word) == 0);
        T copy;
        const auto* in = reinterpret_cast<const volatile Word*>(&from);
        auto* out = reinterpret_cast<Word*>(&copy);
        for (usize i = 0; i < sizeof(T) / sizeof(Word); ++i) out[i] = in[i];
        return copy;
    }
}

/// The same for a guest's memory: as many bytes as `out` has, from `from` on, each by itself.
[[gnu::noinline]] __attribute__((no_sanitize("thread"))) inline void glance(const std::byte* from,
                                                                            std::span<std::byte> out) {
    std::byte* to = out.data();
    for (usize left = out.size(); left != 0; --left) *to++ = *static_cast<const volatile std::byte*>(from++);
}

}  // namespace uc
