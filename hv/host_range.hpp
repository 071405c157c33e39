// SPDX-License-Identifier: MIT
#pragma once

#include "isa/types.hpp"

namespace uc {

/// Host-physical bytes [base, base + size).
struct HostRange {
    Hpa base;
    u64 size = 0;
    [[nodiscard]] constexpr Hpa end() const { return base + size; }
    friend bool operator==(const HostRange&, const HostRange&) = default;
};

}  // namespace uc
