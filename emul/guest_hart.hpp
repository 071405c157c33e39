// SPDX-License-Identifier: MIT
#pragma once
// The architectural state of one guest hart, and nothing else.

#include <array>
#include <cstddef>
#include <type_traits>

#include "emul/virtual_counters.hpp"
#include "isa/cause.hpp"

namespace uc {

/// What the guest's own hart would hold: two harts that compare equal behave the same. F and V registers are not here:
/// they live in the hardware while the vCPU is loaded. Trap entry code relies on `x` coming first and `pc` right after
/// it.
struct GuestHart {
    std::array<u64, 32> x{};  ///< x[0] is 0 always
    u64 pc = 0;               ///< bit 0 is 0 always
    Priv priv = Priv::S;
    Sstatus sstatus;  ///< SIE SPIE SPP VS FS SUM MXR only; UXL and SD come into being when read
    Sie sie;
    Sip sip;  ///< the bits software writes, SSIP and LCOFIP; STIP and SEIP are lines, not state
    Stvec stvec;
    Scounteren scounteren;
    Senvcfg senvcfg;
    u64 sscratch = 0;
    u64 sepc = 0;  ///< bit 0 is 0 always
    Scause scause;
    u64 stval = 0;
    Satp satp;
    u64 stimecmp = ~0ull;  ///< in ticks of `time`; the reset value never comes due
    VirtualCounters counters;

    [[nodiscard]] u64 get_x(unsigned reg) const { return x[reg]; }
    void set_x(unsigned reg, u64 value) {
        x[reg] = value;
        x[0] = 0;  // cheaper than a branch
    }

    friend bool operator==(const GuestHart&, const GuestHart&) = default;
};

static_assert(std::is_standard_layout_v<GuestHart> && std::is_trivially_copyable_v<GuestHart>);
static_assert(offsetof(GuestHart, x) == 0 && offsetof(GuestHart, pc) == 32 * 8);

}  // namespace uc
