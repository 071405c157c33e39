// SPDX-License-Identifier: MIT
#pragma once
// The traces of all harts as one history.

#include "hv/exit_trace.hpp"
#include "hv/fixed_vector.hpp"
#include "hv/host_fdt.hpp"
#include "hv/host_memory.hpp"

namespace uc {

/// An exit, or a mark, and when it was.
struct TracedExit {
    ExitRecord record;
    u64 hart = 0;    ///< the host's number of it
    u64 number = 0;  ///< of the record on that hart
    u64 at_ns = 0;   ///< since `time` was 0
    u64 ns = 0;      ///< spent in the hypervisor; 0: not measured
};

class ExitHistory {
  public:
    /// Takes memory for the traces of `harts` harts, and has exits timed by `clock`. False without enough memory:
    /// nothing is traced then. For boot only.
    [[nodiscard]] bool start(HostMemory& memory, usize harts, const ExitClock& clock, u64 timebase_hz);
    /// Has `trace`, which is that of host hart `hart`, keep its records here.
    void add(u64 hart, ExitTrace& trace);

    [[nodiscard]] const ExitClock& clock() const { return clock_; }
    /// Who reads it, with room of its own. Each is one hart at a time.
    enum class Reader : u8 {
        Monitor,  ///< under the console's lock
        Report,   ///< who tells what a vCPU did last, under the report lock
    };
    /// What is kept of all harts, in order of time; and of each hart without gaps. The harts may go on meanwhile. Valid
    /// until `reader` calls again.
    [[nodiscard]] std::span<const TracedExit> collect(Reader reader);

  private:
    struct Traced {
        u64 hart = 0;
        ExitTrace* trace = nullptr;
    };
    [[nodiscard]] usize read(const Traced& traced, std::span<TracedExit> into) const;
    void set_times(const ExitTrace& trace, std::span<TracedExit> exits) const;

    ExitClock clock_;
    u64 timebase_hz_ = 0;
    std::span<ExitTrace::Slot> slots_;                ///< for all harts
    std::array<std::span<TracedExit>, 2> collected_;  ///< room for what all of them hold, for each reader
    FixedVector<Traced, kMaxHarts> traced_;
};

}  // namespace uc
