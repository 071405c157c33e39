// SPDX-License-Identifier: MIT
#include "hv/scheduler.hpp"

#include <algorithm>
#include <bit>

namespace uc {

namespace {

// Parts of a slice. A hart prefers one that it ran before among those that differ by no more than kWarm; who wakes
// interrupts one that is ahead of it by more than kAhead, which kBehind makes likely.
constexpr u64 kWarm = 8, kAhead = 4, kBehind = 2;
// Slices that a pinned one may get ahead of those it shares harts with, and anyone of the clock when it wakes.
constexpr u64 kLead = 10;
constexpr u64 kShortest = 10;  // parts of a slice, too
// Slices by which an exit may keep a hart beyond the end of a slice.
constexpr u64 kOverrun = 10;

template <class F>
void for_each_hart(HartMask set, F&& f) {
    for (; set != 0; set &= set - 1) f(static_cast<unsigned>(std::countr_zero(set)));
}

u64 minus(u64 a, u64 b) { return a > b ? a - b : 0; }

}  // namespace

HartMask Scheduler::allowed(const SchedEntity& entity) const {
    return entity.affinity_ != 0 ? entity.affinity_ & all_ : all_ & ~reserved_;
}

bool Scheduler::admits(HartMask affinity) const {
    if (affinity == 0) return (all_ & ~reserved_) != 0;
    if ((affinity & all_) == 0) return false;
    if ((all_ & ~(reserved_ | affinity)) != 0) return true;
    for (const SchedEntity* e = first_; e != nullptr; e = e->next_) {
        if (e->affinity_ == 0) return false;
    }
    return true;
}

std::optional<HartMask> Scheduler::add(SchedEntity& entity, HartMask affinity, u64 now) {
    const LockGuard guard(lock_);
    if (!admits(affinity)) return std::nullopt;
    entity.affinity_ = affinity;
    entity.state_ = SchedEntity::State::Blocked;
    entity.wake_pending_ = entity.fresh_ = false;
    entity.promised_ = SchedEntity::kNone;
    entity.virtual_time_ = 0;
    entity.alarm_ = kNever;
    entity.next_ = first_;
    first_ = &entity;
    HartMask kick = reserve(now);
    // Who ran alone had no end of slice; now it needs one.
    for_each_hart(allowed(entity), [&](unsigned hart) {
        Hart& h = harts_[hart];
        if (h.current == nullptr || !h.endless) return;
        h.resched.store(1, std::memory_order_release);
        kick |= hart_bit(hart);
    });
    return kick;
}

std::optional<HartMask> Scheduler::remove(SchedEntity& entity, u64 now) {
    const LockGuard guard(lock_);
    if (entity.state_ == SchedEntity::State::Running) return std::nullopt;
    if (entity.state_ == SchedEntity::State::Absent) return 0;
    SchedEntity** link = &first_;
    while (*link != &entity) link = &(*link)->next_;
    *link = entity.next_;
    entity.state_ = SchedEntity::State::Absent;
    return reserve(now);
}

// Brings reserved_ up to date. A hart that changes sides brings no virtual time from the one to the other.
HartMask Scheduler::reserve(u64 now) {
    HartMask reserved = 0;
    for (const SchedEntity* e = first_; e != nullptr; e = e->next_) reserved |= e->affinity_ & all_;
    const HartMask changed = reserved ^ reserved_;
    if (changed == 0) return 0;
    charge(now);
    reserved_ = reserved;
    HartMask kick = 0;
    for_each_hart(changed, [&](unsigned hart) {
        Hart& h = harts_[hart];
        h.clock = 0;
        if (h.current == nullptr || may_run(*h.current, hart)) return;
        h.resched.store(1, std::memory_order_release);
        kick |= hart_bit(hart);
    });
    return kick | offer_all();
}

// Counts what has run since the last time. Who overruns its slice by more than kOverrun did not run: its hart was held,
// by a debugger or by whoever runs this machine. Nobody is charged for that; else all others would run as long before
// it is picked again. A slice without an end counts as a whole: there is nobody to be ahead of.
void Scheduler::charge(u64 now) {
    const u64 longest = kOverrun * slice_;
    for_each_hart(all_, [&](unsigned hart) {
        Hart& h = harts_[hart];
        const u64 end = h.until < kNever - longest ? std::min(now, h.until + longest) : now;
        if (h.current == nullptr || end <= h.since) return;
        h.current->virtual_time_ += end - h.since;
        h.since = end;
    });
    limit_leads();
    // As though each slice began with a pick, even where nobody else was there to be picked. One that floats on a hart
    // reserved since has another time than those that own it.
    for_each_hart(all_, [&](unsigned hart) {
        Hart& h = harts_[hart];
        if (h.current == nullptr || !may_run(*h.current, hart)) return;
        h.clock = std::max(h.clock, minus(h.current->virtual_time_, slice_));
    });
}

// Where pinned guests overlap, one may run all the time without anybody waiting for it, and so get far ahead of others
// that it shares only some harts with. It must not have to wait for them when it has to share those.
void Scheduler::limit_leads() {
    for (SchedEntity* e = first_; e != nullptr; e = e->next_) {
        if (e->affinity_ == 0 || e->state_ == SchedEntity::State::Blocked) continue;
        const u64 rival = least_rival(*e, e->virtual_time_);
        e->virtual_time_ = std::min(e->virtual_time_, rival + kLead * slice_);
    }
}

void Scheduler::give_up(unsigned hart, SchedEntity::State state, u64 now) {
    harts_[hart].current->state_ = state;
    harts_[hart].current->ready_since_ = now;
    harts_[hart].current = nullptr;
}

// The least virtual time of those that run or are ready on harts that `entity` may have; `none` without any.
u64 Scheduler::least_rival(const SchedEntity& entity, u64 none) const {
    const HartMask harts = allowed(entity);
    std::optional<u64> least;
    for (const SchedEntity* e = first_; e != nullptr; e = e->next_) {
        if (e == &entity || e->state_ == SchedEntity::State::Blocked || (allowed(*e) & harts) == 0) continue;
        least = std::min(least.value_or(e->virtual_time_), e->virtual_time_);
    }
    return least.value_or(none);
}

void Scheduler::make_ready(SchedEntity& entity, u64 now) {
    u64 clock = least_rival(entity, 0);
    for_each_hart(allowed(entity), [&](unsigned hart) { clock = std::max(clock, harts_[hart].clock); });
    entity.virtual_time_ = std::clamp(entity.virtual_time_, minus(clock, slice_ / kBehind), clock + kLead * slice_);
    entity.state_ = SchedEntity::State::Ready;
    entity.ready_since_ = now;
    entity.alarm_ = kNever;
    entity.fresh_ = true;
    entity.promised_ = SchedEntity::kNone;
}

void Scheduler::wake_expired(u64 now) {
    for (SchedEntity* e = first_; e != nullptr; e = e->next_) {
        if (e->state_ == SchedEntity::State::Blocked && e->alarm_ <= now) make_ready(*e, e->alarm_);
    }
}

void Scheduler::forget_promises(unsigned hart) {
    for (SchedEntity* e = first_; e != nullptr; e = e->next_) {
        if (e->promised_ == hart) e->promised_ = SchedEntity::kNone;
    }
}

Pick Scheduler::pick(unsigned hart, u64 now) {
    const LockGuard guard(lock_);
    Hart& h = harts_[hart];
    charge(now);
    if (h.current != nullptr) give_up(hart, SchedEntity::State::Ready, now);
    h.resched.store(0, std::memory_order_relaxed);
    wake_expired(now);
    forget_promises(hart);
    SchedEntity* entity = choose(hart);
    if (entity != nullptr) {
        idle_ &= ~hart_bit(hart);
        start(hart, *entity, now);
    } else {
        idle_ |= hart_bit(hart);
    }
    const HartMask kick = offer_all();
    const u64 end = end_of_slice(hart, now);
    h.endless = end == kNever;
    h.until = std::min(end, first_alarm(hart));
    return {entity, h.until, kick};
}

SchedEntity* Scheduler::choose(unsigned hart) const {
    SchedEntity *least = nullptr, *warm = nullptr;
    const auto before = [](const SchedEntity* a, const SchedEntity* b) {
        return b == nullptr || a->virtual_time_ < b->virtual_time_;
    };
    for (SchedEntity* e = first_; e != nullptr; e = e->next_) {
        if (e->state_ != SchedEntity::State::Ready || !may_run(*e, hart)) continue;
        if (before(e, least)) least = e;
        if (e->hart_ == hart && before(e, warm)) warm = e;
    }
    if (least == nullptr) return nullptr;
    const bool near = warm != nullptr && warm->virtual_time_ <= least->virtual_time_ + slice_for(*least) / kWarm;
    return near ? warm : least;
}

void Scheduler::start(unsigned hart, SchedEntity& entity, u64 now) {
    Hart& h = harts_[hart];
    entity.state_ = SchedEntity::State::Running;
    entity.waited_ += minus(now, entity.ready_since_);
    entity.fresh_ = false;
    entity.promised_ = SchedEntity::kNone;
    entity.hart_ = static_cast<u8>(hart);
    h.current = &entity;
    h.since = now;
    h.clock = std::max(h.clock, entity.virtual_time_);
}

// Finds a hart for a Ready entity, and promises it. Idle ones come first; who has just woken may also interrupt.
HartMask Scheduler::offer(SchedEntity& entity) {
    std::optional<unsigned> hart;
    if (const HartMask idle = idle_ & allowed(entity); idle != 0) {
        hart = (idle >> entity.hart_ & 1) != 0 ? entity.hart_ : static_cast<unsigned>(std::countr_zero(idle));
        idle_ &= ~hart_bit(*hart);
    } else if (entity.fresh_) {
        hart = victim(entity);
    }
    if (!hart) return 0;
    harts_[*hart].resched.store(1, std::memory_order_release);
    entity.promised_ = static_cast<u8>(*hart);
    return hart_bit(*hart);
}

HartMask Scheduler::offer_all() {
    HartMask kick = 0;
    for (SchedEntity* e = first_; e != nullptr; e = e->next_) {
        if (e->state_ == SchedEntity::State::Ready && e->promised_ == SchedEntity::kNone) kick |= offer(*e);
    }
    return kick;
}

// The hart whose vCPU is furthest ahead of `entity`, if it is far enough and the hart is not kicked for another
// already.
std::optional<unsigned> Scheduler::victim(const SchedEntity& entity) const {
    std::optional<unsigned> found;
    u64 most = entity.virtual_time_ + slice_ / kAhead;
    for_each_hart(allowed(entity), [&](unsigned hart) {
        const Hart& h = harts_[hart];
        if (h.current == nullptr || h.resched.load(std::memory_order_relaxed) != 0) return;
        // One that floats on a hart reserved since it was picked has no claim to it.
        const u64 time = may_run(*h.current, hart) ? h.current->virtual_time_ : kNever;
        if (time <= most) return;
        most = time;
        found = hart;
    });
    return found;
}

// A second holds slices enough of each vCPU for equal shares: two slices more or less are 4 % of 1 s * harts / vCPUs if
// a slice is 10 ms.
u64 Scheduler::slice_for(const SchedEntity& entity) const {
    const HartMask harts = allowed(entity);
    u64 runnable = 0;
    for (const SchedEntity* e = first_; e != nullptr; e = e->next_) {
        if (e->state_ != SchedEntity::State::Blocked && (allowed(*e) & harts) != 0) ++runnable;
    }
    const u64 fair = 2 * slice_ * static_cast<u64>(std::popcount(harts)) / std::max<u64>(runnable, 1);
    return std::clamp(fair, slice_ / kShortest, slice_);
}

bool Scheduler::shared(unsigned hart) const {
    unsigned users = 0;
    for (const SchedEntity* e = first_; e != nullptr; e = e->next_) users += may_run(*e, hart) ? 1 : 0;
    return users > 1;
}

// A hart that can never have anything else to run is left alone.
u64 Scheduler::end_of_slice(unsigned hart, u64 now) const {
    const Hart& h = harts_[hart];
    return h.current != nullptr && shared(hart) ? now + slice_for(*h.current) : kNever;
}

u64 Scheduler::first_alarm(unsigned hart) const {
    u64 first = kNever;
    for (const SchedEntity* e = first_; e != nullptr; e = e->next_) {
        if (e->state_ == SchedEntity::State::Blocked && e->hart_ == hart) first = std::min(first, e->alarm_);
    }
    return first;
}

// Others look after who relies on that hart: nothing may be promised to it, and no alarm be left to it that may ring
// elsewhere.
HartMask Scheduler::put_back(unsigned hart, u64 now) {
    const LockGuard guard(lock_);
    charge(now);
    if (harts_[hart].current != nullptr) give_up(hart, SchedEntity::State::Ready, now);
    idle_ &= ~hart_bit(hart);
    forget_promises(hart);
    return hand_on_alarms(hart) | offer_all();
}

HartMask Scheduler::hand_on_alarms(unsigned hart) {
    HartMask kick = 0;
    for (SchedEntity* e = first_; e != nullptr; e = e->next_) {
        if (e->state_ != SchedEntity::State::Blocked || e->alarm_ == kNever || e->hart_ != hart) continue;
        const HartMask others = allowed(*e) & ~hart_bit(hart);
        if (others == 0) continue;
        const HartMask idle = others & idle_, chosen = idle != 0 ? idle : others;
        e->hart_ = static_cast<u8>(std::bit_width(chosen) - 1);  // the first has the terminal to look after
        harts_[e->hart_].resched.store(1, std::memory_order_release);
        kick |= hart_bit(e->hart_);
    }
    return kick;
}

bool Scheduler::block(SchedEntity& entity, u64 now, u64 alarm) {
    const LockGuard guard(lock_);
    if (entity.wake_pending_) {
        entity.wake_pending_ = false;
        return false;
    }
    charge(now);
    give_up(entity.hart_, SchedEntity::State::Blocked, now);
    entity.alarm_ = alarm;
    return true;
}

HartMask Scheduler::wake(SchedEntity& entity, u64 now) {
    const LockGuard guard(lock_);
    if (entity.state_ == SchedEntity::State::Running) entity.wake_pending_ = true;
    if (entity.state_ != SchedEntity::State::Blocked) return 0;
    charge(now);
    make_ready(entity, now);
    return offer(entity);
}

Neglect Scheduler::neglect(const SchedEntity& entity, u64 now) {
    const LockGuard guard(lock_);
    switch (entity.state_) {
        case SchedEntity::State::Ready: return Neglect::Starved;
        case SchedEntity::State::Blocked: return now > entity.alarm_ ? Neglect::Overslept : Neglect::None;
        default: return Neglect::None;
    }
}

}  // namespace uc
