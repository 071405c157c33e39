// SPDX-License-Identifier: MIT
#pragma once
// What can be done to a guest as a whole.

#include "isa/types.hpp"

namespace uc {

enum class GuestAction : u8 {
    Start,    ///< from nothing, or after it ended
    Stop,     ///< ends it, whatever it is doing
    Pause,    ///< its vCPUs wait; its time goes on
    Resume,   ///< after a pause
    Reset,    ///< as a reboot of its own
    Destroy,  ///< ends it, whatever it is doing, and gives back its memory
    Create,   ///< makes a destroyed one again, not started
};

}  // namespace uc
