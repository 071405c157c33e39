# SPDX-License-Identifier: MIT
"""Linux with several vCPUs on fewer, as many, and more harts."""

import dataclasses
import re
from collections.abc import Callable

from cases.linux import PROMPT
from console import Console
from suite import Bench, add_test, linux

# What a kernel says when a CPU was kept from running, or lost an interrupt.
STALLS = r"rcu.*(stall|starved)|soft lockup|hard LOCKUP|blocked for more than|Watchdog|WARNING|BUG|Oops|failed to come online"


def require_no_stall(console: Console) -> None:
    """Fails if the kernel's log tells of one."""
    if found := re.search(f"^.*({STALLS}).*$", console.text, re.MULTILINE):
        raise console.failure(f"the kernel complains: {found[0]}")


def smp(vcpus: int, harts: int | None = None) -> Callable[[Bench], None]:
    """A test of all CPUs of a guest on so many harts (those of the machine): they tick, go offline and come back, and the workload uses them."""
    def run(bench: Bench) -> None:
        bench.machine = dataclasses.replace(bench.machine, smp=harts or bench.machine.smp)
        with bench.inside(linux(vcpus=vcpus)["itb"]) as console:
            console.expect(rf"smp: Brought up 1 node, {vcpus} CPUs$")
            console.expect(PROMPT)
            console.send("/tests/cpus\n")
            console.expect(rf"^CPUS OK {vcpus}$")
            console.expect(PROMPT)
            console.send("/tests/workload\n")
            console.expect(r"^WORKLOAD OK$", limit=900)
            console.expect(PROMPT)
            console.send("poweroff\n")
            bench.end(console)
            require_no_stall(console)
    return run


add_test("linux_2_vcpus", smp(2), ["noh", "u54"], tags=["linux", "smp", "long"])
add_test("linux_4_vcpus", smp(4), ["noh"], tags=["linux", "smp", "long"])
for _vcpus, _harts in ((2, 4), (8, 1), (8, 4), (8, 8)):
    add_test(f"linux_{_vcpus}_on_{_harts}", smp(_vcpus, _harts), ["noh"], tags=["linux", "smp", "stress"])
