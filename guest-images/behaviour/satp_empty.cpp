// SPDX-License-Identifier: MIT
// satp points at a root without entries: an endless loop of faults.

#include "guest-images/behaviour/rt/lost.hpp"

using namespace uc;
using namespace uc::rt;

GUEST(satp_empty) { lose_satp(SatpMode::Sv39, new_page()); }
