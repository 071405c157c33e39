// SPDX-License-Identifier: MIT
#pragma once
// The one terminal, shared by the hypervisor's log, the guests and the monitor.

#include "hv/fixed_vector.hpp"
#include "hv/guest_config.hpp"
#include "hv/held_output.hpp"
#include "hv/spin_lock.hpp"
#include "hv/terminal.hpp"

namespace uc {

/// A guest, as the console sees it: it takes keys, and its output takes turns.
class ConsoleClient {
  public:
    /// A key; false when there is no room for it at the moment: it is offered again.
    [[nodiscard]] virtual bool type(u8 byte) = 0;
    /// There is room for output again.
    virtual void resume_output() = 0;

  protected:
    ~ConsoleClient() = default;

  private:
    friend class Console;

    std::string_view name_;
    HeldLine line_;    ///< what it is in the middle of, shown or not
    KeptOutput kept_;  ///< what it printed while another had the terminal; ends with `line_`
};

/// What a person talks to in place of a guest. It prints through Console::prompt_sink().
class ConsolePrompt {
  public:
    /// Shows itself, at the left edge of the terminal.
    virtual void open() = 0;
    /// A key; false when it is done, with the terminal at the left edge: it gets no more until it is opened again.
    [[nodiscard]] virtual bool type(u8 byte) = 0;
    /// Makes room for a line in its place. May be called though nothing is shown.
    virtual void hide() = 0;
    /// Shows itself again after hide().
    virtual void show() = 0;
    /// Is gone for now, whatever it was doing; leaves the terminal as hide() does.
    virtual void close() = 0;

  protected:
    ~ConsolePrompt() = default;
};

/// Keeps whole lines of the log, of the guests and of what a person types apart. As a TextSink it is the log's.
///
/// The attached guest has the terminal to itself, byte for byte. Without one, each guest's output appears by lines,
/// "name| " before them. While another is attached, a guest's last output is kept, and shown when its turn comes.
/// Ctrl-] opens the prompt, beneath which output appears by lines only; Ctrl-] as its first key goes to the guest, and
/// later closes it.
///
/// For one hart at a time: with several, functions are called under Guard, but for those that say otherwise.
class Console final : public TextSink, public TerminalListener {
  public:
    static constexpr usize kMaxName = 32;         ///< of a guest's name, what is shown before lines
    static constexpr u8 kMonitorKey = 0x1d;       ///< Ctrl-]
    static constexpr unsigned kTypeAhead = 4096;  ///< keys kept for a guest that does not take them

    explicit Console(Terminal& terminal) : terminal_(terminal), prompt_sink_(*this), log_sink_(*this) {}
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;

    struct UnlessBusy {};
    /// The right to use the console, for the length of a scope.
    class [[nodiscard]] Guard {
      public:
        explicit Guard(Console& console) : console_(console), has_(true) { console_.lock_.lock(); }
        /// Does not wait for one that looks after keys, such as the monitor: that may print for long.
        Guard(Console& console, UnlessBusy) : console_(console), has_(console.lock_unless_busy()) {}
        ~Guard() {
            if (has_) console_.unlock();
        }
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;
        [[nodiscard]] explicit operator bool() const { return has_; }

      private:
        Console& console_;
        const bool has_;
    };
    /// `guest` has output, or room for keys: passes them on. Without Guard and without waiting: a hart that has the
    /// console already will see to it.
    void look_after(ConsoleClient& guest);
    /// Does what look_after() left to a hart that then had no time for it. Without Guard.
    void catch_up();
    /// The terminal interrupts. Without Guard.
    void terminal_interrupted() override;
    /// Whether keys wait for a guest to have room for them. Without Guard: a glance.
    [[nodiscard]] bool has_backlog() const { return backlog_.load(std::memory_order_relaxed); }
    /// Lets the calling hart use the console though another has it: it is about to end the machine.
    void seize() { lock_.break_open(); }
    /// Where lines of the log go. Without Guard.
    [[nodiscard]] TextSink& log_sink() { return log_sink_; }

