// SPDX-License-Identifier: MIT
#include "guest-images/minikernel/timer.hpp"

#include "guest-images/minikernel/csr.hpp"
#include "guest-images/minikernel/machine.hpp"
#include "guest-images/minikernel/sbi.hpp"

namespace uc::mini::timer {

namespace {
constinit bool has_time_extension = false;
}

void init() {
    has_time_extension = sbi_has(sbi::Ext::Time);
    disarm();
    csr_set<CsrNo::sie>(irq_bit(Irq::STI));
}

u64 now() { return csr_read<CsrNo::time>(); }

u64 ticks_of_ms(u64 ms) { return ms * machine.timebase / 1000; }

void arm(u64 deadline) {
    if (machine.sstc)
        csr_write<CsrNo::stimecmp>(deadline);
    else if (has_time_extension)
        sbi_call(sbi::Ext::Time, sbi::time::SetTimer, deadline);
    else
        sbi_call(sbi::Ext::LegacySetTimer, 0, deadline);
}

void disarm() { arm(~0ull); }

}  // namespace uc::mini::timer
