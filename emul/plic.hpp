// SPDX-License-Identifier: MIT
#pragma once
// The guest's platform-level interrupt controller (PLIC specification 1.0), laid out as on QEMU's `virt`.

#include <array>

#include "emul/irq_line.hpp"
#include "emul/mmio.hpp"

namespace uc {

/// Takes the PLIC's outputs: the level of SEIP of each vCPU, called on changes only.
class ExternalLine {
  public:
    virtual void set_seip(unsigned vcpu, bool level) = 0;

  protected:
    ~ExternalLine() = default;
};

/// Sources 1 to 95, seven priorities, level-triggered gateways. Context 2n+1 is the supervisor of vCPU n; the even
/// contexts, a bare machine's M-modes, read zero and ignore writes, like every reserved register. Accesses other than
/// 32-bit ones fault.
class Plic final : public Device, public IrqLine {
  public:
    static constexpr u64 kSize = 0x600000;
    static constexpr unsigned kSources = 96;  ///< including source 0, which does not exist
    static constexpr unsigned kMaxVcpus = 64;
    static constexpr u32 kMaxPriority = 7;

    /// `vcpus` is 1 to kMaxVcpus; `output` must outlive the PLIC.
    Plic(unsigned vcpus, ExternalLine& output) : output_(output), vcpus_(vcpus) {}

    /// Drives the wire of `source`; 0 and sources that do not exist are ignored.
    void set(unsigned source, bool level) override;

    [[nodiscard]] std::optional<u64> read(u64 offset, unsigned width) override;
    [[nodiscard]] bool write(u64 offset, unsigned width, u64 value) override;

    /// Back to power-on: all registers zero, outputs low. The wires keep their levels and pend again.
    void reset();

  private:
    static constexpr unsigned kWords = kSources / 32;
    using Bits = std::array<u32, kWords>;  ///< one bit for each source

    struct Context {
        Bits enable{};
        u32 threshold = 0;
        bool seip = false;
    };

    struct Candidate {
        unsigned source = 0;
        u32 priority = 0;
    };

    [[nodiscard]] Context* context(u64 number);
    [[nodiscard]] Candidate best(const Context& context) const;
    [[nodiscard]] u32 read_register(u64 offset);
    void write_register(u64 offset, u32 value);
    [[nodiscard]] u32 claim(Context& context);
    void complete(const Context& context, u32 source);
    void update_outputs();

    ExternalLine& output_;
    unsigned vcpus_;
    std::array<u8, kSources> priority_{};
    Bits level_{};       ///< the wires
    Bits pending_{};     ///< requests the gateways have passed on
    Bits in_service_{};  ///< claimed and not completed: the gateway is shut
    std::array<Context, kMaxVcpus> contexts_{};
};

}  // namespace uc
