// SPDX-License-Identifier: MIT
#pragma once
// Processes and the loop that runs them.

#include "guest-images/minikernel/address_space.hpp"
#include "guest-images/minikernel/pipe.hpp"
#include "guest-images/minikernel/trap.hpp"

#include <string_view>

namespace uc::mini {

/// A process is user registers, an address space and a few files. It has no kernel stack: a system call that has to
/// wait leaves its process at the ecall, asleep on a channel, and is made again when the process runs next.
struct Process {
    enum class State : u8 { Free, Ready, Asleep, Zombie };

    State state = State::Free;
    u64 pid = 0;
    Process* parent = nullptr;      ///< nullptr: nobody waits for this one
    const void* channel = nullptr;  ///< what it sleeps on
    u64 wake_at = 0;                ///< deadline of sleep(); 0: not in sleep()
    u64 slices = 0;                 ///< time slices used up, that is, preemptions
    u64 exit_code = 0;
    Va heap;  ///< start of the heap region
    std::array<File, 8> files;
    AddressSpace space;
    Frame frame = {};
    u64 fp[33] = {};

    /// Ends the process: everything but its slot and exit code is freed.
    void exit(u64 code);
};

/// The process that runs, or on whose behalf the kernel runs.
[[nodiscard]] Process* current_process();

/// An empty process in a slot of its own, asleep on nothing; nullptr: no slot or no memory.
[[nodiscard]] Process* new_process(Process* parent);

/// The process with this pid, if it lives.
[[nodiscard]] Process* find_process(u64 pid);

/// A child that has exited, else any child, else nullptr.
[[nodiscard]] Process* find_child(const Process& parent);

/// Gives a zombie's slot back.
void reap(Process& zombie);

/// Ends the time slice of the process that runs.
void yield();

/// Makes everyone who sleeps on `channel` ready.
void wake(const void* channel);

/// Runs the embedded program `name` and all that it starts until it exits, and ends what is then left. Returns its exit
/// code.
[[nodiscard]] u64 run_program(std::string_view name, u64 argument);

/// Replaces what `process` is by the program `name`, called with `argument`. On false nothing has happened, unless
/// memory is full: then the process cannot go on.
[[nodiscard]] bool exec(Process& process, std::string_view name, u64 argument);

/// Carries out the system call that `process` has trapped with (syscall.cpp).
void system_call(Process& process);

}  // namespace uc::mini
