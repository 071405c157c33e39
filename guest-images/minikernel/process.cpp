// SPDX-License-Identifier: MIT
#include "guest-images/minikernel/process.hpp"

#include "guest-images/minikernel/abi.hpp"
#include "guest-images/minikernel/console.hpp"
#include "guest-images/minikernel/csr.hpp"
#include "guest-images/minikernel/frames.hpp"
#include "guest-images/minikernel/machine.hpp"
#include "guest-images/minikernel/timer.hpp"

#include <algorithm>

namespace uc::mini {

namespace {

constexpr u64 kSliceMs = 10;  // long against what a switch costs even on an emulated machine's guest

constinit std::array<Process, 64> table;
constinit Process* current = nullptr;
constinit Process* fp_owner = nullptr;  ///< whose values the FP registers hold
constinit u64 slice_end = 0;
constinit u64 next_pid = 1;
constinit Process kernel;  ///< stands for the kernel as init's parent, so that init's exit code waits for it

/// Deadline of the sleeper that is next, or never.
u64 next_wake_up() {
    u64 earliest = ~0ull;
    for (const auto& p : table)
        if (p.state == Process::State::Asleep && p.wake_at != 0) earliest = std::min(earliest, p.wake_at);
    return earliest;
}

void wake_sleepers() {
    const u64 now = timer::now();
    for (auto& p : table)
        if (p.state == Process::State::Asleep && p.wake_at != 0 && p.wake_at <= now) p.state = Process::State::Ready;
}

/// Round robin, starting behind the process that ran last.
Process* next_ready() {
    const usize last = current == nullptr ? 0 : static_cast<usize>(current - table.data());
    for (usize i = 1; i <= table.size(); ++i) {
        auto& p = table[(last + i) % table.size()];
        if (p.state == Process::State::Ready) return &p;
    }
    return nullptr;
}

/// Nobody can run: waits for the earliest sleeper. wfi returns once an enabled interrupt is pending, even though SIE is
/// clear, so that no wake-up is lost between the look and the wait (Privileged 1.12, 3.3.3).
void idle() {
    const u64 deadline = next_wake_up();
    if (deadline == ~0ull) panic("all processes wait for each other");
    timer::arm(deadline);
    while ((csr_read<CsrNo::sip>() & irq_bit(Irq::STI)) == 0) wait_for_interrupt();
    timer::disarm();
    wake_sleepers();
}

void give_hart_to(Process& process) {
    current = &process;
    slice_end = timer::now() + timer::ticks_of_ms(kSliceMs);
    timer::arm(std::min(slice_end, next_wake_up()));
}

void enter(Process& process) {
    process.space.activate();
    if (machine.fp && fp_owner != &process) {
        csr_set<CsrNo::sstatus>(Sstatus::FS.mask);
        fp_restore(&process.fp);
        fp_owner = &process;
    }
    process.frame.status.set(Sstatus::FS, static_cast<u64>(machine.fp ? ExtState::Clean : ExtState::Off));
    enter_user(&process.frame);
    if (process.frame.status.get(Sstatus::FS) == static_cast<u64>(ExtState::Dirty)) fp_save(&process.fp);
}

void timer_interrupt(Process& process) {
    if (timer::now() >= slice_end) {
        ++process.slices;
        slice_end = 0;
    }
    wake_sleepers();
    timer::arm(std::min<u64>(slice_end == 0 ? ~0ull : slice_end, next_wake_up()));
}

void handle_trap(Process& process) {
    const auto& trap = process.frame;
    const auto resolve = [&](Access access) { return process.space.resolve(Va{trap.tval}, access); };
    if (trap.cause == Scause::of(Irq::STI)) return timer_interrupt(process);
    if (trap.cause == Scause::of(Cause::EcallFromU)) return system_call(process);
    if (trap.cause == Scause::of(Cause::FetchPageFault) && resolve(Access::Fetch)) return;
    if (trap.cause == Scause::of(Cause::LoadPageFault) && resolve(Access::Load)) return;
    if (trap.cause == Scause::of(Cause::StorePageFault) && resolve(Access::Store)) return;
    process.exit(kKilledBy + trap.cause.get(Scause::Code));
}

}  // namespace

Process* current_process() { return current; }

Process* new_process(Process* parent) {
    for (usize i = 0; i < table.size(); ++i) {
        auto& p = table[i];
        if (p.state != Process::State::Free) continue;
        // One ASID for each slot, as far as they go; 0 is the kernel's own.
        const u64 asid = paging.max_asid >= table.size() ? i + 1 : 0;
        if (!p.space.create(asid)) return nullptr;
        p.state = Process::State::Asleep;
        p.pid = next_pid++;
        p.parent = parent;
        p.channel = nullptr;
        p.wake_at = p.slices = p.exit_code = 0;
        p.frame = {};
        p.frame.status.set(Sstatus::SPIE, 1);
        std::fill(std::begin(p.fp), std::end(p.fp), 0);
        if (fp_owner == &p) fp_owner = nullptr;
        return &p;
    }
    return nullptr;
}

Process* find_process(u64 pid) {
    for (auto& p : table)
        if (p.pid == pid && (p.state == Process::State::Ready || p.state == Process::State::Asleep)) return &p;
    return nullptr;
}

Process* find_child(const Process& parent) {
    Process* child = nullptr;
    for (auto& p : table) {
        if (p.state == Process::State::Free || p.parent != &parent) continue;
        if (p.state == Process::State::Zombie) return &p;
        child = &p;
    }
    return child;
}

void yield() { slice_end = 0; }

void reap(Process& zombie) { zombie.state = Process::State::Free; }

void wake(const void* channel) {
    for (auto& p : table)
        if (p.state == Process::State::Asleep && p.channel == channel && p.wake_at == 0)
            p.state = Process::State::Ready;
}

void Process::exit(u64 code) {
    for (auto& file : files) file.close();
    csr_write<CsrNo::satp>(satp_of(paging.kernel_root, 0).raw);
    space.destroy();
    exit_code = code;
    state = State::Zombie;
    for (auto& p : table) {
        if (p.state == State::Free || p.parent != this) continue;
        p.parent = nullptr;
        if (p.state == State::Zombie) reap(p);
    }
    if (parent == nullptr)
        reap(*this);
    else
        wake(parent);
}

u64 run_program(std::string_view name, u64 argument) {
    Process* init = new_process(&kernel);
    if (init == nullptr || !exec(*init, name, argument)) panic("cannot start the first program");
    init->files[kConsole].kind = File::Kind::Console;
    init->state = Process::State::Ready;
    while (init->state != Process::State::Zombie) {
        if (current == nullptr || current->state != Process::State::Ready || slice_end == 0) {
            if (Process* next = next_ready())
                give_hart_to(*next);
            else
                idle();
            continue;
        }
        enter(*current);
        handle_trap(*current);
    }
    current = nullptr;
    timer::disarm();
    const u64 code = init->exit_code;
    reap(*init);
    for (auto& p : table)
        if (p.state == Process::State::Ready || p.state == Process::State::Asleep) p.exit(kKilled);
    return code;
}

}  // namespace uc::mini
