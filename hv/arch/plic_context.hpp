// SPDX-License-Identifier: MIT
#pragma once
// The machine's PLIC, as far as one hart's supervisor needs it (RISC-V PLIC specification 1.0).

#include "isa/types.hpp"

namespace uc::arch {

/// One context of the PLIC.
class PlicContext {
  public:
    /// Starts with all of the `sources` masked, whatever an earlier boot stage left.
    void init(Hva base, unsigned context, unsigned sources);
    [[nodiscard]] bool present() const { return base_.raw != 0; }
    /// Lets `source` interrupt this context.
    void enable(unsigned source);
    /// The source that waits, 0 for none; it stays masked until complete().
    [[nodiscard]] unsigned claim();
    void complete(unsigned source);

  private:
    [[nodiscard]] volatile u32& reg(u64 offset) const { return *reinterpret_cast<volatile u32*>(base_.raw + offset); }
    [[nodiscard]] volatile u32& enable_word(unsigned source) const {
        return reg(0x2000 + 0x80ull * context_ + source / 32 * 4);
    }
    [[nodiscard]] u64 context_base() const { return 0x20'0000 + 0x1000ull * context_; }
    Hva base_;
    unsigned context_ = 0;
};

}  // namespace uc::arch
