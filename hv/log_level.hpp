// SPDX-License-Identifier: MIT
#pragma once
// How much the hypervisor says: a level shows itself and everything above it.

#include "isa/types.hpp"

namespace uc {

enum class LogLevel : u8 { Error, Warn, Info, Debug };

}  // namespace uc
