// SPDX-License-Identifier: MIT
#include "hv/arch/host_uart.hpp"

#include "hv/arch/sbi_call.hpp"
#include "hv/arch/symbols.hpp"
#include "hv/arch/window.hpp"

namespace uc::arch {

bool HostUart::put(u8 byte) {
    if (to_send_.empty() && can_send()) {
        send(byte);
        return true;
    }
    const bool taken = to_send_.push(byte);
    refill();
    return taken;
}

void HostUart::refill() {
    while (!to_send_.empty() && can_send()) send(*to_send_.pop());
    const bool want = !to_send_.empty();
    if (has_irq_ && want != transmit_irq_) set_interrupts(transmit_irq_ = want);
}

void HostUart::service() {
    while (!received_.full()) {
        const auto byte = receive();
        if (!byte) break;
        received_.push(*byte);
    }
    // With the buffer full, what is left in the UART would keep its interrupt up: drop it as the line itself would.
    if (received_.full()) {
        while (receive()) {}
    }
    refill();
}

void HostUart::drain() {
    while (!to_send_.empty() || !idle()) refill();
}

void HostUart::enable_interrupts() {
    has_irq_ = true;
    set_interrupts(transmit_irq_ = !to_send_.empty());
}

namespace reg16550 {
constexpr unsigned kData = 0, kIer = 1, kFcr = 2, kMcr = 4, kLsr = 5;
constexpr u8 kIerReceive = 1, kIerTransmit = 2;
constexpr u8 kFcrEnable = 1;
constexpr u8 kMcrOut2 = 8;  // gates the interrupt line on PC-like parts
constexpr u8 kLsrData = 1, kLsrHoldingEmpty = 0x20, kLsrEmpty = 0x40;
constexpr unsigned kFifo = 16;
}  // namespace reg16550

void Uart16550Terminal::init(Hva base, unsigned shift, unsigned width) {
    base_ = base;
    shift_ = shift;
    width_ = width;
    write(reg16550::kIer, 0);
    write(reg16550::kFcr, reg16550::kFcrEnable);
    write(reg16550::kMcr, read(reg16550::kMcr) | reg16550::kMcrOut2);
}

u8 Uart16550Terminal::read(unsigned reg) const {
    const u64 at = base_.raw + (static_cast<u64>(reg) << shift_);
    return width_ == 4 ? static_cast<u8>(*reinterpret_cast<volatile u32*>(at)) : *reinterpret_cast<volatile u8*>(at);
}

void Uart16550Terminal::write(unsigned reg, u8 value) const {
    const u64 at = base_.raw + (static_cast<u64>(reg) << shift_);
    if (width_ == 4) {
        *reinterpret_cast<volatile u32*>(at) = value;
    } else {
        *reinterpret_cast<volatile u8*>(at) = value;
    }
}

bool Uart16550Terminal::can_send() {
    // The holding register reports empty when the whole FIFO is: then a FIFO's worth may go without asking.
    if (room_ == 0 && (read(reg16550::kLsr) & reg16550::kLsrHoldingEmpty) != 0) room_ = reg16550::kFifo;
    return room_ != 0;
}

void Uart16550Terminal::send(u8 byte) {
    write(reg16550::kData, byte);
    --room_;
}

bool Uart16550Terminal::idle() { return (read(reg16550::kLsr) & reg16550::kLsrEmpty) != 0; }

std::optional<u8> Uart16550Terminal::receive() {
    if ((read(reg16550::kLsr) & reg16550::kLsrData) == 0) return std::nullopt;
    return read(reg16550::kData);
}

void Uart16550Terminal::set_interrupts(bool transmit) {
    write(reg16550::kIer, reg16550::kIerReceive | (transmit ? reg16550::kIerTransmit : 0));
}

namespace sifive {
constexpr unsigned kTxData = 0x00, kRxData = 0x04, kTxCtrl = 0x08, kRxCtrl = 0x0c, kIe = 0x10, kIp = 0x14;
constexpr u32 kFull = 1u << 31, kEmpty = 1u << 31;
constexpr u32 kEnable = 1;
constexpr u32 kWatermarkOne = 1u << 16;  // interrupt when fewer than one entry waits to be sent
constexpr u32 kIeTransmit = 1, kIeReceive = 2;
}  // namespace sifive

volatile u32& SifiveUartTerminal::reg(unsigned offset) const {
    return *reinterpret_cast<volatile u32*>(base_.raw + offset);
}

void SifiveUartTerminal::init(Hva base) {
    base_ = base;
    reg(sifive::kIe) = 0;
    reg(sifive::kTxCtrl) = sifive::kEnable | sifive::kWatermarkOne;
    reg(sifive::kRxCtrl) = sifive::kEnable;
}

bool SifiveUartTerminal::can_send() { return (reg(sifive::kTxData) & sifive::kFull) == 0; }
void SifiveUartTerminal::send(u8 byte) { reg(sifive::kTxData) = byte; }

// The nearest this UART tells: its queue is below the watermark of one.
bool SifiveUartTerminal::idle() { return (reg(sifive::kIp) & sifive::kIeTransmit) != 0; }

std::optional<u8> SifiveUartTerminal::receive() {
    const u32 value = reg(sifive::kRxData);
    if ((value & sifive::kEmpty) != 0) return std::nullopt;
    return static_cast<u8>(value);
}

void SifiveUartTerminal::set_interrupts(bool transmit) {
    reg(sifive::kIe) = sifive::kIeReceive | (transmit ? sifive::kIeTransmit : 0);
}

bool SbiTerminal::put(u8 byte) {
    // A console that refuses for good must not stop the hypervisor: the legacy call has no errors.
    if (dbcn_ && sbi_call(sbi::Ext::Dbcn, sbi::dbcn::WriteByte, byte).error == sbi::Error::Success) return true;
    sbi_call(sbi::Ext::LegacyPutchar, 0, byte);
    return true;
}

void SbiTerminal::service() {
    if (dbcn_) {
        const u64 offset = reinterpret_cast<u64>(buffer_.data()) - reinterpret_cast<u64>(uc_image_start);
        const auto ret = sbi_call(sbi::Ext::Dbcn, sbi::dbcn::Read, buffer_.size(), (window.image + offset).raw, 0);
        if (ret.error != sbi::Error::Success) return;
        for (u64 i = 0; i < ret.value && i < buffer_.size(); ++i) received_.push(buffer_[i]);
        return;
    }
    while (!received_.full()) {
        const auto ret = sbi_call(sbi::Ext::LegacyGetchar, 0);
        const auto byte = static_cast<i64>(ret.error);
        if (byte < 0 || byte > 0xff) break;
        received_.push(static_cast<u8>(byte));
    }
}

}  // namespace uc::arch
