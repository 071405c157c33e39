// SPDX-License-Identifier: MIT
#pragma once
// The extensions of a hart, as device trees name them, and those of them a guest may have.

#include <array>
#include <string_view>

#include "hv/fdt_view.hpp"
#include "isa/types.hpp"

namespace uc {

struct GuestCpu;

/// The extensions known to Undercroft (single letters included) that a hart has; unknown ones cannot be kept.
class IsaSet {
  public:
    [[nodiscard]] bool has(std::string_view extension) const;
    /// Adds an extension by its lower-case name. False when it is unknown.
    bool add(std::string_view extension) { return add_to(stated_, extension); }
    /// Leaves what `other` has too.
    void intersect(const IsaSet& other);

    using Line = Text<896>;
    /// "rv64imac_zicsr...", in canonical order (ISA manual, "ISA Extension Naming Conventions").
    [[nodiscard]] Line riscv_isa() const;
    /// The value of riscv,isa-extensions: the names, each ended by a NUL.
    [[nodiscard]] Line riscv_isa_extensions() const;

    friend bool operator==(const IsaSet&, const IsaSet&) = default;

  private:
    friend IsaSet parse_riscv_isa(std::string_view text);
    friend IsaSet guest_isa(const IsaSet& host, const GuestCpu& cpu);

    using Bits = std::array<u64, 2>;
    static bool add_to(Bits& bits, std::string_view extension);

    Bits stated_{};   ///< named by the tree
    Bits implied_{};  ///< part of `i` in riscv,isa, but named in riscv,isa-extensions
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
