// SPDX-License-Identifier: MIT
#pragma once
// One virtual CPU: the guest's hart, and what the hypervisor keeps about it.

#include "emul/sbi_server.hpp"
#include "hv/exit_trace.hpp"
#include "hv/firmware_events.hpp"
#include "hv/mailbox.hpp"
#include "hv/platform.hpp"
#include "hv/scheduler.hpp"
#include "hv/steal_time.hpp"
#include "hv/watchdog.hpp"
#include "isa/sbi.hpp"
#include "mm/shadow.hpp"

namespace uc {

class Guest;

/// Where a vCPU is to begin, as sbi_hart_start() was told.
struct HartStart {
    u64 pc = 0;
    u64 opaque = 0;
};

/// Touched only by the host hart that runs it, but for the mailbox, the scheduler's part and what is said to have a
/// lock.
struct Vcpu {
    VcpuFrame frame;                       ///< first: the trap entry code is handed its address
    alignas(64) SchedEntity entity{this};  ///< the scheduler's, on whatever hart: of its own line
    alignas(64) Guest* guest = nullptr;
    Platform* platform = nullptr;   ///< the hart that runs it, or ran it last
    unsigned id = 0;                ///< within the guest; its hart id there
    u64 lines = 0;                  ///< STIP and SEIP as bits of sip
    bool waiting = false;           ///< in wfi or suspended, until an interrupt is pending and enabled
    bool translation_stale = true;  ///< satp was written, or the tables behind it went away
    u8 translation_key = 0;         ///< privilege, SUM and MXR that host_satp is for
    u64 host_satp = 0;              ///< the shadow root it runs on
    ExitReason last_exit{};         ///< of those that lead to the run loop
    ExitTrace* trace = nullptr;     ///< of the hart that runs it, or ran it last
    u64 trace_tag = 0;              ///< what its records there carry
    SbiState sbi;
    StealTime steal_time;
    Watchdog watchdog;
    // From here on others write, or look before they do: lines of its own.
    alignas(64) Mailbox mailbox;
    /// Written to Stopped and StartPending under the guest's Guest lock, else by its own hart.
    std::atomic<sbi::hsm::State> state = sbi::hsm::Stopped;
    HartStart start;       ///< while StartPending; under the Guest lock
    Received received;     ///< counted by any hart
    NeglectWatch neglect;  ///< under the report lock
    alignas(64) ExitStats stats;

    /// The vCPU that a frame is part of.
    [[nodiscard]] static Vcpu& of(VcpuFrame& frame) { return reinterpret_cast<Vcpu&>(frame); }

    [[nodiscard]] GuestHart& hart() { return frame.hart; }
    [[nodiscard]] const GuestHart& hart() const { return frame.hart; }
    /// sip as the guest would read it.
    [[nodiscard]] u64 pending() const { return frame.hart.sip.raw | lines; }
    [[nodiscard]] bool runnable() const {
        return state.load(std::memory_order_relaxed) == sbi::hsm::Started && !waiting;
    }

    /// Whether interrupts and fences reach it.
    [[nodiscard]] bool up() const { return state.load(std::memory_order_relaxed) != sbi::hsm::Stopped; }
    /// What the SBI keeps about it is as before its first call.
    void reset_sbi() {
        sbi = {};
        steal_time = {};
        frame.hart.counters = {};
    }
    /// What it waited for has come.
    void go_on() {
        waiting = false;
        if (state == sbi::hsm::Suspended) state = sbi::hsm::Started;
    }

    /// The architectural state that decides how its addresses translate.
    [[nodiscard]] Shadow::View view() const { return view_of(frame.hart); }
    [[nodiscard]] static Shadow::View view_of(const GuestHart& h) {
        return {h.satp, h.priv, h.sstatus.get(Sstatus::SUM) != 0, h.sstatus.get(Sstatus::MXR) != 0};
    }
};
static_assert(std::is_standard_layout_v<Vcpu> && offsetof(Vcpu, frame) == 0);

}  // namespace uc
