// SPDX-License-Identifier: MIT
#pragma once
// 4 KiB frames for page tables, handed out and taken back in constant time.

#include "isa/types.hpp"

#include <cstring>
#include <span>

namespace uc {

/// A fixed pool of page-sized frames. Frames are numbered from 0, so that an index, a pointer and a host-physical
/// address name the same frame. Not safe for concurrent use; the owner's lock covers it.
class FramePool {
  public:
    /// `bytes` is aligned to 4 KiB and lies at `base` on the bus; a partial frame at the end is left alone.
    FramePool(std::span<std::byte> bytes, Hpa base)
        : bytes_(bytes.data()), base_(base), capacity_(static_cast<u32>(bytes.size() / kPageSize)) {}

    FramePool(const FramePool&) = delete;
    FramePool& operator=(const FramePool&) = delete;

    /// A zeroed frame, or nullptr when none is left.
    [[nodiscard]] std::byte* allocate() {
        std::byte* frame = nullptr;
        if (free_ != kNone) {
            frame = this->frame(free_);
            std::memcpy(&free_, frame, sizeof(free_));
        } else if (untouched_ < capacity_) {
            frame = this->frame(untouched_++);
        } else {
            return nullptr;
        }
        ++used_;
        std::memset(frame, 0, kPageSize);
        return frame;
    }

    /// Takes back a frame that `allocate` gave.
    void free(std::byte* frame) {
        std::memcpy(frame, &free_, sizeof(free_));  // a free frame holds the number of the next one
        free_ = index(frame);
        --used_;
    }

    [[nodiscard]] u32 capacity() const { return capacity_; }
    [[nodiscard]] u32 available() const { return capacity_ - used_; }

    [[nodiscard]] std::byte* frame(u32 index) const { return bytes_ + u64{index} * kPageSize; }
    [[nodiscard]] std::byte* frame(Hpa hpa) const { return bytes_ + (hpa - base_); }
    [[nodiscard]] u32 index(const void* frame) const {
        return static_cast<u32>(static_cast<u64>(static_cast<const std::byte*>(frame) - bytes_) / kPageSize);
    }
    [[nodiscard]] u32 index(Hpa hpa) const { return static_cast<u32>((hpa - base_) / kPageSize); }
    [[nodiscard]] Hpa hpa(u32 index) const { return base_ + u64{index} * kPageSize; }
    [[nodiscard]] Hpa hpa(const void* frame) const { return hpa(index(frame)); }

  private:
    static constexpr u32 kNone = ~0u;

    std::byte* bytes_;
    Hpa base_;
    u32 capacity_;
    u32 untouched_ = 0;  ///< frames from here on were never handed out
    u32 used_ = 0;
    u32 free_ = kNone;  ///< first of the list of returned frames
};

}  // namespace uc
