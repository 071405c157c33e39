// SPDX-License-Identifier: MIT
#pragma once
// The firmware-specific extension of this implementation (SBI 2.0, "Firmware Specific Extension Space"): guests learn
// that they run on Undercroft, and one that is given the right looks after the others. docs/guests.md describes it.

#include <array>

#include "isa/sbi.hpp"

namespace uc {

/// sbi_get_impl_id: ASCII "UC". Not registered; far above the numbers that are handed out in sequence.
inline constexpr u64 kSbiImplId = 0x5543;
/// sbi_get_impl_version: major in bits 31:16, minor in 15:8, patch in 7:0.
inline constexpr u64 kSbiImplVersion = 0x00'0100;

namespace sbi::undercroft {

inline constexpr u64 kExt = static_cast<u64>(Ext::FirmwareBase) + kSbiImplId;
enum Fid : u64 {
    Version,        ///< value: kSbiImplVersion. Success tells a guest that it runs on Undercroft.
    GuestCount,     ///< value: number of guests, the caller among them. Denied, as all that follow, unless it is a
                    ///< manager.
    GuestInfo,      ///< a0: which guest; a1: guest-physical address, a multiple of 8, of a GuestRecord to be written
    GuestAct,       ///< a0: which guest; a1: an Action. Failed where the guest's state does not allow it, and where
                    ///< there is no memory to create it.
    GuestMemory,    ///< a0: which guest; a1: address, as for GuestInfo, of a GuestMemoryRecord to be written
    MachineMemory,  ///< a0: address, likewise, of a MachineMemoryRecord
    GuestExits,     ///< a0: which guest; a1: kind of exits, from 0; a2: address, likewise, of a GuestExitsRecord.
                    ///< InvalidParam tells that there are no more kinds.
};
enum Action : u64 { Start, Stop, Pause, Resume, Reset, Destroy, Create, Actions };
/// What a guest is doing. Values are never reused. Busy: it is starting, rebooting, being
/// destroyed or being created, and will soon be in another state.
enum State : u32 { Created, Running, Paused, Ended, Stopped, Failed, Destroyed, Busy };

/// What GuestInfo tells. Written as it stands.
struct GuestRecord {
    std::array<char, 32> name{};  ///< NUL-terminated
    u32 state = 0;                ///< a State
    u32 vcpus = 0;
    u64 memory = 0;  ///< bytes
    u64 exits = 0;   ///< of all its vCPUs since it was created
    u64 is_caller = 0;
};
static_assert(sizeof(GuestRecord) == 64);

/// What GuestMemory tells of what a guest owns; all zero but `starts` while it is destroyed.
struct GuestMemoryRecord {
    u64 ram = 0;          ///< bytes
    u64 rest = 0;         ///< bytes that serve it: shadow tables above all
    u64 frames_used = 0;  ///< pages of shadow tables
    u64 frames = 0;       ///< that it has for them
    u64 copies = 0;       ///< of pages of code
    u64 timers = 0;       ///< that are armed
    u64 starts = 0;       ///< since boot
    u64 reserved = 0;
};
static_assert(sizeof(GuestMemoryRecord) == 64);

/// What MachineMemory tells, in bytes.
struct MachineMemoryRecord {
    u64 total = 0;
    u64 free = 0;
    u64 largest = 0;     ///< block of free memory that a guest's could be
    u64 hypervisor = 0;  ///< what neither is free nor belongs to a guest
};
static_assert(sizeof(MachineMemoryRecord) == 32);

/// What GuestExits tells: how often, and for how long, the guest has trapped for one reason since it was created.
struct GuestExitsRecord {
    std::array<char, 16> name{};  ///< of the reason, NUL-terminated
    u64 count = 0;
    u64 ns = 0;  ///< in the hypervisor; 0 where that is not measured
};
static_assert(sizeof(GuestExitsRecord) == 32);

}  // namespace sbi::undercroft
}  // namespace uc
