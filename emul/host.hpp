// SPDX-License-Identifier: MIT
#pragma once
// What the hardware-free core may ask of the machine it runs on; tests answer with a fake.

#include "isa/csr.hpp"

namespace uc {

/// The live hart beneath the guest's. Every call is about the hart that executes it, with the guest's vCPU loaded
/// there.
class Host {
  public:
    /// Current `time`, in timebase ticks, as the guest shall see it.
    [[nodiscard]] virtual u64 time() = 0;
    /// Value of cycle, instret or an hpmcounter, of those that Features::counters names.
    [[nodiscard]] virtual u64 counter(CsrNo number) = 0;

    /// Raw bits of f register `reg` (0..31); NaN-boxing is the caller's.
    [[nodiscard]] virtual u64 read_fp(unsigned reg) = 0;
    virtual void write_fp(unsigned reg, u64 bits) = 0;

    /// User CSRs of F and V (fflags frm fcsr vstart vxsat vxrm vcsr vl vtype vlenb), which the hardware itself
    /// legalises.
    [[nodiscard]] virtual u64 read_user_csr(CsrNo number) = 0;
    virtual void write_user_csr(CsrNo number, u64 value) = 0;

  protected:
    ~Host() = default;
};

}  // namespace uc
