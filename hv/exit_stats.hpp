// SPDX-License-Identifier: MIT
#pragma once
// Why a vCPU left the guest, counted.

#include "hv/shared_word.hpp"
#include "isa/cause.hpp"

#include <array>
#include <string_view>

namespace uc {

enum class ExitReason : u8 {
    Csr,             ///< a CSR instruction, emulated
    Sret,            ///< sret, emulated
    Fence,           ///< sfence.vma and Svinval
    Satp,            ///< satp written
    Wfi,             ///< wfi
    Illegal,         ///< an instruction that is illegal for the guest too
    Sbi,             ///< ecall of the guest's kernel
    UserEcall,       ///< ecall of the guest's user
    ShadowFill,      ///< page fault answered by the shadow tables
    GuestPageFault,  ///< page fault that is the guest's own
    Mmio,            ///< access to an emulated device
    GuestException,  ///< any other exception that is the guest's own
    Timer,
    Software,
    External,
    Count,
};
inline constexpr usize kExitReasons = static_cast<usize>(ExitReason::Count);

/// Whether it is the host's own business.
[[nodiscard]] constexpr bool is_interrupt(ExitReason reason) {
    return reason == ExitReason::Timer || reason == ExitReason::Software || reason == ExitReason::External;
}

/// Short lower-case name, as `undercroft.stats` prints it.
[[nodiscard]] constexpr std::string_view name(ExitReason reason) {
    constexpr std::array<std::string_view, kExitReasons> kNames{
        "csr",         "sret",       "fence", "satp",      "wfi",   "illegal",  "sbi",     "user-ecall",
        "shadow-fill", "page-fault", "mmio",  "exception", "timer", "software", "external"};
    return kNames[static_cast<usize>(reason)];
}

/// Exits of one vCPU, written by the hart that runs it.
struct ExitStats {
    struct Kind {
        SharedWord count;
        SharedWord spent;  ///< in the hypervisor, in units of the ExitClock
    };
    std::array<Kind, kExitReasons> kinds{};

    std::array<u64, 16> exceptions{};  ///< passed on to the guest, by cause

    /// The guest is given an exception of its own, which is neither a page fault nor an illegal instruction.
    void pass_on(Cause cause) { ++exceptions[static_cast<usize>(cause) % exceptions.size()]; }
    [[nodiscard]] u64 passed_on(Cause cause) const { return exceptions[static_cast<usize>(cause)]; }
    /// As though nothing had been counted. No hart counts meanwhile; others may read `kinds`.
    void reset() {
        for (Kind& kind : kinds) {
            kind.count.put(0);
            kind.spent.put(0);
        }
        exceptions = {};
    }
    void add(ExitReason reason, u64 spent) {
        Kind& kind = kinds[static_cast<usize>(reason)];
        kind.count.add(1);
        kind.spent.add(spent);
    }
    [[nodiscard]] const Kind& of(ExitReason reason) const { return kinds[static_cast<usize>(reason)]; }
    /// All of them.
    [[nodiscard]] u64 exits() const {
        u64 sum = 0;
        for (const Kind& kind : kinds) sum += kind.count.get();
        return sum;
    }
};

}  // namespace uc
