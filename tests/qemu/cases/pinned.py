# SPDX-License-Identifier: MIT
"""Guests that are pinned to harts beside others that float: who runs where, and what each gets done.

QEMU counts instructions here (-icount), so that time passes by what is executed, whatever the machine that runs the test is doing. It shares
them unequally among harts; so this looks at turns, and tests/hv/scheduler_sim_test.cpp at equal shares.
"""

import dataclasses
import pathlib

from cases.guests import system_reset
from cases.guests_many import raw
from console import Console
from monitor import BEGIN, COUNTER, COUNTER_CODE, FLOOD_CODE, Monitor, properties, tree
from suite import ICOUNT, Bench, guest, test

# Of these, `alone` has a hart to itself, and the twins share one.
HARTS = {"alone": {3}, "left": {2}, "right": {2}, "flood": {0, 1}, "hole": {0, 1}, "ipi": {0, 1}}
COUNTERS = ("alone", "left", "right")
SLICES = 60  # of a twin while it is looked at, at least


def payload(bench: Bench) -> pathlib.Path:
    """Different kernels, sizes of memory and numbers of vCPUs; each that is pinned counts."""
    images = {name: ("kernel", guest(name)) for name in ("satp_hole", "smp_ipi")}
    for name, code in (("counter", COUNTER_CODE), ("flood", FLOOD_CODE), ("failure", system_reset(1))):
        images |= raw(bench, name, code)
    pinned = {name: properties("counter", memory=4 << index, more=[f"undercroft,harts = <{min(HARTS[name])}>"])
              for index, name in enumerate(COUNTERS)}
    floating = {"flood": properties("flood"), "hole": properties("satp_hole", memory=96), "ipi": properties("smp_ipi", vcpus=3, memory=128),
                "bad": properties("failure", more=["undercroft,stopped"])}
    return tree(bench, images, pinned | floating)


def look(monitor: Monitor) -> tuple[dict[str, int], dict[str, int]]:
    """How far each counter has come, and the exits of its vCPU; nobody may be where it does not belong."""
    exits = {}
    monitor.console.send("vcpus\r")
    for name, harts in HARTS.items():
        found = monitor.console.expect(BEGIN + rf"{name} +0 \w[\w ]*? +(\d+|-) +(\d+) ")
        if found[1] != "-" and int(found[1]) not in harts:
            raise monitor.console.failure(f"{name} is on hart {found[1]}")
        exits[name] = int(found[2])
    return {name: monitor.word(name, COUNTER) for name in COUNTERS}, exits


def require_between(console: Console, what: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise console.failure(f"{what}: {value:.3f}, not from {low} to {high}")


@test(["newer"], tags=["many", "monitor", "smp"])
def pinned_and_floating(bench: Bench) -> None:
    """Two that share a hart take turns; one that has a hart is never interrupted for others, whoever computes, floods and fails."""
    bench.machine = dataclasses.replace(bench.machine, smp=4, extra=ICOUNT)
    with bench.inside(payload(bench)) as console:
        # The hart that boots has the terminal, which would take time of those who are pinned to it.
        console.expect(r"^\[uc\] hart [01]: .*\(boot\)$")
        console.expect(r"^flood\| f")
        monitor = Monitor(console)
        monitor.open()
        counts, exits = look(monitor)
        monitor.ask("start bad", r"\[uc\] bad: failed: ")
        while (now := look(monitor))[1]["left"] < exits["left"] + SLICES:
            pass
        done = {name: now[0][name] - counts[name] for name in COUNTERS}
        took = {name: now[1][name] - exits[name] for name in COUNTERS}
        # They differ by some, since a look stops neither at the end of a slice; who starves would be far out.
        require_between(console, "turns of one twin to the other's", took["left"] / took["right"], 0.5, 2)
        require_between(console, "one twin's work to that of one alone", max(done["left"], done["right"]) / done["alone"], 0, 0.9)
        # The twins have slices of 10 ms. Who is alone has none: the watchdog looks after it once a second.
        require_between(console, "exits of one alone to a twin's", took["alone"] / took["left"], 0, 0.1)
        for name in (*COUNTERS, "flood", "hole"):
            monitor.ask(f"stop {name}", rf"{name}: stopped$")
        bench.end(console, status=1)
        if "ipi| PASS smp_ipi\n" not in console.text:
            raise console.failure("the guest ipi has not passed")
