// SPDX-License-Identifier: MIT
// Counts this very task with perf_event_open while it does known work, and prints `perf NAME COUNT` for each event:
// a loop of two instructions a round, so many rounds; illegal instructions; sleeps. The last line is PERF OK, or
// PERF FAIL and what the kernel did not want.

#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { kIllegal = 5, kSleeps = 20, kSbiIllegal = 4, kSbiSetTimer = 5 };
static const uint64_t kRounds = 20 * 1000 * 1000;
static const uint64_t kFirmware = 1ull << 63;  // riscv_pmu_sbi: the rest is the SBI's code of the event

static void fail(const char* what) {
    printf("PERF FAIL %s\n", what);
    exit(1);
}

static int open_event(uint32_t type, uint64_t config, const char* name) {
    struct perf_event_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.size = sizeof attr;
    attr.type = type;
    attr.config = config;
    attr.disabled = 1;
    const long fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
    if (fd < 0) fail(name);
    return (int)fd;
}

static void begin(int fd) {
    ioctl(fd, PERF_EVENT_IOC_RESET, 0);
    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
}

static void end(int fd, const char* name) {
    uint64_t count = 0;
    ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
    if (read(fd, &count, sizeof count) != sizeof count) fail(name);
    printf("perf %s %llu\n", name, (unsigned long long)count);
}

static void loop(uint64_t rounds) { __asm__ volatile("1: addi %0, %0, -1\nbnez %0, 1b" : "+r"(rounds)); }

// Goes on behind the instruction.
static void on_illegal(int signal, siginfo_t* info, void* context) {
    (void)signal;
    (void)info;
    ((ucontext_t*)context)->uc_mcontext.__gregs[REG_PC] += 4;
}

int main(void) {
    const int cycles = open_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, "cycles");
    const int instructions = open_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, "instructions");
    const int illegal = open_event(PERF_TYPE_RAW, kFirmware | kSbiIllegal, "illegal");
    const int timer = open_event(PERF_TYPE_RAW, kFirmware | kSbiSetTimer, "set-timer");

    begin(cycles);
    begin(instructions);
    loop(kRounds);
    end(instructions, "instructions");
    end(cycles, "cycles");

    begin(cycles);
    begin(instructions);
    loop(kRounds / 10);
    end(instructions, "instructions-of-a-tenth");
    end(cycles, "cycles-of-a-tenth");

    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_illegal;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &action, NULL);
    begin(illegal);
    for (int i = 0; i < kIllegal; i++) __asm__ volatile(".4byte 0xc0001073" ::: "memory");
    end(illegal, "illegal");

    begin(timer);
    for (int i = 0; i < kSleeps; i++) usleep(1000);
    end(timer, "set-timer");
    printf("PERF OK\n");
    return 0;
}
