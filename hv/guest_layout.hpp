// SPDX-License-Identifier: MIT
#pragma once
// Where a guest finds its RAM, its devices and their interrupts: as on QEMU's `virt`, whose numbers its users know.

#include "isa/types.hpp"

namespace uc {

inline constexpr Gpa kGuestSyscon{0x0010'0000};
inline constexpr Gpa kGuestRtc{0x0010'1000};
inline constexpr Gpa kGuestManager{0x0010'2000};
inline constexpr Gpa kGuestPlic{0x0c00'0000};
inline constexpr Gpa kGuestUart{0x1000'0000};
inline constexpr Gpa kGuestRamBase{0x8000'0000};

// Sources at the PLIC.
inline constexpr unsigned kGuestUartIrq = 10;
inline constexpr unsigned kGuestRtcIrq = 11;

}  // namespace uc