    /// Lets a guest take part. Both must outlive the console.
    void add(ConsoleClient& guest, std::string_view name);
    /// The terminal belongs to `client` from now on; null: to all that were added. What was typed for another is
    /// dropped.
    void attach(ConsoleClient* client);
    [[nodiscard]] ConsoleClient* attached() const { return client_; }
    /// What Ctrl-] opens; null: the key is the guest's.
    void set_prompt(ConsolePrompt* prompt) { prompt_ = prompt; }
    /// Where the prompt prints: straight to the terminal, waiting for it.
    [[nodiscard]] TextSink& prompt_sink() { return prompt_sink_; }

    /// Output of a guest, byte for byte; false when there is no room: resume_output() tells when it may try again.
    [[nodiscard]] bool put(ConsoleClient& from, u8 byte);
    /// The guest has come to an end: what it left of a line is shown as one.
    void end_line(ConsoleClient& guest);
    /// Moves bytes both ways as far as they go, keys first. To be called when the terminal interrupts, and now and then
    /// when it never does. Returns whether there were keys.
    bool service();
    /// Offers the attached guest again what it had no room for, and what was typed after it.
    void offer_input() {
        if (!typed_.empty() && client_ != nullptr) deliver();
    }
    void write(std::string_view text) override;
    void drain();
    [[nodiscard]] bool needs_polling() const { return !terminal_.interrupts(); }
    /// The next byte typed for `guest` that it has not been given; none unless it is attached.
    [[nodiscard]] std::optional<u8> get(const ConsoleClient& guest);

  private:
    /// Appends to the line being composed while there is one, and else prints.
    class PromptSink final : public TextSink {
      public:
        explicit PromptSink(Console& console) : console_(console) {}
        void write(std::string_view text) override;

      private:
        Console& console_;
    };
    class LogSink final : public TextSink {
      public:
        explicit LogSink(Console& console) : console_(console) {}
        void write(std::string_view text) override;

      private:
        Console& console_;
    };
    /// A line on its way to the terminal, with what hides and shows the prompt around it.
    static constexpr usize kMaxChunk = 1024;

    // console.cpp: output.
    [[nodiscard]] bool put_raw(u8 byte);
    [[nodiscard]] bool put_line(ConsoleClient& from, u8 byte);
    void print_line(ConsoleClient& guest);
    void compose(std::string_view text);
    [[nodiscard]] bool pump();
    void flush();
    void put_waiting(std::string_view text);
    void end_raw_line();

    // console_sharing.cpp: harts.
    [[nodiscard]] bool lock_unless_busy();
    void clear_note();
    void unlock();

    // console_input.cpp: keys, and who has the terminal.
    bool read_keys();
    void take_key(u8 byte);
    void deliver();
    void open_prompt();
    void close_prompt();
    void release();
    void show_client();

    SpinLock lock_{LockRank::Console};
    std::atomic<bool> neglected_{false};  ///< some guest was not looked after
    std::atomic<bool> busy_{false};       ///< keys are looked after, which may take long
    std::atomic<bool> backlog_{false};    ///< keys waited when the console was used last
    Terminal& terminal_;
    PromptSink prompt_sink_;
    LogSink log_sink_;
    FixedVector<ConsoleClient*, kMaxGuests> guests_;
    ConsoleClient* client_ = nullptr;
    ConsolePrompt* prompt_ = nullptr;
    ByteRing<kTypeAhead> typed_;  ///< keys for the attached guest that it had no room for
    std::array<char, kMaxChunk> chunk_{};
    usize chunk_size_ = 0;
    usize chunk_sent_ = 0;
    usize next_ = 0;          ///< the guest whose turn to print is first
    bool composing_ = false;  ///< what the prompt prints belongs to the chunk
    bool prompt_open_ = false;
    bool prompt_untouched_ = false;  ///< no key has followed the one that opened it
    bool raw_mid_line_ = false;      ///< the attached guest's output has left the left edge
    bool raw_interrupted_ = false;   ///< its line was cut short and is shown again before it goes on
    bool log_mid_line_ = false;
    bool told_detached_ = false;  ///< that keys go nowhere
};

}  // namespace uc
