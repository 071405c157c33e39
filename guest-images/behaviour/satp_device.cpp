// SPDX-License-Identifier: MIT
// satp points at the UART's registers: an endless loop of faults.

#include "guest-images/behaviour/rt/lost.hpp"

using namespace uc;
using namespace uc::rt;

GUEST(satp_device) { lose_satp(SatpMode::Sv39, 0x10000000); }
