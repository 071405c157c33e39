// SPDX-License-Identifier: MIT
#pragma once
// The user programs, embedded as ELF files by programs.S.

#include "isa/types.hpp"

namespace uc::mini {

/// One entry of the table in programs.S, which ends with an entry of zeros.
struct Program {
    const char* name;
    const u8* start;
    const u8* end;
};

extern "C" const Program programs[];

}  // namespace uc::mini
