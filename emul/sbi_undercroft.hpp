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
    Version,     ///< value: kSbiImplVersion. Success tells a guest that it runs on Undercroft.
    GuestCount,  ///< value: number of guests, the caller among them. Denied, as the next two, unless it is a manager.
    GuestInfo,   ///< a0: which guest; a1: guest-physical address, a multiple of 8, of a GuestRecord to be written
    GuestAct,    ///< a0: which guest; a1: an Action. Failed where the guest's state does not allow it.
};
enum Action : u64 { Start, Stop, Pause, Resume, Reset, Actions };
/// What a guest is doing. Values are never reused.
enum State : u32 { Created, Running, Paused, Ended, Stopped, Failed };

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

}  // namespace sbi::undercroft
}  // namespace uc
