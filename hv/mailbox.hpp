// SPDX-License-Identifier: MIT
#pragma once
// What other harts leave for a vCPU, and how they learn whether it must be told.
//
// A mailbox has two words. Posters set bits in `requests`; its owner, the hart that runs the vCPU, says in `where` what
// the vCPU is doing:
//
//   Inside   it is in the guest, or on its way back there without waiting for anybody: an interrupt brings it out
//   Outside  the hypervisor works for it, or it waits to be scheduled: it will look before it is Inside or Asleep
//   Asleep   it has nothing to do until it is woken
//
// A poster first posts, then looks where the receiver is. The owner first says where it goes, then looks for requests,
// and turns back when there are any. All four accesses are sequentially consistent, so there is one order of all of
// them, and in it at least one of the two comes second and sees the other: either the poster finds the receiver Inside
// or Asleep and kicks it, or the receiver finds the request. A wake-up cannot be lost between them.
//
// Of the requests posted since the owner last took them only the first kicks. That is enough: a receiver that is Inside
// took all there was on its way in, so whoever made the word nonzero kicks it; and one that is Asleep had no request
// that wakes, so whoever posted the first of these wakes it. In the moment between a poster's two steps others rely on
// its kick: nothing that may wait stands between post() and acting on its answer.
//
// Each way in has its number. A poster that found the receiver Inside knows that its request was taken once `where` has
// changed: it went out, and it takes everything before it is Inside again. One that is Outside or Asleep needs no
// waiting for. So a hart that waits for others must itself be Outside, and then two that wait for each other do not
// wait at all; nor does it matter which locks a waiter holds, since who is Inside waits for none.

#include <atomic>

#include "isa/types.hpp"

namespace uc {

/// What a vCPU can be asked for.
enum class Request : u8 {
    Interrupt,  ///< SSIP becomes pending
    LineRose,   ///< its external interrupt line has risen: look at line()
    LineFell,   ///< and has fallen
    FenceI,     ///< instruction fetches must see earlier stores
    Fence,      ///< all its translations are to be forgotten
    Kick,       ///< something about it, or about its guest, has changed: look again
};

[[nodiscard]] constexpr u32 request_bit(Request r) { return 1u << static_cast<unsigned>(r); }

/// Requests as taken.
struct Requests {
    u32 bits = 0;  ///< request_bit of each

    [[nodiscard]] constexpr bool has(Request r) const { return (bits & request_bit(r)) != 0; }
    [[nodiscard]] constexpr bool any() const { return bits != 0; }
};

/// What the poster of a request has to do about it, at once.
struct Posted {
    enum class Then : u8 {
        Nothing,    ///< it will be noticed
        Interrupt,  ///< send an IPI to `hart`
        Wake,       ///< make the vCPU ready (Scheduler::wake)
    };
    Then then = Then::Nothing;
    u8 hart = 0;
    u64 ticket = 0;  ///< for Mailbox::taken()
};

/// The mailbox of one vCPU, which is Asleep at first. Functions of the owner are called by the hart that runs the vCPU
/// alone; which hart that is changes under a lock (the scheduler's).
class Mailbox {
  public:
    // Any hart.

    /// Leaves a request.
    [[nodiscard]] Posted post(Request request);
    /// Leaves the level of the external interrupt line. Calls for one vCPU come one at a time (its guest's Devices
    /// lock).
    [[nodiscard]] Posted set_line(bool level);
    /// Whether the request that `ticket` came with needs no waiting any more: its receiver has been out of the guest
    /// since, and does what was asked before it goes in. Who polls this is Outside or no vCPU's hart.
    [[nodiscard]] bool taken(u64 ticket) const {
        return ticket == kNoTicket || where_.load(std::memory_order_acquire) != ticket;
    }
    /// Polls taken(), and calls `meanwhile` in between.
    template <class Meanwhile>
    void await(u64 ticket, Meanwhile meanwhile) const {
        while (!taken(ticket)) meanwhile();
    }

    /// Whether a request is there that the owner takes soon, if all is well. A glance.
    [[nodiscard]] bool is_awaited() const {
        const bool asleep = (where_.load(std::memory_order_relaxed) & kDoing) == kAsleep;
        return (requests_.load(std::memory_order_relaxed) & ~(asleep ? kQuiet : 0)) != 0;
    }

    // The owner.

