// SPDX-License-Identifier: MIT
// Small operations of a Linux kernel, each repeated a fixed number of times; bench/README.md says what the numbers
// mean.
//
//   lat [FACTOR]      runs every operation, FACTOR times its usual count (a real board wants 10 or more)
//
// Each prints `lat NAME COUNT TICKS`, TICKS as rdtime counts them. The timed part stands between two HINTs,
// `slti x0, x0, 256 + operation` and `slti x0, x0, 512 + operation`: they do nothing on any machine, trap on none, and
// no compiler emits them, so an emulator can watch for them (bench/plugin.c does).
//
// There is no C library underneath: what is counted is the kernel's work and a handful of instructions of ours.

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/signal.h>
#include <linux/stat.h>

typedef unsigned long ulong;

enum { kPageSize = 4096 };

static long sys(long number, long a, long b, long c, long d, long e, long f) {
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
    return a0;
}

static _Noreturn void leave(int status) {
    for (;;) sys(__NR_exit_group, status, 0, 0, 0, 0, 0);
}

// Output.

static void print(const char* text) {
    long length = 0;
    while (text[length]) length++;
    sys(__NR_write, 1, (long)text, length, 0, 0, 0);
}

static void print_number(ulong value) {
    char digits[21];
    char* first = digits + sizeof digits - 1;
    *first = 0;
    do *--first = (char)('0' + value % 10);
    while (value /= 10);
    print(first);
}

// A number nobody should believe is worse than none: whatever goes wrong ends the run.
static long need(long result, const char* what) {
    if (result >= 0) return result;
    print("lat: failed: ");
    print(what);
    print("\n");
    leave(1);
}

static long fork_process(void) { return need(sys(__NR_clone, SIGCHLD, 0, 0, 0, 0, 0), "clone"); }

static void wait_success(long child) {
    int status = 1;
    need(sys(__NR_wait4, child, (long)&status, 0, 0, 0, 0), "wait4");
    if (status) need(-1, "a child process");
}

