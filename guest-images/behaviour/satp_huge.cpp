// SPDX-License-Identifier: MIT
// satp points at the largest physical page: an endless loop of faults.

#include "guest-images/behaviour/rt/lost.hpp"

using namespace uc;
using namespace uc::rt;

GUEST(satp_huge) { lose_satp(SatpMode::Sv39, (1ull << 56) - kPageSize); }
