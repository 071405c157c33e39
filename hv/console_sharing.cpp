// SPDX-License-Identifier: MIT
// How harts share the console: who finds it taken leaves the work to whoever has it.

#include "hv/console.hpp"

namespace uc {

namespace {

// As often a hart goes on for others. Then it has other things to do, and who prints without end sees to itself.
constexpr unsigned kFavours = 8;

}  // namespace

void Console::LogSink::write(std::string_view text) {
    const Guard guard(console_);
    console_.write(text);
}

void Console::look_after(ConsoleClient& guest) {
    if (!lock_.try_lock()) {
        neglected_.store(true, std::memory_order_relaxed);
        // The one who had it may have looked just before. As there, the fence keeps one look behind the other store.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (!lock_.try_lock()) return;
    }
    guest.resume_output();
    offer_input();
    unlock();
}

// Who turns away in catch_up() because the console is busy has a note there already, and relies on it.
bool Console::lock_unless_busy() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    while (!lock_.try_lock()) {
        if (busy_.load(std::memory_order_relaxed)) return false;
    }
    return true;
}

// Before the look at what the note may be about: a note left after that stays.
void Console::clear_note() {
    neglected_.store(false, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

// A favour in which there were keys does not count: others may have turned away meanwhile.
void Console::unlock() {
    for (unsigned favours = 0;;) {
        backlog_.store(!typed_.empty(), std::memory_order_relaxed);
        lock_.unlock();
        // Whoever neglected a guest did so before it found the lock taken; releasing it comes before looking.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (!neglected_.load(std::memory_order_relaxed) || favours == kFavours || !lock_.try_lock()) return;
        clear_note();
        if (!service()) ++favours;
    }
}

void Console::catch_up() {
    if (!neglected_.load(std::memory_order_relaxed)) return;
    const Guard guard(*this, UnlessBusy());
    if (!guard) return;
    clear_note();
    service();
}

void Console::terminal_interrupted() {
    const Guard guard(*this);
    service();
}

}  // namespace uc
