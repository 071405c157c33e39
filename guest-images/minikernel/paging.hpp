// SPDX-License-Identifier: MIT
#pragma once
// Page tables: the kernel's half, which every root shares, and the walk.

#include "guest-images/minikernel/layout.hpp"
#include "isa/pte.hpp"

#include <optional>

namespace uc::mini {

/// Leaf permissions. A and D are set from the start: hardware that would only fault to have them set never has to
/// (Privileged 1.12, 4.3.1).
inline constexpr u64 kRead = Pte::R.mask, kWrite = Pte::W.mask, kExecute = Pte::X.mask;
inline constexpr u64 kUser = Pte::V.mask | Pte::U.mask | Pte::A.mask | Pte::D.mask;
inline constexpr u64 kKernel = Pte::V.mask | Pte::G.mask | Pte::A.mask | Pte::D.mask;

struct Paging {
    SatpMode mode = SatpMode::Sv39;
    Pa kernel_root;    ///< maps the kernel's half only
    u64 max_asid = 0;  ///< largest ASID satp holds; 0: no ASIDs
};
extern Paging paging;

/// Builds the kernel's tables in the mode asked for, or the largest below it that the hart offers, and switches to
/// them.
void paging_init(SatpMode wanted);

[[nodiscard]] inline Satp satp_of(Pa root, u64 asid) {
    return Satp{}.set(Satp::MODE, static_cast<u64>(paging.mode)).set(Satp::ASID, asid).set(Satp::PPN, root.frame());
}

[[nodiscard]] inline Pte pte_of(Pa frame, u64 flags) { return Pte{{flags}}.set(Pte::PPN, frame.frame()); }
[[nodiscard]] inline Pa frame_of(Pte pte) { return Pa{pte.get(Pte::PPN) << kPageShift}; }

/// The entry for `va` at `level`. Missing tables on the way are created if `create`; without, or out of memory:
/// nullptr. Also nullptr where a superpage ends the walk above `level`.
[[nodiscard]] Pte* walk(Pa root, Va va, unsigned level, bool create);

/// A new root with the kernel's half filled in; nothing when out of memory.
[[nodiscard]] std::optional<Pa> new_root();

/// Exclusive end of the user half in the current mode.
[[nodiscard]] inline Va user_end() { return Va{1ull << (va_bits(paging.mode) - 1)}; }

}  // namespace uc::mini
