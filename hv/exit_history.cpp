// SPDX-License-Identifier: MIT
#include "hv/exit_history.hpp"

#include <algorithm>
#include <new>

namespace uc {

namespace {

template <class T>
std::span<T> take(HostMemory& memory, u64 count) {
    const u64 size = (count * sizeof(T) + kPageSize - 1) & ~(kPageSize - 1);
    const auto at = memory.allocate(size, kPageSize);
    if (!at) return {};
    auto* first = reinterpret_cast<T*>(memory.pointer(*at));
    for (u64 i = 0; i < count; ++i) new (first + i) T{};
    return {first, count};
}

bool earlier(const TracedExit& a, const TracedExit& b) {
    if (a.at_ns != b.at_ns) return a.at_ns < b.at_ns;
    return a.hart != b.hart ? a.hart < b.hart : a.number < b.number;
}

}  // namespace

bool ExitHistory::start(HostMemory& memory, usize harts, const ExitClock& clock, u64 timebase_hz) {
    clock_ = clock;
    timebase_hz_ = timebase_hz;
    for (auto& room : collected_) {
        room = take<TracedExit>(memory, harts * ExitTrace::kRecords);
        if (room.empty()) return false;
    }
    slots_ = take<ExitTrace::Slot>(memory, harts * ExitTrace::kRecords);
    return !slots_.empty();
}

void ExitHistory::add(u64 hart, ExitTrace& trace) {
    const usize at = traced_.size() * ExitTrace::kRecords;
    if (at >= slots_.size() || !traced_.push({hart, &trace})) return;
    trace.use(slots_.subspan(at, ExitTrace::kRecords), clock_);
}

// What was overwritten while others were read leaves a gap: what is older is of no use then.
usize ExitHistory::read(const Traced& traced, std::span<TracedExit> into) const {
    const u64 end = traced.trace->count();
    usize count = 0;
    for (u64 number = traced.trace->first(end); number < end; ++number) {
        const auto record = traced.trace->read(number);
        if (!record) {
            count = 0;
            continue;
        }
        into[count++] = {*record, traced.hart, number};
    }
    set_times(*traced.trace, into.first(count));
    return count;
}

// Marks say what time it was; from there the clock counts on. They and the clock's rate are exact to some microseconds
// only, and so it can come out that a record begins before the last one is over: then it has to wait.
void ExitHistory::set_times(const ExitTrace& trace, std::span<TracedExit> exits) const {
    const auto first = std::ranges::find_if(exits, [](const TracedExit& e) { return e.record.is_mark(); });
    ExitRecord mark = first != exits.end() ? first->record : trace.last_mark();
    u64 not_before = 0;
    for (TracedExit& exit : exits) {
        const ExitRecord& record = exit.record;
        if (record.is_mark()) mark = record;
        const u64 marked_ns = ticks_to_ns(mark.time, timebase_hz_);
        const u64 at = record.entered >= mark.entered
                           ? marked_ns + clock_.ns(record.entered - mark.entered)
                           : marked_ns - std::min(marked_ns, clock_.ns(mark.entered - record.entered));
        exit.at_ns = std::max(at, not_before);
        exit.ns = clock_.ns(record.left - record.entered);
        not_before = exit.at_ns + exit.ns;
    }
}

std::span<const TracedExit> ExitHistory::collect(Reader reader) {
    const std::span<TracedExit> room = collected_[static_cast<usize>(reader)];
    usize count = 0;
    for (const Traced& traced : traced_) count += read(traced, room.subspan(count));
    const std::span<TracedExit> exits = room.first(count);
    std::ranges::sort(exits, earlier);
    return exits;
}

}  // namespace uc
