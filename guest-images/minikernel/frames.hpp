// SPDX-License-Identifier: MIT
#pragma once
// Physical page frames, counted by reference so that copy-on-write can share them.

#include "guest-images/minikernel/layout.hpp"

#include <optional>

namespace uc::mini::frames {

/// Takes over the memory from `start` to `end`.
void init(Pa start, Pa end);

/// A zeroed frame with one reference; nothing when memory is full.
[[nodiscard]] std::optional<Pa> allocate();

/// One more reference to an allocated frame.
void share(Pa frame);

/// One reference less; the last one frees the frame.
void release(Pa frame);

/// References to an allocated frame.
[[nodiscard]] u64 references(Pa frame);

/// Frames that can still be allocated.
[[nodiscard]] u64 available();

}  // namespace uc::mini::frames
