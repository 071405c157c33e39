// SPDX-License-Identifier: MIT
#pragma once
// Draws values from a fuzzer's bytes; past their end everything is 0.

#include <cstring>
#include <span>
#include <type_traits>

#include "isa/types.hpp"

namespace uc::fuzz {

class Input {
  public:
    Input(const u8* data, usize size) : rest_(data, size) {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }

    template <class T>
        requires std::is_trivially_copyable_v<T>
    T take() {
        T value{};
        const usize n = rest_.size() < sizeof(T) ? rest_.size() : sizeof(T);
        std::memcpy(&value, rest_.data(), n);
        rest_ = rest_.subspan(n);
        return value;
    }

    /// Everything that is left.
    [[nodiscard]] std::span<const u8> rest() const { return rest_; }

  private:
    std::span<const u8> rest_;
};

/// Ends the run with a report when `condition` does not hold.
inline void require(bool condition) {
    if (!condition) __builtin_trap();
}

}  // namespace uc::fuzz
