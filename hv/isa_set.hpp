// SPDX-License-Identifier: MIT
#pragma once
// The extensions of a hart, as device trees name them, and those of them a guest may have.

#include <array>
#include <string_view>

#include "hv/fdt_view.hpp"
#include "isa/types.hpp"

namespace uc {

/// Extensions known to Undercroft (single letters included) out of a hart's riscv,isa or riscv,isa-extensions; others
/// are dropped.
class IsaSet {
  public:
    [[nodiscard]] bool has(std::string_view extension) const;
    /// Adds an extension by its lower-case name; `g` stands for what it abbreviates. False when it is unknown.
    bool add(std::string_view extension);
    void remove(std::string_view extension);
    [[nodiscard]] bool empty() const;

    /// "rv64imac_zicsr...", in canonical order (ISA manual, 27.11), into `out`: as much as fits.
    using Line = Text<640>;
    [[nodiscard]] Line riscv_isa() const;
    /// The value of riscv,isa-extensions: the names, each ended by a NUL.
    [[nodiscard]] Line riscv_isa_extensions() const;

    friend bool operator==(const IsaSet&, const IsaSet&) = default;

  private:
    friend IsaSet parse_riscv_isa(std::string_view text);
    friend IsaSet guest_isa(const IsaSet& host, const struct GuestCpu& cpu);
    using Bits = std::array<u64, 2>;
    /// `stated` is what the tree names; `implied` is part of `i` in riscv,isa, but has to be named in
    /// riscv,isa-extensions.
    Bits stated_{};
    Bits implied_{};
};

/// Reads a riscv,isa string ("rv64imafdc_zicsr..."); empty unless it is of a 64-bit hart. Version numbers are skipped.
[[nodiscard]] IsaSet parse_riscv_isa(std::string_view text);
/// Reads riscv,isa-extensions.
[[nodiscard]] IsaSet parse_riscv_isa_extensions(const FdtProperty& list);

/// What the emulation offers beyond the extensions that run in user mode without help.
struct GuestCpu {
    bool fpu = false;      ///< f, d and what builds on them
    bool vector = false;   ///< v and what builds on it
    bool sstc = false;     ///< stimecmp is emulated
    bool svinval = false;  ///< sinval.vma and its fences are emulated
    bool svnapot = false;  ///< the walker knows NAPOT leaves
    bool svpbmt = false;   ///< the walker knows memory types
    bool svadu = false;    ///< A and D bits are updated, not faulted on
    bool zicbom = false;   ///< cbo.clean, cbo.flush and cbo.inval work under the guest's senvcfg
    bool zicboz = false;   ///< cbo.zero works under the guest's senvcfg
};

/// The host's extensions less those a guest cannot have.
[[nodiscard]] IsaSet guest_isa(const IsaSet& host, const GuestCpu& cpu);

}  // namespace uc
