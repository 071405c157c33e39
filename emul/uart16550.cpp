// SPDX-License-Identifier: MIT
#include "emul/uart16550.hpp"

namespace uc {
namespace {

enum Register : u64 { DATA, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

// Interrupt enable.
constexpr u8 kErbfi = 0x01;
constexpr u8 kEtbei = 0x02;
constexpr u8 kElsi = 0x04;
constexpr u8 kEdssi = 0x08;
constexpr u8 kIerMask = 0x0f;

// Interrupt identification, in order of priority.
constexpr u8 kIdLineStatus = 0x06;
constexpr u8 kIdReceived = 0x04;
constexpr u8 kIdTimeout = 0x0c;
constexpr u8 kIdTransmitter = 0x02;
constexpr u8 kIdModem = 0x00;
constexpr u8 kIdNone = 0x01;
constexpr u8 kIdFifos = 0xc0;

// FIFO control.
constexpr u8 kFifoEnable = 0x01;
constexpr u8 kResetReceiver = 0x02;
constexpr u8 kResetTransmitter = 0x04;
constexpr u8 kTrigger = 0xc0;

constexpr u8 kDlab = 0x80;

// Modem control.
constexpr u8 kDtr = 0x01;
constexpr u8 kRts = 0x02;
constexpr u8 kOut1 = 0x04;
constexpr u8 kOut2 = 0x08;
constexpr u8 kLoop = 0x10;
constexpr u8 kMcrMask = 0x1f;

// Line status.
constexpr u8 kDataReady = 0x01;
constexpr u8 kOverrun = 0x02;
constexpr u8 kThre = 0x20;
constexpr u8 kTemt = 0x40;

// Modem status.
constexpr u8 kTeri = 0x04;
constexpr u8 kCts = 0x10;
constexpr u8 kDsr = 0x20;
constexpr u8 kRi = 0x40;
constexpr u8 kDcd = 0x80;

[[nodiscard]] constexpr unsigned trigger_level(u8 fcr) {
    constexpr std::array<u8, 4> kLevels{1, 4, 8, 14};
    return fcr & kFifoEnable ? kLevels[fcr >> 6] : 1;
}

}  // namespace

unsigned Uart16550::depth() const { return fcr_ & kFifoEnable ? UartFifo::kDepth : 1; }

std::optional<u64> Uart16550::read(u64 offset, unsigned /*width*/) {
    switch (offset) {
        case DATA: return lcr_ & kDlab ? static_cast<u8>(divisor_) : read_data();
        case IER: return lcr_ & kDlab ? static_cast<u8>(divisor_ >> 8) : ier_;
        case IIR_FCR: return read_interrupt_id();
        case LCR: return lcr_;
        case MCR: return mcr_;
        case LSR: return read_line_status();
        case MSR: return read_modem_status();
        default: return scr_;
    }
}

bool Uart16550::write(u64 offset, unsigned /*width*/, u64 value) {
    const u8 byte = static_cast<u8>(value);
    switch (offset) {
        case DATA:
            if (lcr_ & kDlab) {
                divisor_ = static_cast<u16>((divisor_ & 0xff00) | byte);
            } else {
                write_data(byte);
            }
            break;
        case IER:
            if (lcr_ & kDlab) {
                divisor_ = static_cast<u16>((divisor_ & 0x00ff) | byte << 8);
            } else {
                write_interrupt_enable(byte);
            }
            break;
        case IIR_FCR: write_fifo_control(byte); break;
        case LCR: lcr_ = byte; break;
        case MCR: write_modem_control(byte); break;
        case LSR:
        case MSR: break;  // for factory tests only, says the data sheet
        default: scr_ = byte; break;
    }
    return true;
}

u8 Uart16550::read_data() { return take().value_or(0); }

void Uart16550::write_data(u8 byte) {
    thre_pending_ = false;
    if (mcr_ & kLoop) {
        take_in(byte);
        thre_pending_ = true;
    } else if (tx_.empty() && port_.write(byte)) {
        thre_pending_ = true;
    } else if (tx_.size() < depth()) {
        tx_.push(byte);
    }  // else the guest wrote without THRE: there is nowhere to put the byte
    update_irq();
}

/// Setting ETBEI while the transmitter is empty raises its interrupt: drivers start sending that way.
void Uart16550::write_interrupt_enable(u8 value) {
    const u8 enabled = value & kIerMask;
    if ((ier_ ^ enabled) & kEtbei) thre_pending_ = (enabled & kEtbei) && tx_.empty();
    ier_ = enabled;
    update_irq();
}

/// The other bits count only while the enable bit is written as 1; toggling that one empties both FIFOs.
void Uart16550::write_fifo_control(u8 value) {
    if (!(value & kFifoEnable)) value = 0;
    if ((value ^ fcr_) & kFifoEnable) value |= kResetReceiver | kResetTransmitter;
    if (value & kResetReceiver) rx_.clear();
    if (value & kResetTransmitter && !tx_.empty()) {
        tx_.clear();
        thre_pending_ = true;
    }
    fcr_ = value & (kFifoEnable | kTrigger);
    update_irq();
}

void Uart16550::write_modem_control(u8 value) {
    const u8 before = modem_lines();
    mcr_ = value & kMcrMask;
    const u8 changed = before ^ modem_lines();
    modem_delta_ |= changed >> 4 & ~kTeri;
    if (changed & before & kRi) modem_delta_ |= kTeri;  // the trailing edge only
    update_irq();
}

u8 Uart16550::line_status() const {
    u8 status = 0;
    if (!rx_.empty()) status |= kDataReady;
    if (overrun_) status |= kOverrun;
    if (tx_.empty()) status |= kThre | kTemt;
    return status;
}

u8 Uart16550::read_line_status() {
    const u8 status = line_status();
    overrun_ = false;
    update_irq();
    return status;
}

/// CTS, DSR, RI and DCD: a terminal that is always there, or in loopback our own outputs.
u8 Uart16550::modem_lines() const {
    if (!(mcr_ & kLoop)) return kCts | kDsr | kDcd;
    u8 lines = 0;
    if (mcr_ & kRts) lines |= kCts;
    if (mcr_ & kDtr) lines |= kDsr;
    if (mcr_ & kOut1) lines |= kRi;
    if (mcr_ & kOut2) lines |= kDcd;
    return lines;
}

u8 Uart16550::read_modem_status() {
    const u8 status = modem_lines() | modem_delta_;
    modem_delta_ = 0;
    update_irq();
    return status;
}

/// A FIFO that holds bytes below its trigger level times out at once: the guest's next byte may never come, and it
/// cannot tell how fast the line is.
u8 Uart16550::interrupt_id() const {
    if (ier_ & kElsi && overrun_) return kIdLineStatus;
    if (ier_ & kErbfi && !rx_.empty()) return rx_.size() >= trigger_level(fcr_) ? kIdReceived : kIdTimeout;
    if (ier_ & kEtbei && thre_pending_) return kIdTransmitter;
    if (ier_ & kEdssi && modem_delta_ != 0) return kIdModem;
    return kIdNone;
}

u8 Uart16550::read_interrupt_id() {
    const u8 id = interrupt_id();
    if (id == kIdTransmitter) thre_pending_ = false;
    update_irq();
    return fcr_ & kFifoEnable ? id | kIdFifos : id;
}

/// A byte arrives at the receiver whether there is room or not. Overrun costs a FIFO the new byte, but the single
/// holding register its old one.
void Uart16550::take_in(u8 byte) {
    if (rx_.size() >= depth()) {
        overrun_ = true;
        if (fcr_ & kFifoEnable) return;
        rx_.pop();
    }
    rx_.push(byte);
}

bool Uart16550::receive(u8 byte) {
    if (room() == 0) return false;
    rx_.push(byte);
    update_irq();
    return true;
}

std::optional<u8> Uart16550::take() {
    if (rx_.empty()) return std::nullopt;
    const u8 byte = rx_.front();
    rx_.pop();
    update_irq();
    return byte;
}

unsigned Uart16550::room() const { return mcr_ & kLoop ? 0 : depth() - rx_.size(); }

bool Uart16550::drain() {
    if (tx_.empty()) return true;
    while (!tx_.empty() && port_.write(tx_.front())) tx_.pop();
    if (tx_.empty()) thre_pending_ = true;
    update_irq();
    return tx_.empty();
}

void Uart16550::reset() {
    rx_.clear();
    tx_.clear();
    ier_ = fcr_ = lcr_ = scr_ = modem_delta_ = 0;
    mcr_ = kResetMcr;
    divisor_ = kResetDivisor;
    overrun_ = thre_pending_ = false;
    update_irq();
}

void Uart16550::update_irq() {
    const bool level = interrupt_id() != kIdNone;
    if (level == irq_level_) return;
    irq_level_ = level;
    irq_.set(source_, level);
}

}  // namespace uc
