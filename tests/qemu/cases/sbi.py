# SPDX-License-Identifier: MIT
"""SBI extensions that take two harts to be seen."""

from cases.guests import verdict
from console import Failure
from suite import Bench, guest, require_equal, test, transcript

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
def hsm_suspend(bench: Bench) -> None:
    """A suspended vCPU is reported as such and wakes each time."""
    run_pair(bench, "hsm_suspend")


@test(["smp4"], tags=["behaviour", "sbi"])
def hsm_suspend_as_bare(bench: Bench) -> None:
    """And so it is on the bare machine."""
    with bench.bare(guest("hsm_suspend")) as console:
        bare = transcript(bench.end(console))
    require_equal(bare, run_pair(bench, "hsm_suspend"))
