// SPDX-License-Identifier: MIT
#include "hv/monitor.hpp"

#include <utility>

namespace uc {

constinit const std::array<Monitor::Command, 19> Monitor::kCommands{{
    {"help", "[COMMAND]", "list the commands, or explain one", 0, 1, Kind::Command, &Monitor::help},
    {"guests", "", "list the guests", 0, 0, Kind::None, &Monitor::guests},
    {"vcpus", "[NAME]", "list vCPUs, of all guests or of one", 0, 1, Kind::Guest, &Monitor::vcpus},
    {"console", "NAME", "give the terminal to a guest", 1, 1, Kind::Guest, &Monitor::console},
    {"start", "NAME", "start a guest that does not run", 1, 1, Kind::Guest, &Monitor::start},
    {"stop", "NAME", "switch a guest off", 1, 1, Kind::Guest, &Monitor::stop},
    {"pause", "NAME", "halt a guest where it is", 1, 1, Kind::Guest, &Monitor::pause},
    {"resume", "NAME", "let a paused guest go on", 1, 1, Kind::Guest, &Monitor::resume},
    {"reset", "NAME", "start a guest again from the beginning", 1, 1, Kind::Guest, &Monitor::reset},
    {"destroy", "NAME", "end a guest and give its memory back", 1, 1, Kind::Guest, &Monitor::destroy},
    {"create", "NAME", "make a destroyed guest again, for start", 1, 1, Kind::Guest, &Monitor::create},
    {"memory", "", "show where the machine's memory went", 0, 0, Kind::None, &Monitor::memory},
    {"stats", "[NAME] [-w]", "count exits by cause; -w: each second", 0, 2, Kind::Guest, &Monitor::stats},
    {"trace", "[N [NAME]] | dump", "show the last N exits (16), or all for tools", 0, 2, Kind::None, &Monitor::trace},
    {"pt", "NAME VA [VCPU]", "translate an address as guest and hardware do", 2, 3, Kind::Guest, &Monitor::pt},
    {"regs", "NAME [VCPU]", "show registers", 1, 2, Kind::Guest, &Monitor::regs},
    {"mem", "NAME GPA [BYTES]", "show the guest's memory (default 128 bytes)", 2, 3, Kind::Guest, &Monitor::mem},
    {"loglevel", "LEVEL", "log more or less: error, warn, info, debug", 1, 1, Kind::Level, &Monitor::loglevel},
    {"quit", "", "end all guests and the machine", 0, 0, Kind::None, &Monitor::quit},
}};

void Monitor::open() {
    watching_ = quit_asked_ = false;
    editor_.begin();
}

void Monitor::close() {
    watching_ = false;
    editor_.hide();
}

bool Monitor::type(u8 byte) {
    if (watching_) {
        watching_ = false;
        editor_.begin();
        return true;
    }
    switch (editor_.feed(byte)) {
        case LineEditor::Event::None: return true;
        case LineEditor::Event::End: return false;
        case LineEditor::Event::Cancel: quit_asked_ = false; break;
        case LineEditor::Event::Line:
            if (!execute(editor_.line())) return false;
            break;
    }
    if (!watching_) editor_.begin();
    return true;
}

bool Monitor::execute(std::string_view line) {
    std::array<std::string_view, kMaxWords> words;
    const usize count = split(line, words);
    if (count == 0) return true;
    leave_ = false;
    const bool quit_asked = std::exchange(quit_asked_, false);
    const Command* command = find_command(words[0]);
    if (command == nullptr) return true;
    const usize arguments = count - 1;
    if (arguments < command->least || arguments > command->most) {
        say("usage: {}{}{}", command->name, command->arguments.empty() ? "" : " ", command->arguments);
        return true;
    }
    if (command->run == &Monitor::quit) quit_asked_ = quit_asked;
    (this->*command->run)(Words{words}.subspan(1, arguments));
    return !leave_;
}

// Cuts a line at spaces. The last word of too many holds the rest, so that they still count as too many.
usize Monitor::split(std::string_view line, std::span<std::string_view> words) {
    usize count = 0;
    while (!line.empty() && count < words.size()) {
        const std::string_view word = count + 1 < words.size() ? take_until(line, ' ') : std::exchange(line, {});
        if (!word.empty()) words[count++] = word;
    }
    return count;
}

// The command of that name, or the only one that begins so.
const Monitor::Command* Monitor::exact_or_only(std::string_view name) {
    const Command* found = nullptr;
    unsigned count = 0;
    for (const Command& command : kCommands) {
        if (command.name == name) return &command;
        if (!command.name.starts_with(name)) continue;
        found = &command;
        ++count;
    }
    return count == 1 ? found : nullptr;
}

const Monitor::Command* Monitor::find_command(std::string_view name) {
    if (const Command* command = exact_or_only(name)) return command;
    std::string_view separator = " could be ";
    for (const Command& command : kCommands) {
        if (!command.name.starts_with(name)) continue;
        if (separator != ", ") out_.write(name);
        out_.write(separator);
        out_.write(command.name);
        separator = ", ";
    }
    if (separator == ", ") {
        out_.write("\n");
    } else {
        say("there is no command {}; help lists them", name);
    }
    return nullptr;
}

std::optional<usize> Monitor::find_guest(std::string_view name) {
    const usize count = target_.guest_count();
    for (usize i = 0; i < count; ++i) {
        if (target_.guest(i).name == name) return i;
    }
    if (const auto number = parse_number(name)) {
        if (*number < count) return *number;
        say("there is no guest {}; guests lists them", name);
        return std::nullopt;
    }
    format_to(out_, "no guest is called {}; there are:", std::array{LogArg(name)});
    for (usize i = 0; i < count; ++i) {
        out_.write(i == 0 ? " " : ", ");
        out_.write(target_.guest(i).name);
    }
    out_.write(count == 0 ? " none\n" : "\n");
    return std::nullopt;
}

// The vCPU that `number`, if not empty, names; 0 without.
std::optional<Monitor::Place> Monitor::find_vcpu(std::string_view guest, Words number) {
    const auto found = find_guest(guest);
    if (!found) return std::nullopt;
    const MonitorGuest info = target_.guest(*found);
    if (info.vcpus == 0) {
        say("{} has no vCPUs: it is {}", info.name, info.state);
        return std::nullopt;
    }
    if (number.empty()) return Place{*found, 0};
    const auto vcpu = read_number(number[0]);
    if (!vcpu) return std::nullopt;
    if (*vcpu >= info.vcpus) {
        say("{} has no vCPU {}: it has {}", info.name, *vcpu, info.vcpus);
        return std::nullopt;
    }
    return Place{*found, static_cast<unsigned>(*vcpu)};
}

std::optional<u64> Monitor::read_number(std::string_view text) {
    const auto value = parse_number(text);
    if (!value) say("{} is no number, as 42 or 0x2a would be", text);
    return value;
}

void Monitor::complete(std::string_view before, Candidates& words) {
    std::array<std::string_view, kMaxWords> typed;
    const usize count = split(before, typed);
    Kind kind = Kind::Command;
    if (count != 0) {
        const Command* command = exact_or_only(typed[0]);
        kind = count == 1 && command != nullptr ? command->first : Kind::None;
        // After a number comes the name.
        if (command != nullptr && command->run == &Monitor::trace && count == 2) kind = Kind::Guest;
    }
    if (kind == Kind::Command) {
        for (const Command& command : kCommands) words.add(command.name);
    } else if (kind == Kind::Guest) {
        for (usize i = 0; i < target_.guest_count(); ++i) words.add(target_.guest(i).name);
    } else if (kind == Kind::Level) {
        for (const std::string_view level : kLogLevels) words.add(level);
    }
}

void Monitor::help(Words arguments) {
    constexpr usize kHelpColumn = 24;
    const Command* only = nullptr;
    if (!arguments.empty()) {
        only = find_command(arguments[0]);
        if (only == nullptr) return;
    }
    for (const Command& command : kCommands) {
        if (only == nullptr || only == &command) {
            TextRow("  ", command.name, ' ', command.arguments).at(kHelpColumn, command.help).print(out_);
        }
    }
    if (only == nullptr) say("NAME is a guest's name or number. Commands may be cut short. Ctrl-D leaves.");
}

}  // namespace uc
