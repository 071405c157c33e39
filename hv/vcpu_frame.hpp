// SPDX-License-Identifier: MIT
#pragma once
// The part of a vCPU that the trap entry code reads and writes.

#include "emul/guest_hart.hpp"
#include "hv/extension_state.hpp"

namespace uc {

/// Guest registers, where the hypervisor's own stack and per-hart pointer wait while the guest runs, and what waits
/// while another vCPU does.
struct VcpuFrame {
    GuestHart hart;
    u64 host_sp = 0;
    u64 host_tp = 0;
    const void* home = nullptr;  ///< the hart that loaded the f and v registers last; what others hold is outdated
    FpRegisters fp;
    VectorRegisters vector;
};

}  // namespace uc
