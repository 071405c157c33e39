// SPDX-License-Identifier: MIT
#pragma once
// Where the hypervisor lives in every address space: the window. It holds the image, mapped devices and all of memory
// (the physmap), for S-mode only.
//
// The base depends on the translation mode. On Sv57 and Sv48 it is not canonical in the next smaller mode, so that a
// guest using that cannot name it; in its own mode it lies where a stock Linux keeps KASAN's shadow and nothing else
// (Linux, Documentation/arch/riscv/vm-layout.rst). On Sv39 only the latter holds.
//
//   base           +1 GiB                                       +32 GiB
//   | image | MMIO | physmap: memory from physmap_base upwards ... |

#include "isa/pte.hpp"

namespace uc::arch {

inline constexpr u64 kWindowGiB = 32;  ///< from 0xfffffff7_00000000 to the end of KASAN's range under Sv39
inline constexpr u64 kPhysmapOffset = 1 * kGiB;
inline constexpr u64 kMmioOffset = 512 * kMiB;

[[nodiscard]] constexpr u64 window_base(SatpMode mode) {
    switch (mode) {
        case SatpMode::Sv57: return 0xffe8'0000'0000'0000;
        case SatpMode::Sv48: return 0xffff'f000'0000'0000;
        default: return 0xffff'fff7'0000'0000;
    }
}
static_assert(is_canonical(window_base(SatpMode::Sv57), SatpMode::Sv57));
static_assert(!is_canonical(window_base(SatpMode::Sv57), SatpMode::Sv48));
static_assert(is_canonical(window_base(SatpMode::Sv48), SatpMode::Sv48));
static_assert(!is_canonical(window_base(SatpMode::Sv48), SatpMode::Sv39));
static_assert(is_canonical(window_base(SatpMode::Sv39), SatpMode::Sv39));

/// What uc_prepare_window decided, for the rest of the hypervisor.
struct WindowPlace {
    SatpMode mode = SatpMode::Bare;
    Hva base;          ///< of the window, and of the image in it
    Hpa image;         ///< where the image was loaded
    Hpa physmap_base;  ///< what base + kPhysmapOffset maps; a multiple of 1 GiB
};
extern constinit WindowPlace window;

/// Where the physmap shows `pa`. Only memory between physmap_base and the window's end is there.
[[nodiscard]] inline Hva physmap(Hpa pa) {
    return Hva{window.base.raw + kPhysmapOffset + (pa.raw - window.physmap_base.raw)};
}
/// The physical address of a pointer into the physmap.
[[nodiscard]] inline Hpa physical(Hva va) {
    return Hpa{va.raw - window.base.raw - kPhysmapOffset + window.physmap_base.raw};
}
/// First physical address beyond what the physmap can show.
[[nodiscard]] inline Hpa physmap_end() { return window.physmap_base + (kWindowGiB * kGiB - kPhysmapOffset); }

}  // namespace uc::arch
