# SPDX-License-Identifier: MIT
"""Debian's stock Linux: to an interactive shell, through a workload, and round and round through reboots."""

import re

from console import Console, Failure
from suite import ALL, Bench, linux, test

PROMPT = r"^guest:\S+# "


def use_shell(console: Console) -> None:
    """Types commands at a fresh shell and checks what they answer."""
    console.expect(PROMPT)
    console.send("echo $((6 * 7)) | cat\n")
    console.expect(r"^42$")
    console.send("cat /proc/cpuinfo\n")
    console.expect(r"^processor\s*: 0$")
    isa = console.expect(r"^isa\s*: (rv64\S+)$")[1]
    if "h" in isa.split("_")[0].removeprefix("rv64"):
        raise Failure(f"the guest is promised the H extension: {isa}")
    console.expect(PROMPT)
    # Job control: a job is stopped from the keyboard, listed and taken up again.
    console.send("sh -c 'echo started; exec sleep 1000'\n")
    console.expect(r"^started$")
    console.send("\x1a")
    console.expect(r"Stopped")
    console.send("kill %1; fg\n")
    console.expect(PROMPT)
    if ticks(console) >= ticks(console):
        raise Failure("the timer's interrupts do not tick")


def ticks(console: Console) -> int:
    """The timer interrupts of the first hart so far, a second from now."""
    console.send("sleep 1; grep timer /proc/interrupts\n")
    return int(console.expect(r"^\s*\S+:\s+(\d+)\s.*timer.*$")[1])


@test(ALL, tags=["linux", "matrix"])
def linux_shell(bench: Bench) -> None:
    """A shell that answers, and `poweroff` ends the machine with status 0."""
    with bench.inside(linux()["itb"]) as console:
        use_shell(console)
        console.send("poweroff\n")
        bench.shutdown(console)


@test(["noh"], tags=["linux", "long"])
def linux_workload(bench: Bench) -> None:
    """Forks, pipes, files, signals, timers: every check of the workload holds."""
    with bench.inside(linux("uc.run=workload")["itb"]) as console:
        console.expect(r"^WORKLOAD OK$", limit=900)
        bench.shutdown(console)


@test(["noh"], tags=["linux", "long"])
def linux_reboots(bench: Bench) -> None:
    """`reboot` brings the guest back 20 times, and the last one still powers off cleanly."""
    with bench.inside(linux()["itb"]) as console:
        for _ in range(20):
            console.expect(PROMPT)
            console.send("reboot\n")
            console.expect(r"^\[uc\] linux: reboot$")
        console.expect(PROMPT)
        console.send("poweroff\n")
        bench.shutdown(console)


def kernel_complaints(text: str) -> set[str]:
    """The warnings in a kernel log, without their time stamps and the numbers that differ from boot to boot."""
    lines = (re.sub(r"^\[ *[\d.]+\] ", "", line) for line in text.splitlines())
    return {re.sub(r"0x[0-9a-f]+|[0-9a-f]{8,}|\d+", "#", line) for line in lines
            if re.search(r"WARNING|BUG|Oops|panic|[Ee]rror|[Ff]ail|Unable|invalid|unexpected", line)}


@test(["noh", "newer"], tags=["linux"])
def linux_log(bench: Bench) -> None:
    """The kernel log has no complaint that the bare machine's does not also have."""
    parts = linux("uc.run=true")
    with bench.bare(parts["kernel"], parts["initramfs"], "console=ttyS0 uc.run=true") as console:
        bare = kernel_complaints(bench.end(console))
    with bench.inside(parts["itb"]) as console:
        inside = kernel_complaints(bench.end(console))
    if inside - bare:
        raise Failure("only as a guest does the kernel say:\n" + "\n".join(sorted(inside - bare)))


@test(["noh"], tags=["linux", "bare"])
def bare_linux_workload(bench: Bench) -> None:
    """The workload itself is sound: it passes without Undercroft."""
    parts = linux("uc.run=workload")
    with bench.bare(parts["kernel"], parts["initramfs"], "console=ttyS0 uc.run=workload") as console:
        console.expect(r"^WORKLOAD OK$")
        bench.end(console)


@test(["noh"], tags=["linux", "bare"])
def bare_linux_shell(bench: Bench) -> None:
    """So is the conversation with the shell."""
    parts = linux()
    with bench.bare(parts["kernel"], parts["initramfs"], "console=ttyS0") as console:
        use_shell(console)
        console.send("poweroff\n")
        bench.end(console)
