# SPDX-License-Identifier: MIT
"""Machines that lack what is needed, and settings that change how guests run."""

import dataclasses
import re

from run_qemu import Machine
from suite import Bench, guest, require_equal, test, transcript


def refuses(bench: Bench, machine: Machine, pattern: str) -> None:
    """On `machine` Undercroft must say one error, matching `pattern`, and switch off."""
    bench.machine = machine
    with bench.inside(guest("minikernel")) as console:
        console.finish()
        errors = re.findall(r"^\[uc\] error: (.*)$", console.text, re.MULTILINE)
        if len(errors) != 1 or not re.search(pattern, errors[0]):
            raise console.failure(f"not one error that matches /{pattern}/: {errors}")


@test(["rv64"], tags=["machine"])
def machine_without_mmu(bench: Bench) -> None:
    refuses(bench, dataclasses.replace(bench.machine, cpu="rv64,mmu=off"), "no paged address translation")


@test(["noh"], tags=["machine"])
def machine_with_little_memory(bench: Bench) -> None:
    refuses(bench, dataclasses.replace(bench.machine, memory="32M"), r"guest0.*256 MiB do not fit.*14 MiB")


@test(["noh", "u54"], tags=["machine"])
def nothing_replaced(bench: Bench) -> None:
    """With every privileged instruction left as it is, guests say what they say on the bare machine."""
    for name, options in (("minikernel", "repeat=2"), ("privileged_code", "quiet")):
        with bench.bare(guest(name), append=options) as console:
            bare = transcript(bench.end(console))
        with bench.inside(guest(name), append=f"undercroft.replace=off -- {options}") as console:
            require_equal(bare, transcript(bench.end(console)))
