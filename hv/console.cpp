// SPDX-License-Identifier: MIT
#include "hv/console.hpp"

namespace uc {

void Console::PromptSink::write(std::string_view text) {
    if (console_.composing_) return console_.compose(text);
    console_.flush();
    console_.terminal_.write(text);
}

bool Console::put(ConsoleClient& from, u8 byte) {
    if (client_ != nullptr && client_ != &from) {
        from.kept_.push(byte);
        from.line_.feed(byte);
        return true;
    }
    if (client_ == nullptr || prompt_open_) return put_line(from, byte);
    if (raw_interrupted_) {
        put_waiting(from.line_.view());
        raw_interrupted_ = false;
    }
    if (!put_raw(byte)) return false;
    from.line_.feed(byte);
    return true;
}

bool Console::put_raw(u8 byte) {
    if (!pump() || !terminal_.put(byte)) return false;
    raw_mid_line_ = byte != '\n' && (raw_mid_line_ || byte != '\r');
    return true;
}

// One line at a time is on its way, so that a guest that prints without end waits as it would for a wire, and keys and
// other guests get their turns.
bool Console::put_line(ConsoleClient& from, u8 byte) {
    if (from.line_.ends_at(byte)) {
        if (!pump()) return false;
        print_line(from);
        static_cast<void>(pump());
    }
    from.line_.feed(byte);
    return true;
}

// Composes the guest's line as one chunk, which must be free.
void Console::print_line(ConsoleClient& guest) {
    composing_ = true;
    if (prompt_open_) prompt_->hide();
    if (client_ != &guest) {
        compose(guest.name_.substr(0, kMaxName));
        compose("| ");
    }
    compose(guest.line_.view());
    compose("\n");
    if (prompt_open_) prompt_->show();
    composing_ = false;
}

void Console::compose(std::string_view text) {
    for (const char c : text) {
        if (c == '\n' && chunk_size_ < kMaxChunk) chunk_[chunk_size_++] = '\r';
        if (chunk_size_ < kMaxChunk) chunk_[chunk_size_++] = c;
    }
}

// Sends of the chunk what the terminal takes; true when nothing is left.
bool Console::pump() {
    while (chunk_sent_ < chunk_size_ && terminal_.put(static_cast<u8>(chunk_[chunk_sent_]))) ++chunk_sent_;
    if (chunk_sent_ < chunk_size_) return false;
    chunk_sent_ = chunk_size_ = 0;
    return true;
}

void Console::flush() {
    while (!pump()) terminal_.service();
}

// Passes on text of a guest as it is.
void Console::put_waiting(std::string_view text) {
    flush();
    for (const char c : text) {
        while (!put_raw(static_cast<u8>(c))) terminal_.service();
    }
}

// Leaves a line that the attached guest is in the middle of.
void Console::end_raw_line() {
    if (!raw_mid_line_) return;
    terminal_.write("\n");
    raw_mid_line_ = false;
    raw_interrupted_ = true;
}

void Console::end_line(ConsoleClient& guest) {
    const bool unfinished = !guest.line_.view().empty();
    if (client_ != nullptr && client_ != &guest) {
        if (unfinished) guest.kept_.push("\r\n");
    } else if (unfinished && (client_ == nullptr || prompt_open_)) {
        flush();
        print_line(guest);
        flush();
    }
    guest.line_.clear();
}

// A line of the log comes in pieces.
void Console::write(std::string_view text) {
    if (text.empty()) return;
    if (!log_mid_line_) {
        flush();
        end_raw_line();
        if (prompt_open_) prompt_->hide();
    }
    terminal_.write(text);
    log_mid_line_ = !text.ends_with('\n');
    if (!log_mid_line_ && prompt_open_) prompt_->show();
}

void Console::drain() {
    flush();
    terminal_.drain();
}

}  // namespace uc
