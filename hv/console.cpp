// SPDX-License-Identifier: MIT
#include "hv/console.hpp"

namespace uc {

bool Console::put(u8 byte) {
    if (!terminal_.put(byte)) return false;
    guest_mid_line_ = byte != '\n' && (guest_mid_line_ || byte != '\r');
    return true;
}

std::optional<u8> Console::get() {
    const auto byte = waiting_ ? waiting_ : terminal_.get();
    waiting_.reset();
    return byte;
}

void Console::service() {
    terminal_.service();
    if (client_ == nullptr) return;
    client_->resume_output();
    deliver();
}

void Console::deliver() {
    while (const auto byte = get()) {
        if (client_->type(*byte)) continue;
        waiting_ = byte;
        break;
    }
}

void Console::write(std::string_view text) {
    if (guest_mid_line_) terminal_.write("\n");
    guest_mid_line_ = false;
    terminal_.write(text);
}

}  // namespace uc
