# SPDX-License-Identifier: MIT
"""Undercroft tells of vCPUs that are stuck, once and by name, and of nobody else."""

import re

from cases.linux import PROMPT
from cases.linux_smp import require_no_stall
from console import Console
from monitor import BEGIN, Monitor, properties, tree
from suite import Bench, guest, linux, test

WATCH = "undercroft.watch=1 -- "  # seconds
ALERT = r"\[uc\] warning: \S+: vCPU \d+ .*$"
ROW = r"\[uc\] warning: +\d+\.\d{9} +\d+ stuck:%d +[a-z-]+ "


def alerts(console: Console) -> list[str]:
    """The lines that tell of something."""
    return [found[0] for found in re.finditer(ALERT, console.text, re.MULTILINE)]


def require_quiet(console: Console) -> None:
    """Fails if anybody was said to be stuck."""
    if told := alerts(console):
        raise console.failure(f"nobody was stuck, but: {told[0]}")


def alert(vcpu: int, what: str) -> tuple[str, ...]:
    """What tells of the vCPU of the guest `stuck`, with its last exits, in order."""
    return (BEGIN + rf"\[uc\] warning: stuck: vCPU {vcpu} {what}$", BEGIN + r"\[uc\] warning: stuck: the last of its exits:$",
            BEGIN + ROW % vcpu)


def expect_alert(console: Console, vcpu: int, what: str) -> None:
    """Waits until the vCPU is told of."""
    for line in alert(vcpu, what):
        console.expect(line)


@test(["noh", "u54", "nosstc", "smp4"], tags=["watch", "behaviour"])
def watchdogs(bench: Bench) -> None:
    """Each way of being stuck is told once, changes nothing for the guest, and nothing for its neighbour."""
    payload = tree(bench, {"deaf": ("kernel", guest("deaf")), "minikernel": ("kernel", guest("minikernel"))},
                   {"stuck": properties("deaf", vcpus=2), "well": properties("minikernel", "quiet")})
    at = r"with interrupts off (at|between) 0x802\S+( and 0x802\S+)?"
    with bench.inside(payload, append=WATCH) as console:
        # Its last exits are among the hart's only if the neighbour has not made too many since.
        console.expect_all(r"^stuck\| timer: the second spins$", r"^well\| minikernel: PASS$",
                           alert(1, rf"has spun for 1 s {at}; waiting: timer 1 s")[0])
        monitor = Monitor(console)
        monitor.open()
        monitor.ask("vcpus stuck", r"stuck +1 .* warnings: 1$")
        monitor.attach("stuck")
        console.send("x")
        console.expect(r"^timer: taken 0x8000000000000005$")
        console.expect(r"^ipi: the second spins$")
        expect_alert(console, 1, rf"has spun for 1 s {at}; waiting: IPI 1 s")
        console.send("x")
        console.expect(r"^ipi: taken 0x8000000000000001$")
        console.expect(r"^busy: the first does this and that$")
        expect_alert(console, 0, rf"has been busy for 1 s {at}; waiting: timer 1 s")
        console.send("x")
        console.expect(r"^idle: an interrupt pends that is not enabled$")
        console.send("x")
        console.expect(r"^PASS deaf$")
        bench.end(console)
        if len(told := alerts(console)) != 3:
            raise console.failure(f"three times a vCPU was stuck, {len(told)} times it was told: {told}")


@test(["smp4"], tags=["watch", "linux", "smp", "long"])
def watched_linux(bench: Bench) -> None:
    """Linux with four vCPUs that go offline and online, tick, and work hard is not said to be stuck."""
    with bench.inside(linux(vcpus=4)["itb"], append="undercroft.watch=5") as console:
        for command, answer in (("/tests/cpus", "CPUS OK 4"), ("/tests/workload", "WORKLOAD OK")):
            console.expect(PROMPT)
            console.send(f"{command}\n")
            console.expect(f"^{answer}$", limit=900)
        console.expect(PROMPT)
        console.send("poweroff\n")
        bench.end(console)
        require_no_stall(console)
        require_quiet(console)
