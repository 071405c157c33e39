// SPDX-License-Identifier: MIT
#pragma once
// Address spaces: tables built by hand, so that a guest can also build wrong ones.

#include "guest-images/behaviour/rt/rt.hpp"

namespace uc::rt {

inline constexpr u64 kV = 1, kR = 2, kW = 4, kX = 8, kU = 16, kG = 32, kA = 64, kD = 128;
inline constexpr u64 kRw = kV | kR | kW | kA | kD;
inline constexpr u64 kRwx = kRw | kX;
inline constexpr u64 kTable = kV;
inline constexpr u64 kRam = 0x80000000;

constexpr u64 make_pte(u64 pa, u64 flags) { return pa >> 12 << 10 | flags; }

/// A zeroed page, never returned. Comes from RAM behind the image; at most kPoolPages (64 MiB).
u64 new_page();
inline constexpr u64 kPoolPages = 16384;

/// One tree of page tables. It maps the first GiB of RAM at its own address for S-mode, so the runtime lives on in it.
class Space {
  public:
    explicit Space(SatpMode mode);

    /// The entry for `va` in the table of `level`; tables above it are made as needed.
    volatile u64& entry(u64 va, unsigned level = 0);
    void map(u64 va, u64 pa, u64 flags, unsigned level = 0) { entry(va, level) = make_pte(pa, flags); }
    /// Maps the snippets at user() for U-mode.
    void map_snippets();

    [[nodiscard]] u64 satp(u64 asid = 0) const { return static_cast<u64>(mode_) << 60 | asid << 44 | root_ >> 12; }
    [[nodiscard]] u64 root() const { return root_; }
    [[nodiscard]] SatpMode mode() const { return mode_; }
    void enter(u64 asid = 0) const {
        csr_write<CsrNo::satp>(satp(asid));
        sfence();
    }

  private:
    SatpMode mode_;
    u64 root_;
};

/// Back to Bare.
inline void leave_space() {
    csr_write<CsrNo::satp>(0);
    sfence();
}

/// Where map_snippets() puts a snippet for U-mode.
inline constexpr u64 kUserAlias = 0x20'0000'0000;
inline u64 user(const char* snippet) { return address(snippet) + kUserAlias; }

bool mode_available(SatpMode mode);
const char* mode_name(SatpMode mode);

/// Calls body(mode) for each mode the hart has. Sv57 may be kept from a guest for the hypervisor's own use: its lines
/// are marked as the machine's.
template <class Body>
void each_mode(Body body) {
    for (SatpMode mode : {SatpMode::Sv39, SatpMode::Sv48, SatpMode::Sv57}) {
        if (!mode_available(mode)) continue;
        MachineLines mark(mode == SatpMode::Sv57);
        say("mode ", mode_name(mode));
        body(mode);
        leave_space();
    }
}

}  // namespace uc::rt
