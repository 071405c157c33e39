// SPDX-License-Identifier: MIT
#pragma once
// The virtual-address translation process, written down from the privileged specification step by step and bit by bit.
// It shares no code, type or constant with the walker it judges.

#include <cstdint>
#include <functional>
#include <optional>

namespace ref {

enum class What { Load, Store, Fetch };

struct Config {
    bool svadu = false;  // hardware sets A and D; else they fault
    bool svpbmt = false;
    bool svnapot = false;
};

struct Result {
    enum Kind { Ok, PageFault, AccessFault } kind = PageFault;
    std::uint64_t pa = 0;      // Ok
    unsigned level = 0;        // Ok: i of the algorithm
    std::uint64_t pte = 0;     // Ok: the leaf with A and D as the step 7 leaves them
    std::uint64_t pte_pa = 0;  // Ok: where it lies
    bool operator==(const Result&) const = default;
};

/// Reads the 8 bytes at a physical address; nullopt where a PMA check fails.
using Read = std::function<std::optional<std::uint64_t>(std::uint64_t)>;

/// Privileged 1.12, 4.3.2 with 4.4 to 4.6, chapters 5 (Svnapot) and 6 (Svpbmt). `user` is the effective privilege.
Result translate(const Read& read, std::uint64_t satp, bool user, bool sum, bool mxr, std::uint64_t va, What what,
                 const Config& config);

}  // namespace ref
