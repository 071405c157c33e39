// SPDX-License-Identifier: MIT
// System calls. A handler returns its result, or kBlocked after putting the process to sleep.

#include "guest-images/minikernel/abi.hpp"
#include "guest-images/minikernel/console.hpp"
#include "guest-images/minikernel/machine.hpp"
#include "guest-images/minikernel/process.hpp"
#include "guest-images/minikernel/timer.hpp"

#include <algorithm>

namespace uc::mini {

namespace {

constexpr i64 kBlocked = INT64_MIN;

i64 sleep_on(Process& p, const void* channel) {
    p.channel = channel;
    p.state = Process::State::Asleep;
    return kBlocked;
}

bool is_user_range(u64 address, u64 size) { return address < user_end().raw && size <= user_end().raw - address; }

bool copy_to_user(u64 to, const void* from, u64 size) {
    return is_user_range(to, size) && copy_user(reinterpret_cast<void*>(to), from, size);
}
bool copy_from_user(void* to, u64 from, u64 size) {
    return is_user_range(from, size) && copy_user(to, reinterpret_cast<const void*>(from), size);
}

i64 sys_fork(Process& p) {
    Process* child = new_process(&p);
    if (child == nullptr) return kNoMemory;
    if (!p.space.fork_to(child->space)) {
        child->parent = nullptr;
        child->exit(kKilled);
        return kNoMemory;
    }
    for (usize i = 0; i < p.files.size(); ++i) child->files[i] = p.files[i].duplicate();
    child->heap = p.heap;
    child->frame = p.frame;
    child->frame.reg(kA0) = 0;
    child->frame.pc += 4;
    std::copy(std::begin(p.fp), std::end(p.fp), child->fp);
    child->state = Process::State::Ready;
    return static_cast<i64>(child->pid);
}

i64 sys_exec(Process& p, u64 name, u64 length, u64 argument) {
    char buffer[32];
    if (length > sizeof(buffer)) return kNoEntry;
    if (!copy_from_user(buffer, name, length)) return kBadAddress;
    if (!exec(p, {buffer, length}, argument)) return kNoEntry;
    p.frame.pc -= 4;  // system_call will step over an ecall that is no longer there
    return static_cast<i64>(argument);
}

i64 sys_wait(Process& p, u64 code) {
    Process* child = find_child(p);
    if (child == nullptr) return kNoChild;
    if (child->state != Process::State::Zombie) return sleep_on(p, &p);
    if (!copy_to_user(code, &child->exit_code, sizeof(child->exit_code))) return kBadAddress;
    const u64 pid = child->pid;
    reap(*child);
    return static_cast<i64>(pid);
}

i64 sys_kill(u64 pid) {
    Process* victim = find_process(pid);
    if (victim == nullptr) return kNoEntry;
    victim->exit(kKilled);
    return 0;
}

i64 sys_sleep(Process& p, u64 ms) {
    const u64 now = timer::now();
    if (p.wake_at == 0) p.wake_at = now + timer::ticks_of_ms(ms);
    if (now < p.wake_at) return sleep_on(p, nullptr);
    p.wake_at = 0;
    return 0;
}

File* file_of(Process& p, u64 number) { return number < p.files.size() ? &p.files[number] : nullptr; }

i64 sys_write(Process& p, u64 number, u64 from, u64 size) {
    u8 buffer[256];
    const u64 n = std::min<u64>(size, sizeof(buffer));
    const File* file = file_of(p, number);
    if (file == nullptr || (file->kind != File::Kind::Console && file->kind != File::Kind::PipeWriter)) return kBadFile;
    if (!copy_from_user(buffer, from, n)) return kBadAddress;
    if (file->kind == File::Kind::Console) {
        console_write({reinterpret_cast<const char*>(buffer), n});
        return static_cast<i64>(n);
    }
    if (file->pipe->readers == 0) return kBrokenPipe;
    const u64 written = file->pipe->write({buffer, n});
    return written == 0 && n != 0 ? sleep_on(p, file->pipe) : static_cast<i64>(written);
}

i64 sys_read(Process& p, u64 number, u64 to, u64 size) {
    u8 buffer[256];
    const File* file = file_of(p, number);
    if (file == nullptr || file->kind != File::Kind::PipeReader) return kBadFile;
    if (!is_user_range(to, size)) return kBadAddress;
    const u64 n = file->pipe->read({buffer, std::min<u64>(size, sizeof(buffer))});
    if (n == 0 && size != 0 && file->pipe->writers != 0) return sleep_on(p, file->pipe);
    return copy_to_user(to, buffer, n) ? static_cast<i64>(n) : static_cast<i64>(kBadAddress);
}

i64 sys_pipe(Process& p, u64 ends) {
    u64 numbers[2];
    unsigned found = 0;
    for (usize i = 0; i < p.files.size() && found < 2; ++i)
        if (p.files[i].kind == File::Kind::Closed) numbers[found++] = i;
    if (found < 2) return kBadFile;
    if (!copy_to_user(ends, numbers, sizeof(numbers))) return kBadAddress;
    return open_pipe(p.files[numbers[0]], p.files[numbers[1]]) ? 0 : static_cast<i64>(kNoMemory);
}

i64 sys_close(Process& p, u64 number) {
    File* file = file_of(p, number);
    if (file == nullptr || file->kind == File::Kind::Closed) return kBadFile;
    file->close();
    return 0;
}

i64 sys_sbrk(Process& p, u64 bytes) {
    Region* heap = p.space.region_at(p.heap);
    const Va end = heap->end;
    // The stack is a long way up; a heap that would reach its half of the address space's half is refused.
    if (bytes > user_end().raw / 2 - end.raw) return kNoMemory;
    heap->end += align_up(bytes, kPageSize);
    return static_cast<i64>(end.raw);
}

i64 sys_slices(u64 pid) {
    const Process* of = find_process(pid);
    return of == nullptr ? static_cast<i64>(kNoEntry) : static_cast<i64>(of->slices);
}

i64 dispatch(Process& p, Call call, u64 arg0, u64 arg1, u64 arg2) {
    switch (call) {
        case Call::Exit: p.exit(arg0); return kBlocked;
        case Call::Fork: return sys_fork(p);
        case Call::Exec: return sys_exec(p, arg0, arg1, arg2);
        case Call::Wait: return sys_wait(p, arg0);
        case Call::Kill: return sys_kill(arg0);
        case Call::Getpid: return static_cast<i64>(p.pid);
        case Call::Yield: yield(); return 0;
        case Call::Sleep: return sys_sleep(p, arg0);
        case Call::Write: return sys_write(p, arg0, arg1, arg2);
        case Call::Read: return sys_read(p, arg0, arg1, arg2);
        case Call::Pipe: return sys_pipe(p, arg0);
        case Call::Close: return sys_close(p, arg0);
        case Call::Sbrk: return sys_sbrk(p, arg0);
        case Call::Slices: return sys_slices(arg0);
        case Call::Timebase: return static_cast<i64>(machine.timebase);
    }
    return kNoCall;
}

}  // namespace

void system_call(Process& p) {
    const i64 result =
        dispatch(p, static_cast<Call>(p.frame.reg(kA7)), p.frame.reg(kA0), p.frame.reg(kA1), p.frame.reg(kA2));
    if (result == kBlocked || p.state == Process::State::Zombie || p.state == Process::State::Free) return;
    p.frame.reg(kA0) = static_cast<u64>(result);
    p.frame.pc += 4;
}

}  // namespace uc::mini
