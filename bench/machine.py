# SPDX-License-Identifier: MIT
"""Runs one machine once, in one of two ways: counting every instruction, or taking QEMU's CPU time."""

import dataclasses
import os
import re
import signal
import subprocess
import threading

import image

TIMEBASE_HZ = 10_000_000  # of QEMU's virt
DETERMINISTIC = ("-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm")
COUNTERS = ("firmware", "hypervisor", "kernel", "user", "mret", "sret")


@dataclasses.dataclass
class Result:
    """What one run gave; `spans` only when instructions were counted."""

    cpu_seconds: float
    console: str
    lat: dict  # operation -> (count, nanoseconds of the machine's own clock)
    exits: dict  # cause -> count, as the hypervisor tells
    spans: dict  # "total" or "opN" -> {counter: count}


@dataclasses.dataclass
class Machine:
    """A way to boot the kernel: `arguments(kernel, workload)` are QEMU's."""

    name: str
    qemu: str
    arguments: callable

    def run(self, kernel, workload, extra=(), limit=600):
        """Runs to power-off. Gives the console's text and the CPU seconds, user and system, of the QEMU process."""
        command = [self.qemu, *self.arguments(kernel, workload), "-seed", "1", "-no-reboot", *extra]
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        timer = threading.Timer(limit, process.send_signal, (signal.SIGKILL,))
        timer.start()
        console = process.stdout.read().decode(errors="replace").replace("\r", "")
        # Not Popen.wait: only wait4 tells this one child's own use of the CPU.
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            tail = "\n".join(console.splitlines()[-30:])
            raise SystemExit(f"bench: {self.name}, {workload}: QEMU ended with {process.returncode}\n{tail}")
        return console, usage.ru_utime + usage.ru_stime

    def measure(self, kernel, workload, extra=()):
        console, cpu_seconds = self.run(kernel, workload, extra)
        if "bench: done" not in console or "failed" in "".join(re.findall(r"^(?:bench|lat): .*", console, re.M)):
            tail = "\n".join(console.splitlines()[-30:])
            raise SystemExit(f"bench: {self.name}: workload {workload} did not finish\n{tail}")
        lat = {name: (int(count), int(ticks) * (1_000_000_000 // TIMEBASE_HZ))
               for name, count, ticks in re.findall(r"^lat (\w+) (\d+) (\d+)$", console, re.M)}
        exits = {cause: int(count) for cause, count in re.findall(r"^\[uc\] guest0: exits (\S+) (\d+)(?: mean \d+ ns)?$", console, re.M)}
        return Result(cpu_seconds, console, lat, exits, {})

    def count(self, kernel, workload, plugin, scratch):
        """Counts instructions: exact, and the same on each run."""
        entry, head = image.kernel_entry(kernel)
        counts = scratch / f"counts-{self.name}-{workload}"
        counts.unlink(missing_ok=True)
        result = self.measure(kernel, workload,
                              (*DETERMINISTIC, "-plugin", f"{plugin},out={counts},entry={entry:#x},head={head}"))
        lines = [line.split() for line in counts.read_text().splitlines()]
        starts = int(lines[0][1])
        if starts != 1:
            raise SystemExit(f"bench: {self.name}: the kernel was seen to start {starts} times, not once")
        result.spans = {name: dict(zip(COUNTERS, map(int, values))) for name, *values in lines[1:]}
        return result


def bare(qemu, bios, scratch, initramfs, bootargs):
    machine = ("-M", "virt", "-smp", "1", "-m", f"{image.GUEST_MEMORY >> 20}M", "-nographic", "-bios", bios)
    device_tree = image.build_device_tree(scratch, qemu, machine)

    def arguments(kernel, workload):
        return (*machine, "-dtb", device_tree, "-kernel", kernel, "-initrd", initramfs, "-append", bootargs(workload))

    return Machine("bare", qemu, arguments)


def guest(qemu, bios, scratch, initramfs, bootargs, undercroft):
    machine = ("-M", "virt", "-smp", "1", "-m", "1G", "-nographic", "-bios", bios)

    def arguments(kernel, workload):
        payload = image.build_fit(scratch, f"{kernel.name}-{workload}", kernel, initramfs, bootargs(workload))
        return (*machine, "-kernel", undercroft, "-initrd", payload, "-append", "undercroft.stats -- ")

    return Machine("guest", qemu, arguments)