static char* map_pages(long pages) {
    long address =
        need(sys(__NR_mmap, 0, pages * kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap");
    // Huge pages would turn thousands of faults into a few. EINVAL: the kernel has none, which is as good.
    sys(__NR_madvise, address, pages * kPageSize, MADV_NOHUGEPAGE, 0, 0, 0);
    return (char*)address;
}

static void unmap_pages(char* address, long pages) {
    need(sys(__NR_munmap, (long)address, pages * kPageSize, 0, 0, 0, 0), "munmap");
}

// Measuring. One definition per operation, because a HINT's operand is part of the instruction.

static ulong rdtime(void) {
    ulong ticks;
    __asm__ volatile("rdtime %0" : "=r"(ticks)::"memory");
    return ticks;
}

#define MEASURE(index, name, count, body)                                    \
    do {                                                                     \
        const long count_ = (count);                                         \
        const ulong begin_ = rdtime();                                       \
        __asm__ volatile("slti x0, x0, %0" ::"i"(256 + (index)) : "memory"); \
        for (long i = 0; i < count_; i++) body;                              \
        __asm__ volatile("slti x0, x0, %0" ::"i"(512 + (index)) : "memory"); \
        report(name, count_, rdtime() - begin_);                             \
    } while (0)

static void report(const char* name, long count, ulong ticks) {
    print("lat ");
    print(name);
    print(" ");
    print_number((ulong)count);
    print(" ");
    print_number(ticks);
    print("\n");
}

// The operations. Each does its work a few times before it is measured, as a long-running program would have.

static void null_syscall(void) { sys(__NR_getppid, 0, 0, 0, 0, 0, 0); }

static void measure_syscalls(long factor) {
    static char byte;
    static struct {
        char bytes[256];
    } status;  // the kernel's struct stat is half of this
    const long zero = need(sys(__NR_openat, AT_FDCWD, (long)"/dev/zero", O_RDONLY, 0, 0, 0), "open /dev/zero");
    for (int i = 0; i < 100; i++) null_syscall();
    MEASURE(0, "syscall", 20000 * factor, null_syscall());
    MEASURE(1, "read", 10000 * factor, need(sys(__NR_read, zero, (long)&byte, 1, 0, 0, 0), "read"));
    need(sys(__NR_newfstatat, AT_FDCWD, (long)"/dev/zero", (long)&status, 0, 0, 0), "stat");
    MEASURE(2, "stat", 4000 * factor, sys(__NR_newfstatat, AT_FDCWD, (long)"/dev/zero", (long)&status, 0, 0, 0));
    sys(__NR_close, zero, 0, 0, 0, 0, 0);
}

static volatile long signals_taken;

static void on_signal(int signal) {
    (void)signal;
    signals_taken++;
}

static void measure_signal(long factor) {
    // The kernel's own layout: handler, flags, mask. On RISC-V the vDSO does the return.
    const struct {
        void (*handler)(int);
        ulong flags, mask;
    } action = {on_signal, 0, 0};
    const long self = sys(__NR_getpid, 0, 0, 0, 0, 0, 0);
    const long count = 3000 * factor;
    need(sys(__NR_rt_sigaction, SIGUSR1, (long)&action, 0, sizeof action.mask, 0, 0), "sigaction");
    sys(__NR_kill, self, SIGUSR1, 0, 0, 0, 0);
    MEASURE(3, "signal", count, sys(__NR_kill, self, SIGUSR1, 0, 0, 0, 0));
    if (signals_taken != count + 1) need(-1, "signal delivery");
}

static void measure_memory(long factor) {
    enum { kFaults = 4096, kProtected = 16 };
    // The factor cannot enlarge the memory a machine has, so this count is fixed.
    char* fresh = map_pages(kFaults);
    for (long i = 0; i < 16; i++) fresh[i * kPageSize] = 1;
    MEASURE(4, "fault", kFaults - 16, fresh[(i + 16) * kPageSize] = 1);
    unmap_pages(fresh, kFaults);

    char* held = map_pages(kProtected);
    for (long i = 0; i < kProtected; i++) held[i * kPageSize] = 1;
    MEASURE(5, "mprotect", 1000 * factor, {
        need(sys(__NR_mprotect, (long)held, kProtected * kPageSize, PROT_READ, 0, 0, 0), "mprotect");
        need(sys(__NR_mprotect, (long)held, kProtected * kPageSize, PROT_READ | PROT_WRITE, 0, 0, 0), "mprotect");
    });
    unmap_pages(held, kProtected);
}

// Copies bytes from one pipe to the other until the first closes.
static _Noreturn void echo(int from, int to) {
    char byte;
    while (sys(__NR_read, from, (long)&byte, 1, 0, 0, 0) == 1) sys(__NR_write, to, (long)&byte, 1, 0, 0, 0);
    leave(0);
}

static void round_trip(int to, int from) {
    char byte = 0;
    need(sys(__NR_write, to, (long)&byte, 1, 0, 0, 0), "write to a pipe");
    if (sys(__NR_read, from, (long)&byte, 1, 0, 0, 0) != 1) need(-1, "read from a pipe");
}

static void measure_switch(long factor) {
    int there[2], back[2];
    need(sys(__NR_pipe2, (long)there, 0, 0, 0, 0, 0), "pipe");
    need(sys(__NR_pipe2, (long)back, 0, 0, 0, 0, 0), "pipe");
    const long child = fork_process();
    if (child == 0) {
        sys(__NR_close, there[1], 0, 0, 0, 0, 0);
        echo(there[0], back[1]);
    }
    for (int i = 0; i < 20; i++) round_trip(there[1], back[0]);
    MEASURE(6, "switch", 1000 * factor, round_trip(there[1], back[0]));
    sys(__NR_close, there[1], 0, 0, 0, 0, 0);
    wait_success(child);
    sys(__NR_close, there[0], 0, 0, 0, 0, 0);
    sys(__NR_close, back[0], 0, 0, 0, 0, 0);
    sys(__NR_close, back[1], 0, 0, 0, 0, 0);
}

static void fork_exit(void) {
    const long child = fork_process();
    if (child == 0) leave(0);
    wait_success(child);
}

static void fork_exec(void) {
    static const char* const arguments[] = {"true", 0};
    static const char* const environment[] = {0};
    const long child = fork_process();
    if (child == 0) {
        sys(__NR_execve, (long)"/bin/busybox", (long)arguments, (long)environment, 0, 0, 0);
        leave(1);
    }
    wait_success(child);
}

static void measure_processes(long factor) {
    fork_exit();
    MEASURE(7, "fork", 100 * factor, fork_exit());
    fork_exec();
    MEASURE(8, "exec", 50 * factor, fork_exec());
}

// What a hypervisor should not be able to slow down: arithmetic, and loads that walk memory in an order no cache
// foresees.

static ulong next_random(ulong state) {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^ state << 17;
}

static void measure_compute(long factor) {
    enum { kNodes = 4 << 20 >> 3, kWalkPages = 4 << 20 >> 12 };
    ulong state = 88172645463325252;
    MEASURE(9, "compute", 4000000 * factor, state = next_random(state));

    // One cycle through every node (Sattolo's shuffle).
    ulong* next = (ulong*)map_pages(kWalkPages);
    for (ulong i = 0; i < kNodes; i++) next[i] = i;
    for (ulong i = kNodes - 1; i > 0; i--) {
        state = next_random(state);
        const ulong j = state % i, old = next[i];
        next[i] = next[j];
        next[j] = old;
    }
    ulong node = 0;
    MEASURE(10, "walk", 4L * kNodes * factor, node = next[node]);
    if (node != 0) need(-1, "the walk, which should have come full circle");
    unmap_pages((char*)next, kWalkPages);
}

static long parse_factor(const char* text) {
    long value = 0;
    for (; *text >= '0' && *text <= '9' && value < 100000; text++) value = value * 10 + (*text - '0');
    return *text || value == 0 ? need(-1, "FACTOR should be a number from 1") : value;
}

// Entered from _start with the stack as the kernel left it: argc, then argv.
__attribute__((used)) static _Noreturn void start(const long* stack) {
    const long factor = stack[0] > 1 ? parse_factor((const char*)stack[2]) : 1;
    measure_syscalls(factor);
    measure_signal(factor);
    measure_memory(factor);
    measure_switch(factor);
    measure_processes(factor);
    measure_compute(factor);
    leave(0);
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    "  .option push\n"
    "  .option norelax\n"
    "  la gp, __global_pointer$\n"
    "  .option pop\n"
    "  mv a0, sp\n"
    "  tail start\n");
