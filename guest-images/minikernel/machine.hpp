// SPDX-License-Identifier: MIT
#pragma once
// What the device tree says about the machine, and what the user asked for in /chosen/bootargs.

#include "guest-images/minikernel/layout.hpp"
#include "isa/csr.hpp"

#include <string_view>

namespace uc::mini {

struct Options {
    SatpMode mode = SatpMode::Sv39;  ///< mode=sv39|sv48|sv57
    u64 repeat = 1;                  ///< repeat=N: rounds of the user programs
    bool quiet = false;              ///< quiet: print failures only
    bool reboot = false;             ///< then=reboot: cold reboot in place of power-off
};

struct Machine {
    u64 hart = 0;       ///< hart id of the hart that boots, the only one used
    Pa memory_start;    ///< RAM that holds the kernel ...
    Pa memory_end;      ///< ... up to its end or the first reservation above the kernel
    u64 timebase = 0;   ///< ticks of `time` in a second
    bool sstc = false;  ///< stimecmp exists
    bool fp = false;    ///< F and D
    char isa[256] = {};
    char bootargs[256] = {};
    Options options;
};

/// Filled by read_device_tree, read-only afterwards.
extern Machine machine;

/// Reads the flattened device tree at `tree`, whose memory may be reused afterwards. Panics if it says too little.
void read_device_tree(u64 hart, Pa tree);

}  // namespace uc::mini