    /// `hart` runs the vCPU from now on; it is Outside. A hart that it did not run on last may have translations and
    /// instructions of it from long ago, so then fences are due.
    void arrive(unsigned hart);
    /// As new: Asleep, without requests. While no hart runs the vCPU.
    void reset();
    /// Declares the vCPU Inside, unless requests wait: then it is Outside, and they are returned and to be served
    /// before the next try.
    [[nodiscard]] Requests enter();
    /// Declares it Outside. To be called before anything that may wait for another hart, such as taking a lock, and
    /// after each host interrupt; after short exits it may stay Inside.
    void leave() { where_.store(kOutside, std::memory_order_release); }
    /// Takes all requests; it stays where it is.
    [[nodiscard]] Requests take();
    /// Declares the vCPU Asleep and returns true; or false, Outside, when a request waits that would wake it. Fences
    /// and a line that falls do not: they wait with it.
    [[nodiscard]] bool sleep();
    /// Whether it is Inside.
    [[nodiscard]] bool is_inside() const { return (where_.load(std::memory_order_relaxed) & kDoing) == kInside; }
    /// The external interrupt line: at least as new as the requests that were taken.
    [[nodiscard]] bool line() const { return line_.load(std::memory_order_relaxed) != 0; }
    /// Whether requests wait; a hint, for loops that would rather not go in.
    [[nodiscard]] bool any() const { return requests_.load(std::memory_order_relaxed) != 0; }

  private:
    static constexpr u32 kFences = request_bit(Request::Fence) | request_bit(Request::FenceI);
    static constexpr u32 kQuiet = kFences | request_bit(Request::LineFell);  // wake nobody

    // where_: what it is doing, the hart while it is Inside, and the number of the way in.
    static constexpr u64 kOutside = 0, kAsleep = 1, kInside = 2, kDoing = 3;
    static constexpr unsigned kHartShift = 2, kEntryShift = 8;
    static constexpr u64 kHartMask = 0x3f;
    static constexpr u64 kNoTicket = 0;
    static constexpr u8 kNowhere = 0xff;

    std::atomic<u64> where_{kAsleep};
    std::atomic<u32> requests_{0};
    std::atomic<u32> line_{0};
    u64 entries_ = 0;
    u8 hart_ = kNowhere;  ///< where it ran last
};

inline Posted Mailbox::post(Request request) {
    const u32 before = requests_.fetch_or(request_bit(request), std::memory_order_seq_cst);
    const u64 where = where_.load(std::memory_order_seq_cst);
    switch (where & kDoing) {
        case kInside: {
            const auto hart = static_cast<u8>(where >> kHartShift & kHartMask);
            return {before == 0 ? Posted::Then::Interrupt : Posted::Then::Nothing, hart, where};
        }
        case kAsleep: {
            const bool first = (request_bit(request) & ~kQuiet) != 0 && (before & ~kQuiet) == 0;
            return {first ? Posted::Then::Wake : Posted::Then::Nothing, 0, kNoTicket};
        }
        default: return {};
    }
}

inline Posted Mailbox::set_line(bool level) {
    // Carried by the post: who takes the request sees this level or a later one.
    line_.store(level ? 1 : 0, std::memory_order_relaxed);
    return post(level ? Request::LineRose : Request::LineFell);
}

inline void Mailbox::arrive(unsigned hart) {
    leave();
    if (hart == hart_) return;
    hart_ = static_cast<u8>(hart);
    // Nobody is owed a kick for these: they are taken on the way in.
    requests_.fetch_or(kFences, std::memory_order_relaxed);
}

inline void Mailbox::reset() {
    where_.store(kAsleep, std::memory_order_relaxed);
    line_.store(0, std::memory_order_relaxed);
    // Whoever posts the first request of the new life sees that its vCPU is Asleep.
    requests_.store(0, std::memory_order_release);
    hart_ = kNowhere;
}

inline Requests Mailbox::take() {
    if (!any()) return {};
    return {requests_.exchange(0, std::memory_order_seq_cst)};
}

inline Requests Mailbox::enter() {
    if (const Requests early = take(); early.any()) {
        leave();
        return early;
    }
    where_.store(++entries_ << kEntryShift | static_cast<u64>(hart_) << kHartShift | kInside,
                 std::memory_order_seq_cst);
    if (requests_.load(std::memory_order_seq_cst) == 0) [[likely]]
        return {};
    leave();
    return take();
}

inline bool Mailbox::sleep() {
    where_.store(kAsleep, std::memory_order_seq_cst);
    if ((requests_.load(std::memory_order_seq_cst) & ~kQuiet) == 0) return true;
    leave();
    return false;
}

}  // namespace uc
