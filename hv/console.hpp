// SPDX-License-Identifier: MIT
#pragma once
// The one terminal, shared by the hypervisor's log and the guest that is attached to it.

#include "hv/terminal.hpp"

namespace uc {

/// What takes the keys a person types.
class ConsoleClient {
  public:
    /// A key; false when there is no room for it at the moment: it is offered again.
    [[nodiscard]] virtual bool type(u8 byte) = 0;
    /// There is room for output again.
    virtual void resume_output() = 0;

  protected:
    ~ConsoleClient() = default;
};

/// Keeps whole lines of the log apart from what the guest is printing. As a TextSink it is the log's.
class Console final : public TextSink {
  public:
    explicit Console(Terminal& terminal) : terminal_(terminal) {}

    /// The terminal belongs to `client` from now on; null: to nobody.
    void attach(ConsoleClient* client) { client_ = client; }

    /// Output of the attached guest, byte for byte; false when the terminal is full.
    [[nodiscard]] bool put(u8 byte);
    /// Moves bytes both ways as far as they go. To be called when the terminal interrupts, and now and then when it
    /// never does.
    void service();
    /// Offers the client again what it had no room for, and what was typed after it.
    void offer_input() {
        if (waiting_ && client_ != nullptr) deliver();
    }
    void write(std::string_view text) override;
    void drain() { terminal_.drain(); }
    [[nodiscard]] bool needs_polling() const { return !terminal_.interrupts(); }
    /// A byte typed that no client has taken.
    [[nodiscard]] std::optional<u8> get();

  private:
    void deliver();

    Terminal& terminal_;
    ConsoleClient* client_ = nullptr;
    std::optional<u8> waiting_;  ///< a key that the client had no room for
    bool guest_mid_line_ = false;
};

}  // namespace uc
