// SPDX-License-Identifier: MIT
#pragma once
// Terminals on the machine's own UARTs, driven by interrupts: the 16550 family and SiFive's.

#include "hv/terminal.hpp"

namespace uc::arch {

/// A terminal with buffers in both directions; the derived class knows the registers.
class HostUart : public Terminal {
  public:
    [[nodiscard]] bool put(u8 byte) final;
    [[nodiscard]] std::optional<u8> get() final { return received_.pop(); }
    void service() final;
    void drain() final;
    [[nodiscard]] bool interrupts() const final { return has_irq_; }
    /// The UART's interrupt is routed: from now on it may be raised.
    void enable_interrupts();

  protected:
    ~HostUart() = default;
    [[nodiscard]] virtual bool can_send() = 0;
    virtual void send(u8 byte) = 0;
    /// Whether the last bit has left.
    [[nodiscard]] virtual bool idle() = 0;
    [[nodiscard]] virtual std::optional<u8> receive() = 0;
    /// Receive interrupts always, transmit interrupts when `transmit`.
    virtual void set_interrupts(bool transmit) = 0;

  private:
    void refill();

    ByteRing<4096> to_send_;
    ByteRing<1024> received_;
    bool has_irq_ = false;
    bool transmit_irq_ = false;
};

/// ns16550a and its kin. `shift` spaces the registers, `width` (1 or 4) is the access size. Firmware has set the line.
class Uart16550Terminal final : public HostUart {
  public:
    void init(Hva base, unsigned shift, unsigned width);

  protected:
    bool can_send() override;
    void send(u8 byte) override;
    bool idle() override;
    std::optional<u8> receive() override;
    void set_interrupts(bool transmit) override;

  private:
    [[nodiscard]] u8 read(unsigned reg) const;
    void write(unsigned reg, u8 value) const;
    Hva base_;
    unsigned shift_ = 0;
    unsigned width_ = 1;
    unsigned room_ = 0;  ///< bytes that may follow before LSR must be asked again
};

/// SiFive's UART (FU540-C000 manual, chapter 13).
class SifiveUartTerminal final : public HostUart {
  public:
    void init(Hva base);

  protected:
    bool can_send() override;
    void send(u8 byte) override;
    bool idle() override;
    std::optional<u8> receive() override;
    void set_interrupts(bool transmit) override;

  private:
    [[nodiscard]] volatile u32& reg(unsigned offset) const;
    Hva base_;
};

/// The firmware's console, for machines whose UART we do not know: polled.
class SbiTerminal final : public Terminal {
  public:
    /// `use_dbcn`: the firmware has DBCN; otherwise the legacy calls serve.
    void init(bool use_dbcn) { dbcn_ = use_dbcn; }
    [[nodiscard]] bool put(u8 byte) override;
    [[nodiscard]] std::optional<u8> get() override { return received_.pop(); }
    void service() override;
    void drain() override {}
    [[nodiscard]] bool interrupts() const override { return false; }

  private:
    ByteRing<1024> received_;
    std::array<u8, 64> buffer_{};  ///< for DBCN's reads
    bool dbcn_ = false;
};

}  // namespace uc::arch
