// SPDX-License-Identifier: MIT
// satp points at no RAM and no device: an endless loop of faults.

#include "guest-images/behaviour/rt/lost.hpp"

using namespace uc;
using namespace uc::rt;

GUEST(satp_hole) { lose_satp(SatpMode::Sv39, 0x18000000); }
