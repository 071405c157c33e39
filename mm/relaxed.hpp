// SPDX-License-Identifier: MIT
#pragma once
// Words that a hart reads while another may be writing them.

#include <atomic>

namespace uc {

/// Reads and writes that are never torn and order nothing: each is one plain load or store of a hart. Whatever order
/// they need comes from the guest's lock, and from the flushes that are waited for. Changing the value by what it was
/// is for who holds the lock.
template <class T>
class Relaxed {
  public:
    constexpr Relaxed(T value = {}) : value_(value) {}
    operator T() const { return value_.load(std::memory_order_relaxed); }
    void operator=(T value) { value_.store(value, std::memory_order_relaxed); }

  private:
    std::atomic<T> value_;
};

}  // namespace uc
