// SPDX-License-Identifier: MIT
#pragma once
// Trap causes (Privileged 1.12, table 4.2) and what a trap out of a guest reports.

#include "isa/csr.hpp"

namespace uc {

/// Exception codes of scause.
enum class Cause : u8 {
    FetchMisaligned = 0,
    FetchAccess = 1,
    IllegalInstruction = 2,
    Breakpoint = 3,
    LoadMisaligned = 4,
    LoadAccess = 5,
    StoreMisaligned = 6,
    StoreAccess = 7,
    EcallFromU = 8,
    EcallFromS = 9,
    FetchPageFault = 12,
    LoadPageFault = 13,
    StorePageFault = 15,
};

inline constexpr u64 kCauseInterrupt = 1ull << 63;

/// scause as a register: the top bit tells interrupts from exceptions.
struct Scause : Reg<Scause> {
    static constexpr Field<Scause, 63> Interrupt{};
    static constexpr Field<Scause, 0, 63> Code{};
    [[nodiscard]] static constexpr Scause of(Cause cause) { return {{static_cast<u64>(cause)}}; }
    [[nodiscard]] static constexpr Scause of(Irq irq) { return {{kCauseInterrupt | static_cast<u64>(irq)}}; }
    [[nodiscard]] constexpr bool is_interrupt() const { return get(Interrupt) != 0; }
};

/// An exception to be delivered: its cause and what stval will hold.
struct Exception {
    Cause cause;
    u64 tval = 0;
    friend constexpr bool operator==(const Exception&, const Exception&) = default;
};

[[nodiscard]] constexpr Cause page_fault(Access access) {
    switch (access) {
        case Access::Fetch: return Cause::FetchPageFault;
        case Access::Load: return Cause::LoadPageFault;
        case Access::Store: break;
    }
    return Cause::StorePageFault;
}

[[nodiscard]] constexpr Cause access_fault(Access access) {
    switch (access) {
        case Access::Fetch: return Cause::FetchAccess;
        case Access::Load: return Cause::LoadAccess;
        case Access::Store: break;
    }
    return Cause::StoreAccess;
}

/// What the hardware reported when a guest trapped into the hypervisor, read exactly once.
struct TrapInfo {
    Scause scause;
    u64 stval = 0;
    Sstatus sstatus;  ///< the live register: FS, VS and SD are the guest's
};

}  // namespace uc
