# SPDX-License-Identifier: MIT
"""SBI extensions that take two harts, or a Linux, to be seen."""

import dataclasses
import pathlib
import re
import subprocess

import run_qemu
from cases.guests import verdict
from cases.linux import PROMPT
from console import Console, Failure
from monitor import Monitor
from suite import ICOUNT, ROOT, Bench, guest, linux, require_equal, test, transcript

TWO = "vcpus=2 -- "
ONE_HART = ["noh", "rv64", "u54"]


def run_pair(bench: Bench, name: str) -> list[str]:
    """Boots the guest `name` inside with two vCPUs; returns its transcript, which must end well."""
    with bench.inside(guest(name), append=TWO) as console:
        lines = transcript(bench.end(console))
    if lines[-1] != verdict(name):
        raise Failure(f"the last line is not '{verdict(name)}': {lines[-1]}")
    return lines


@test([*ONE_HART, "newer"], tags=["behaviour", "sbi"])
def system_suspend(bench: Bench) -> None:
    """A guest whose other hart is stopped suspends until a timer."""
    run_pair(bench, "system_suspend")


@test(ONE_HART, tags=["behaviour", "sbi"])
def steal_time(bench: Bench) -> None:
    """Two vCPUs that share a hart are told that they wait for half of the time."""
    bench.machine = dataclasses.replace(bench.machine, extra=ICOUNT)  # a hart that stands still now and then is not half
    run_pair(bench, "steal_time")


@test(ONE_HART, tags=["behaviour", "sbi"])
def hsm_suspend(bench: Bench) -> None:
    """A suspended vCPU is reported as such and wakes each time."""
    run_pair(bench, "hsm_suspend")


@test(["smp4"], tags=["behaviour", "sbi"])
def hsm_suspend_as_bare(bench: Bench) -> None:
    """And so it is on the bare machine."""
    with bench.bare(guest("hsm_suspend")) as console:
        bare = transcript(bench.end(console))
    require_equal(bare, run_pair(bench, "hsm_suspend"))


def perf_guest(bench: Bench, vcpus: int) -> pathlib.Path:
    """A Linux guest with the program perf_events in it."""
    program = bench.folder / "perf_events"
    subprocess.run(["riscv64-linux-gnu-gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", program,
                    ROOT / "tests/qemu/programs/perf_events.c"], check=True)
    return run_qemu.build_linux(bench.folder, run_qemu.LINUX_BOOTARGS, "--vcpus", str(vcpus),
                                "--add", f"{program}=bin/perf_events")["itb"]


def count_events(console: Console, command: str) -> dict[str, int]:
    """Runs perf_events by `command` in the guest's shell; returns what it counted."""
    console.expect(PROMPT)
    console.send(f"{command}\n")
    console.expect(r"^PERF OK$")
    return {name: int(count) for name, count in re.findall(r"^perf (\S+) (\d+)\r?$", console.text, re.MULTILINE)}


ROUNDS = 20_000_000  # of the loop in perf_events.c, two instructions each


def check_counts(console: Console, counts: dict[str, int]) -> None:
    """Fails where instructions are not those that the loop is known to take; they include what the kernel, and Undercroft
    for it, does at timer interrupts."""
    for name, rounds in (("instructions", ROUNDS), ("instructions-of-a-tenth", ROUNDS // 10)):
        if not 2 * rounds <= counts[name] < 2.6 * rounds:
            raise console.failure(f"{counts[name]} {name}, but the loop has {2 * rounds}")
    if not counts["cycles"] > counts["instructions"] // 2 or counts["cycles"] > 3 * counts["instructions"]:
        raise console.failure(f"{counts['cycles']} cycles for {counts['instructions']} instructions")
    if counts["illegal"] != 5:
        raise console.failure(f"{counts['illegal']} illegal instructions, not 5")


@test(["noh", "u54", "newer"], tags=["linux", "sbi"])
def linux_perf(bench: Bench) -> None:
    """Linux counts cycles, instructions and firmware's events of a task, and instructions are exact where QEMU counts them."""
    bench.machine = dataclasses.replace(bench.machine, extra=("-icount", "shift=0"))
    with bench.inside(perf_guest(bench, 1)) as console:
        console.expect(r"riscv-pmu-sbi: 16 firmware and 2 hardware counters")
        counts = count_events(console, "perf_events")
        check_counts(console, counts)
        # Where there is no stimecmp, the kernel sets its timer by SBI calls.
        if bench.machine.cpu == "sifive-u54" and not 5 <= counts["set-timer"] < 1000:
            raise console.failure(f"{counts['set-timer']} set-timer events in 20 sleeps")
        console.expect(PROMPT)
        console.send("poweroff\n")
        bench.end(console)


@test(["noh"], tags=["linux", "sbi", "smp"])
def linux_perf_2_vcpus(bench: Bench) -> None:
    """What a task counts is its own CPU's, though another vCPU takes half of the hart."""
    bench.machine = dataclasses.replace(bench.machine, extra=("-icount", "shift=0"))
    with bench.inside(perf_guest(bench, 2)) as console:
        console.expect(PROMPT)
        console.send("taskset -c 1 sh -c 'while :; do :; done' &\n")
        check_counts(console, count_events(console, "taskset -c 0 perf_events"))
        console.expect(PROMPT)
        console.send("poweroff -f\n")
        bench.end(console)


def ask_satp(console: Console) -> str:
    """What satp of the guest's first vCPU is, by the open monitor."""
    console.send("regs linux 0\r")
    return console.expect(r"\bsatp +(0x[0-9a-f]+)")[1]


@test(["noh", "u54"], tags=["linux", "sbi", "smp"])
def linux_suspends(bench: Bench) -> None:
    """Linux suspends to RAM, stopping its second CPU, and a key wakes it with both."""
    with bench.inside(linux(vcpus=2)["itb"]) as console:
        console.expect(PROMPT)
        console.send("echo enabled >/sys/class/tty/ttyS0/power/wakeup; echo N >/sys/module/printk/parameters/console_suspend\n")
        console.expect(PROMPT)
        console.send("echo mem >/sys/power/state; echo again $?\n")
        console.expect(r"suspend entry \(deep\)$")
        console.expect(r"CPU1: off$")
        # A key that comes earlier makes the kernel think better of it. The vCPU sleeps in the state that it will resume in.
        monitor = Monitor(console)
        monitor.open()
        console.until(lambda: int(ask_satp(console), 16) == 0, "the first vCPU does not sleep")
        monitor.ask("vcpus", r".* 0 +waiting", r".* 1 +stopped")
        monitor.attach("linux")
        console.send("\n")
        console.expect(r"CPU1 is up$")
        console.expect(r"^again 0$")
        console.expect(PROMPT)
        console.send("grep -c ^processor /proc/cpuinfo\n")
        console.expect(r"^2$")
        console.send("poweroff -f\n")
        bench.end(console)
