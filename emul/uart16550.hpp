// SPDX-License-Identifier: MIT
#pragma once
// The guest's serial port: a 16550A with 16-byte FIFOs (National Semiconductor PC16550D), one byte per register.

#include <array>

#include "emul/irq_line.hpp"
#include "emul/mmio.hpp"

namespace uc {

/// Where the serial port's output goes.
class ConsolePort {
  public:
    /// Takes a byte; false when there is no room, and the byte is offered again by Uart16550::drain().
    [[nodiscard]] virtual bool write(u8 byte) = 0;

  protected:
    ~ConsolePort() = default;
};

/// A queue of the chip's fixed depth.
class UartFifo {
  public:
    static constexpr unsigned kDepth = 16;

    [[nodiscard]] unsigned size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] u8 front() const { return bytes_[head_]; }
    void push(u8 byte) { bytes_[(head_ + size_++) % kDepth] = byte; }
    void pop() {
        head_ = (head_ + 1) % kDepth;
        --size_;
    }
    void clear() { size_ = 0; }

  private:
    std::array<u8, kDepth> bytes_{};
    unsigned head_ = 0;
    unsigned size_ = 0;
};

/// Every register, the FIFOs, loopback and the four interrupt sources. The line is silent: no parity, framing or break
/// errors come in, and the divisor does not slow it down. As on QEMU's `virt`, an access of any width reaches the one
/// register at its address.
class Uart16550 final : public Device {
  public:
    static constexpr u64 kSize = 8;

    /// `irq` is driven as wire `source`; both references must outlive the port.
    Uart16550(IrqLine& irq, unsigned source, ConsolePort& port) : irq_(irq), port_(port), source_(source) {}

    [[nodiscard]] std::optional<u64> read(u64 offset, unsigned width) override;
    [[nodiscard]] bool write(u64 offset, unsigned width, u64 value) override;

    /// A byte comes in from outside; false when the guest has no room for it (or is in loopback): keep it.
    [[nodiscard]] bool receive(u8 byte);
    /// Takes the next byte received before the guest reads it, as firmware that shares the chip would.
    [[nodiscard]] std::optional<u8> take();
    /// Bytes that receive() would take now.
    [[nodiscard]] unsigned room() const;
    /// Offers the port what it refused before; true when nothing is left. To be called when the port has room again,
    /// and before output that goes there by another way.
    bool drain();
    /// Back to power-on. Output that the port refused is dropped.
    void reset();

  private:
    [[nodiscard]] unsigned depth() const;
    [[nodiscard]] u8 line_status() const;
    [[nodiscard]] u8 modem_lines() const;
    [[nodiscard]] u8 interrupt_id() const;
    [[nodiscard]] u8 read_data();
    [[nodiscard]] u8 read_interrupt_id();
    [[nodiscard]] u8 read_line_status();
    [[nodiscard]] u8 read_modem_status();
    void write_data(u8 byte);
    void write_interrupt_enable(u8 value);
    void write_fifo_control(u8 value);
    void write_modem_control(u8 value);
    void take_in(u8 byte);
    void update_irq();

    IrqLine& irq_;
    ConsolePort& port_;
    unsigned source_;

    UartFifo rx_;
    UartFifo tx_;
    u8 ier_ = 0;
    u8 fcr_ = 0;  ///< FIFO enable and trigger level
    u8 lcr_ = 0;
    u8 mcr_ = kResetMcr;
    u8 scr_ = 0;
    u16 divisor_ = kResetDivisor;
    u8 modem_delta_ = 0;         ///< MSR 3:0
    bool overrun_ = false;       ///< LSR.OE
    bool thre_pending_ = false;  ///< the transmitter's interrupt, until IIR or THR is touched
    bool irq_level_ = false;

    static constexpr u8 kResetMcr = 0x08;     ///< OUT2, as QEMU leaves it
    static constexpr u16 kResetDivisor = 12;  ///< 9600 baud of a PC's clock, likewise
};

}  // namespace uc
