// SPDX-License-Identifier: MIT
#pragma once
// The guest's test and reset device (`sifive,test1`, driven by syscon-poweroff and syscon-reboot).

#include "emul/mmio.hpp"

namespace uc {

/// What a guest asked for.
struct ResetRequest {
    enum class Kind : u8 { Poweroff, Fail, Reboot };
    Kind kind = Kind::Poweroff;
    u16 code = 0;  ///< of a failure

    friend constexpr bool operator==(const ResetRequest&, const ResetRequest&) = default;
};

class ResetLine {
  public:
    /// Called from within the guest's store. Whoever cannot serve it now sees to it that the guest makes the store
    /// again.
    virtual void request_reset(ResetRequest request) = 0;

  protected:
    ~ResetLine() = default;
};

/// One register at offset 0: the order in bits 15:0, a failure's code in bits 31:16. Everything else reads zero and
/// ignores writes. Takes accesses of two and four bytes, as QEMU's does.
class Syscon final : public Device {
  public:
    static constexpr u64 kSize = 0x1000;
    static constexpr u16 kFail = 0x3333;
    static constexpr u16 kPoweroff = 0x5555;
    static constexpr u16 kReboot = 0x7777;

    explicit Syscon(ResetLine& line) : line_(line) {}

    [[nodiscard]] std::optional<u64> read(u64 offset, unsigned width) override;
    [[nodiscard]] bool write(u64 offset, unsigned width, u64 value) override;

  private:
    ResetLine& line_;
};

}  // namespace uc
