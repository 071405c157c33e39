// SPDX-License-Identifier: MIT
#pragma once
// The prompt at which a person looks after guests.

#include "hv/console.hpp"
#include "hv/line_editor.hpp"
#include "hv/monitor_target.hpp"
#include "hv/text_row.hpp"

namespace uc {

/// Reads commands and carries them out. The console opens and closes it and passes it keys; it prints nothing by
/// itself, but for tick().
class Monitor final : public ConsolePrompt, public Completer {
  public:
    static constexpr usize kMaxDump = 4096;  ///< bytes that `mem` shows at most
    static constexpr u64 kWatchPeriodNs = 1'000'000'000;

    /// `out` is the console's prompt_sink(). Both must outlive the monitor.
    Monitor(MonitorTarget& target, TextSink& out) : target_(target), out_(out), editor_(out, "uc> ", this) {}

    // ConsolePrompt
    void open() override;
    [[nodiscard]] bool type(u8 byte) override;
    void hide() override { editor_.hide(); }
    void show() override { editor_.show(); }
    void close() override;

    // Completer
    void complete(std::string_view before, Candidates& words) override;

    /// Carries out one line, without the prompt; false when it leads back to a guest.
    bool execute(std::string_view line);

    /// Whether `stats -w` is being shown: then tick() is to be called about once a second, under the console's lock.
    [[nodiscard]] bool watching() const { return watching_.load(std::memory_order_relaxed); }
    /// Shows `stats -w` again when it is time, `now_ns` counting from anywhere.
    void tick(u64 now_ns);

  private:
    static constexpr usize kMaxWords = 8;
    using Words = std::span<const std::string_view>;

    /// What an argument names, for completion.
    enum class Kind : u8 { None, Guest, Command, Level };
    struct Command {
        std::string_view name;
        std::string_view arguments;
        std::string_view help;
        u8 least;  ///< arguments
        u8 most;
        Kind first;  ///< argument
        void (Monitor::*run)(Words arguments);
    };
    /// A part of a guest that was named.
    struct Place {
        usize guest;
        unsigned vcpu;
    };
    static const std::array<Command, 19> kCommands;
    static constexpr std::array<std::string_view, 4> kLogLevels{"error", "warn", "info", "debug"};

    template <class... Args>
    void say(std::string_view format, const Args&... args) {
        const std::array<LogArg, sizeof...(Args)> list{LogArg(args)...};
        format_to(out_, format, list);
        out_.write("\n");
    }

    // monitor.cpp: words and what they name.
    [[nodiscard]] static usize split(std::string_view line, std::span<std::string_view> words);
    [[nodiscard]] static const Command* exact_or_only(std::string_view name);
    [[nodiscard]] const Command* find_command(std::string_view name);
    [[nodiscard]] std::optional<usize> find_guest(std::string_view name);
    [[nodiscard]] std::optional<Place> find_vcpu(std::string_view guest, Words number);
    [[nodiscard]] std::optional<u64> read_number(std::string_view text);
    void help(Words arguments);

    // monitor_commands.cpp: guests as a whole.
    void guests(Words arguments);
    void vcpus(Words arguments);
    void console(Words arguments);
    void act(std::string_view guest, GuestAction action, std::string_view done);
    void start(Words arguments) { act(arguments[0], GuestAction::Start, "started"); }
    void stop(Words arguments) { act(arguments[0], GuestAction::Stop, "stopped"); }
    void pause(Words arguments) { act(arguments[0], GuestAction::Pause, "paused"); }
    void resume(Words arguments) { act(arguments[0], GuestAction::Resume, "resumed"); }
    void reset(Words arguments) { act(arguments[0], GuestAction::Reset, "reset"); }
    void destroy(Words arguments) { act(arguments[0], GuestAction::Destroy, "being destroyed"); }
    void create(Words arguments) { act(arguments[0], GuestAction::Create, "being created"); }
    void memory(Words arguments);
    void loglevel(Words arguments);
    void quit(Words arguments);

    // monitor_inspect.cpp: what is inside.
    void stats(Words arguments);
    void print_stats();
    void print_stats(usize guest);
    void trace(Words arguments);
    void dump_trace();
    void pt(Words arguments);
    void regs(Words arguments);
    void mem(Words arguments);

    MonitorTarget& target_;
    TextSink& out_;
    LineEditor editor_;
    std::optional<usize> watched_;  ///< the guest of `stats -w`; none: all
    std::optional<u64> watched_at_;
    std::atomic<bool> watching_{false};  ///< harts glance at it without the lock
    bool leave_ = false;                 ///< the command leads back to a guest
    bool quit_asked_ = false;            ///< the last command was a `quit` that asked back
};

}  // namespace uc
