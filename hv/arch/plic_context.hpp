// SPDX-License-Identifier: MIT
#pragma once
// The machine's PLIC, as far as one hart's supervisor needs it (RISC-V PLIC specification 1.0).

#include "isa/types.hpp"

namespace uc::arch {

/// One context of the PLIC.
class PlicContext {
  public:
    void init(Hva base, unsigned context);
    [[nodiscard]] bool present() const { return base_.raw != 0; }
    /// Lets `source` interrupt this context.
    void enable(unsigned source);
    /// The source that waits, 0 for none; it stays masked until complete().
    [[nodiscard]] unsigned claim();
    void complete(unsigned source);

  private:
    [[nodiscard]] volatile u32& reg(u64 offset) const { return *reinterpret_cast<volatile u32*>(base_.raw + offset); }
    [[nodiscard]] u64 context_base() const { return 0x20'0000 + 0x1000ull * context_; }
    Hva base_;
    unsigned context_ = 0;
};

}  // namespace uc::arch
