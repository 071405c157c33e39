// SPDX-License-Identifier: MIT
#include "guest-images/minikernel/frames.hpp"

#include "guest-images/minikernel/console.hpp"

#include <cstring>

namespace uc::mini::frames {

namespace {

constinit Pa base;            ///< first frame given out
constinit u64 total = 0;      ///< frames from there
constinit u64 untouched = 0;  ///< frames below this index have been given out at least once
constinit u64 free_now = 0;
constinit Pa free_list;           ///< freed frames, each starting with the address of the next; 0 ends the list
constinit u16* counts = nullptr;  ///< references per frame

u16& count(Pa frame) {
    const u64 index = (frame - base) >> kPageShift;
    if (frame < base || index >= total) panic("frames: not ours");
    return counts[index];
}

}  // namespace

void init(Pa start, Pa end) {
    // The counters sit in front of what they count.
    counts = direct<u16>(start);
    const u64 most = (end - start) >> kPageShift;
    base = start + align_up(most * sizeof(u16), kPageSize);
    total = (end - base) >> kPageShift;
    free_now = total;
    std::memset(counts, 0, total * sizeof(u16));
}

std::optional<Pa> allocate() {
    Pa frame = free_list;
    if (frame != Pa{}) {
        free_list = *direct<Pa>(frame);
    } else if (untouched < total) {
        frame = base + (untouched++ << kPageShift);
    } else {
        return std::nullopt;
    }
    --free_now;
    count(frame) = 1;
    std::memset(direct<void>(frame), 0, kPageSize);
    return frame;
}

void share(Pa frame) {
    if (++count(frame) < 2) panic("frames: shared a free frame");
}

void release(Pa frame) {
    u16& references = count(frame);
    if (references == 0) panic("frames: freed twice");
    if (--references != 0) return;
    *direct<Pa>(frame) = free_list;
    free_list = frame;
    ++free_now;
}

u64 references(Pa frame) { return count(frame); }

u64 available() { return free_now; }

}  // namespace uc::mini::frames
