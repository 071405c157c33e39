// SPDX-License-Identifier: MIT
#pragma once
// The machine's console device, and the ring that buffers it.

#include <array>
#include <optional>
#include <span>

#include "hv/log.hpp"

namespace uc {

/// First in, first out, of fixed size. One producer, one consumer, on one hart.
template <unsigned N>
class ByteRing {
  public:
    static_assert((N & (N - 1)) == 0);
    [[nodiscard]] bool empty() const { return head_ == tail_; }
    [[nodiscard]] bool full() const { return tail_ - head_ == N; }
    [[nodiscard]] unsigned size() const { return tail_ - head_; }
    bool push(u8 byte) {
        if (full()) return false;
        bytes_[tail_++ % N] = byte;
        return true;
    }
    /// What pop() would give.
    [[nodiscard]] std::optional<u8> front() const {
        if (empty()) return std::nullopt;
        return bytes_[head_ % N];
    }
    std::optional<u8> pop() {
        if (empty()) return std::nullopt;
        return bytes_[head_++ % N];
    }

  private:
    std::array<u8, N> bytes_{};
    unsigned head_ = 0;
    unsigned tail_ = 0;
};

/// Who serves a terminal.
class TerminalListener {
  public:
    /// Its device interrupts, and goes on to until Terminal::service() was called.
    virtual void terminal_interrupted() = 0;

  protected:
    ~TerminalListener() = default;
};

/// A character device for people. As a TextSink it takes everything, in order with put(), waiting for the wire if it
/// must, and turns "\n" into "\r\n".
class Terminal : public TextSink {
  public:
    /// Takes one byte for output; false when there is no room at the moment. A later interrupt makes room.
    [[nodiscard]] virtual bool put(u8 byte) = 0;
    /// The next byte typed, if any.
    [[nodiscard]] virtual std::optional<u8> get() = 0;
    /// Moves bytes between buffers and wire without waiting.
    virtual void service() = 0;
    /// Waits until all output has left.
    virtual void drain() = 0;
    /// Whether the device interrupts; otherwise service() has to be called now and then.
    [[nodiscard]] virtual bool interrupts() const = 0;

    void write(std::string_view text) override {
        for (const char c : text) {
            if (c == '\n') put_waiting('\r');
            put_waiting(static_cast<u8>(c));
        }
    }

  protected:
    ~Terminal() = default;

  private:
    void put_waiting(u8 byte) {
        while (!put(byte)) service();
    }
};

}  // namespace uc
