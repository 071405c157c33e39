// SPDX-License-Identifier: MIT
#include "hv/watchdog.hpp"

#include <algorithm>

#include "isa/cause.hpp"

namespace uc {

bool Complaint::raise() {
    if (raised_ || is_last()) return false;
    raised_ = true;
    told_.add(1);
    return true;
}

void Complaint::reset() {
    raised_ = false;
    told_.put(0);
}

u64 Deafness::longest() const { return std::max({software, timer, external}); }

// The interrupts that have waited since the last look.
u64 Watchdog::held(const Glance& seen) const {
    if (!seen.deaf || !last_.deaf || taken_ != last_taken_) return 0;
    u64 unchanged = ~u64{0};
    if (seen.exits != last_.exits) {
        unchanged = (seen.deadline == last_.deadline ? irq_bit(Irq::STI) : 0) |
                    (seen.ipis == last_.ipis ? irq_bit(Irq::SSI) : 0);
    }
    return last_.waiting & seen.waiting & unchanged;
}

std::optional<Deafness> Watchdog::look(u64 since, u64 now, const Glance& seen, const WatchTimes& times) {
    const u64 before = std::max(since, last_at_);
    const u64 passed = std::min(now > before ? now - before : 0, times.period);
    const u64 held = this->held(seen);
    const auto count = [&](u64& waited, Irq irq) { waited = (held & irq_bit(irq)) != 0 ? waited + passed : 0; };
    count(so_far_.software, Irq::SSI);
    count(so_far_.timer, Irq::STI);
    count(so_far_.external, Irq::SEI);
    if (held == 0) {
        so_far_.spins = true;
        so_far_.low = so_far_.high = seen.pc;
        complaint_.withdraw();
    } else {
        so_far_.spins = so_far_.spins && seen.exits == last_.exits;
        so_far_.low = std::min(so_far_.low, seen.pc);
        so_far_.high = std::max(so_far_.high, seen.pc);
    }
    last_ = seen;
    last_at_ = now;
    last_taken_ = taken_;
    if (so_far_.longest() < times.limit() || held == 0 || !complaint_.raise()) return std::nullopt;
    so_far_.is_last = complaint_.is_last();
    return so_far_;
}

void Watchdog::reset() {
    last_ = {};
    so_far_ = {};
    complaint_.reset();
}

bool NeglectWatch::look(Neglect seen, u64 exits) {
    if (seen == Neglect::None || seen != last_ || exits != exits_) {
        last_ = seen;
        exits_ = exits;
        looks_ = 0;
        complaint_.withdraw();
        return false;
    }
    return ++looks_ >= WatchTimes::kLooks && complaint_.raise();
}

}  // namespace uc
