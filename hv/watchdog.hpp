// SPDX-License-Identifier: MIT
#pragma once
// What a vCPU has to be seen doing before it is said to be stuck. Nothing is ever done about it.
//
// Time counts by looks: each adds what has passed since the one before, but never more than a period. So it takes
// kLooks looks at least that all find the same, however far the time has jumped between two of them because the machine
// was stopped, by a debugger or by its own host.

#include <array>
#include <optional>

#include "hv/shared_word.hpp"
#include "isa/types.hpp"

namespace uc {

struct WatchTimes {
    static constexpr u64 kLooks = 10;

    u64 period = 0;  ///< ticks from one look to the next, at most while the vCPU runs; 0: nobody looks
    /// Ticks for which something has to last before it is told.
    [[nodiscard]] u64 limit() const { return kLooks * period; }
};

/// Something may be told once for each time it begins, and a few times in all: nobody is to be flooded by a vCPU that
/// is stuck again and again.
class Complaint {
  public:
    static constexpr u64 kMost = 3;

    /// It is the matter: whether to tell.
    [[nodiscard]] bool raise();
    /// It is not the matter, or no longer.
    void withdraw() { raised_ = false; }
    /// As before the first.
    void reset();
    /// How often it was told. Any hart.
    [[nodiscard]] u64 told() const { return told_.get(); }
    /// Whether it will not be told any more.
    [[nodiscard]] bool is_last() const { return told() == kMost; }

  private:
    bool raised_ = false;
    SharedWord told_;
};

/// What a hart sees of the vCPU that it runs.
struct Glance {
    bool deaf = false;  ///< in S-mode, with sstatus.SIE clear
    u64 waiting = 0;    ///< interrupts that are pending, and enabled in sie, as bits of sip
    u64 pc = 0;
    u64 deadline = 0;  ///< stimecmp
    u64 exits = 0;     ///< so far, but for the host's own interrupts
    u64 ipis = 0;      ///< received from others so far
};

/// A vCPU with interrupts off, while one that it has enabled waits.
struct Deafness {
    bool spins = false;    ///< it has executed nothing that traps meanwhile
    u64 low = 0;           ///< the least pc that was seen
    u64 high = 0;          ///< and the greatest
    u64 software = 0;      ///< ticks for which an IPI has waited while the vCPU ran; 0: none waits. As the next:
    u64 timer = 0;         ///< stimecmp has passed
    u64 external = 0;      ///< the PLIC's line is up
    bool is_last = false;  ///< no more will be told of this vCPU

    [[nodiscard]] u64 longest() const;
};

/// Finds out that a vCPU keeps interrupts off while one waits. For the hart that runs it.
///
/// That an interrupt was pending at two looks does not mean that it has waited from the one to the other: a kernel that
/// keeps interrupts off for good may ask sip instead, and never miss one. It takes a trap to see sip, to clear SSIP or
/// to set stimecmp. So all is as it was if there was none; or else, for the timer, if stimecmp is the same, and for an
/// IPI, if none has come since.
class Watchdog {
  public:
    /// The vCPU has been given an interrupt: it is not deaf.
    void interrupt_taken() { ++taken_; }
    /// A look, at the moment `now`, at the vCPU that is on this hart since `since`. Something, when it is to be told.
    [[nodiscard]] std::optional<Deafness> look(u64 since, u64 now, const Glance& seen, const WatchTimes& times);
    /// As it was at first: the guest starts anew.
    void reset();
    /// How often there was something to tell. Any hart.
    [[nodiscard]] u64 told() const { return complaint_.told(); }

  private:
    [[nodiscard]] u64 held(const Glance& seen) const;

    u64 taken_ = 0;
    // At the last look:
    Glance last_;
    u64 last_at_ = 0;
    u64 last_taken_ = 0;
    Deafness so_far_;
    Complaint complaint_;
};

/// How the hypervisor itself may fail a vCPU.
enum class Neglect : u8 {
    None,
    Starved,    ///< it could run, and is given no hart
    Overslept,  ///< it sleeps although its timer has rung
    Unheard,    ///< it does not look at what others have asked of it
};

/// Finds out that a vCPU is neglected. For one hart at a time, whichever it is.
class NeglectWatch {
  public:
    /// A look, a period or more after the last. `exits`: of the vCPU so far, all of them; who has made any meanwhile
    /// has run. Whether `seen` is to be told.
    [[nodiscard]] bool look(Neglect seen, u64 exits);
    /// Whether the last look found something of which more looks will tell.
    [[nodiscard]] bool suspects() const { return last_ != Neglect::None && looks_ < WatchTimes::kLooks; }
    /// How often there was something to tell, since the machine is on. Any hart.
    [[nodiscard]] u64 told() const { return complaint_.told(); }

  private:
    Neglect last_ = Neglect::None;
    u64 exits_ = 0;
    u64 looks_ = 0;  ///< that found the same as the one before
    Complaint complaint_;
};

}  // namespace uc
