// SPDX-License-Identifier: MIT
#pragma once
// What a guest has to know of its machine, from the device tree.

#include "isa/types.hpp"

namespace uc::rt {

/// Where RAM ends: base plus size of the first /memory node.
u64 ram_end();

}  // namespace uc::rt
