// SPDX-License-Identifier: MIT
#pragma once
// Words that one hart writes and others read at any time, in no order but the one that fences make.

#include "isa/types.hpp"

#if defined(__riscv) && !defined(__clang__) && __GNUC__ < 14
#define UC_PLAIN_STORES
#endif

namespace uc {

/// What std::atomic would be with relaxed order, if GCC before 14 did not make an exchange with the memory of each such
/// store on RISC-V. There a store of an aligned doubleword is a single one as well when it is volatile; or when its
/// value was computed from what it replaces, which leaves nothing to take apart, and then addresses cost less.
class SharedWord {
  public:
    SharedWord() = default;
    SharedWord(const SharedWord&) = delete;
    SharedWord& operator=(const SharedWord&) = delete;

    void put(u64 value) {
#ifdef UC_PLAIN_STORES
        *static_cast<volatile u64*>(&value_) = value;
#else
        __atomic_store_n(&value_, value, __ATOMIC_RELAXED);
#endif
    }
    [[nodiscard]] u64 get() const { return __atomic_load_n(&value_, __ATOMIC_RELAXED); }
    /// Adds to it. The hart that writes it needs no atomic addition.
    void add(u64 amount) {
#ifdef UC_PLAIN_STORES
        value_ += amount;
#else
        put(get() + amount);
#endif
    }

  private:
    u64 value_ = 0;
};

}  // namespace uc
