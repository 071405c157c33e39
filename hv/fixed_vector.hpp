// SPDX-License-Identifier: MIT
#pragma once
// A vector whose room is part of the object: what is counted at boot has a bound, and nothing is allocated.

#include <algorithm>
#include <array>
#include <span>

#include "isa/types.hpp"

namespace uc {

/// Up to `N` values of a default-constructible type, in the order they were pushed.
template <class T, usize N>
class FixedVector {
  public:
    /// False, changing nothing, when all `N` places are taken.
    [[nodiscard]] constexpr bool push(const T& value) {
        if (size_ == N) return false;
        items_[size_++] = value;
        return true;
    }
    /// Puts `value` before item `at`, which is at most size(); false, changing nothing, when all places are taken.
    [[nodiscard]] constexpr bool insert(usize at, const T& value) {
        if (size_ == N) return false;
        std::copy_backward(begin() + at, end(), end() + 1);
        items_[at] = value;
        ++size_;
        return true;
    }
    /// Takes item `at` out; those behind it move up.
    constexpr void erase(usize at) {
        std::copy(begin() + at + 1, end(), begin() + at);
        --size_;
    }
    constexpr void clear() { size_ = 0; }

    [[nodiscard]] constexpr usize size() const { return size_; }
    [[nodiscard]] constexpr bool empty() const { return size_ == 0; }
    [[nodiscard]] static constexpr usize capacity() { return N; }
    [[nodiscard]] constexpr bool contains(const T& value) const { return std::find(begin(), end(), value) != end(); }

    [[nodiscard]] constexpr T* begin() { return items_.data(); }
    [[nodiscard]] constexpr T* end() { return items_.data() + size_; }
    [[nodiscard]] constexpr const T* begin() const { return items_.data(); }
    [[nodiscard]] constexpr const T* end() const { return items_.data() + size_; }
    [[nodiscard]] constexpr T& operator[](usize i) { return items_[i]; }
    [[nodiscard]] constexpr const T& operator[](usize i) const { return items_[i]; }

  private:
    std::array<T, N> items_{};
    usize size_ = 0;
};

}  // namespace uc
