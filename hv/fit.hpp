// SPDX-License-Identifier: MIT
#pragma once
// Flattened image trees: many guests in one payload (docs/guests.md).

#include "hv/guest_config.hpp"
#include "hv/load_error.hpp"

namespace uc {

/// Appends every guest of the image tree `fit` (the root of an opened device tree) to `config`. Errors name the guest
/// and the property that is missing, unknown, malformed or wrong; `config` is then of no use.
[[nodiscard]] LoadStatus read_fit(FdtNode fit, MachineConfig& config);

}  // namespace uc
