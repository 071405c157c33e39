// SPDX-License-Identifier: MIT
// Keys, and who has the terminal.

#include <utility>

#include "hv/console.hpp"

namespace uc {

bool Console::service() {
    terminal_.service();
    const bool keys = read_keys();
    static_cast<void>(pump());
    if (client_ != nullptr) {
        client_->resume_output();
        deliver();
    }
    // Each time another guest is the first to print.
    if (!guests_.empty()) next_ = (next_ + 1) % guests_.size();
    for (usize i = 0; i < guests_.size(); ++i) {
        ConsoleClient* guest = guests_[(next_ + i) % guests_.size()];
        if (guest != client_) guest->resume_output();
    }
    return keys;
}

// All that was typed is looked at, though the guest may have no room: Ctrl-] must work then too.
bool Console::read_keys() {
    if (client_ == nullptr && prompt_ == nullptr) return false;
    bool any = false;
    while (const auto byte = terminal_.get()) {
        if (!std::exchange(any, true)) busy_.store(true, std::memory_order_relaxed);
        take_key(*byte);
    }
    if (any) busy_.store(false, std::memory_order_relaxed);
    return any;
}

void Console::take_key(u8 byte) {
    if (prompt_open_) {
        const bool untouched = std::exchange(prompt_untouched_, false);
        if (byte == kMonitorKey) {
            prompt_->close();
            if (untouched) typed_.push(byte);
            return close_prompt();
        }
        if (!prompt_->type(byte)) close_prompt();
    } else if (byte == kMonitorKey && prompt_ != nullptr) {
        open_prompt();
    } else if (client_ != nullptr) {
        typed_.push(byte);  // full: dropped, as the line itself would
    } else if (!std::exchange(told_detached_, true)) {
        write("[uc] no guest has the terminal: Ctrl-] opens the monitor\n");
    }
}

void Console::deliver() {
    while (const auto byte = typed_.front()) {
        if (!client_->type(*byte)) {
            // A guest that makes room may do so at once, and then sleep: either it sees that keys wait, or they find
            // the room. (Both take the guest's Devices lock in between, which orders this.)
            backlog_.store(true, std::memory_order_relaxed);
            if (!client_->type(*byte)) return;
        }
        static_cast<void>(typed_.pop());
    }
}

std::optional<u8> Console::get(const ConsoleClient& guest) {
    if (&guest == client_) read_keys();
    // The keys may have given the terminal to another.
    return &guest == client_ ? typed_.pop() : std::nullopt;
}

void Console::open_prompt() {
    flush();
    end_raw_line();
    prompt_open_ = prompt_untouched_ = true;
    prompt_->open();
}

void Console::close_prompt() {
    prompt_open_ = false;
    show_client();
}

void Console::add(ConsoleClient& guest, std::string_view name) {
    guest.name_ = name;
    static_cast<void>(guests_.push(&guest));
}

void Console::attach(ConsoleClient* client) {
    if (client == client_) return;
    flush();
    end_raw_line();
    ConsoleClient* const former = std::exchange(client_, client);
    while (typed_.pop()) {}
    told_detached_ = false;
    raw_interrupted_ = false;
    if (client == nullptr) return release();
    // What the others are in the middle of is shown with what follows it.
    for (ConsoleClient* guest : guests_) {
        if (guest != client && (former == nullptr || guest == former)) guest->kept_.push(guest->line_.view());
    }
    if (!prompt_open_) show_client();
}

// Shows what was kept of each guest by lines, and leaves it in the middle of its last.
void Console::release() {
    for (ConsoleClient* guest : guests_) {
        if (guest->kept_.empty()) continue;
        guest->line_.clear();
        guest->kept_.skip_torn_line();
        while (const auto byte = guest->kept_.pop()) {
            while (!put_line(*guest, *byte)) terminal_.service();
        }
    }
}

// Brings the terminal to where the attached guest believes it is.
void Console::show_client() {
    if (client_ == nullptr) return;
    raw_interrupted_ = false;
    if (client_->kept_.empty()) return put_waiting(client_->line_.view());
    flush();
    client_->kept_.skip_torn_line();
    while (const auto byte = client_->kept_.pop()) {
        while (!put_raw(*byte)) terminal_.service();
    }
}

}  // namespace uc
