# SPDX-License-Identifier: MIT
"""Our own guests on several harts and vCPUs: fewer, as many, and more of them than the machine has harts."""

import dataclasses
from collections.abc import Callable

from cases.guests import CATALOGUE, verdict
from console import Failure
from suite import ICOUNT, Bench, add_test, guest, require_equal, transcript

GUESTS = [name for name, kind, _ in (line.split() for line in CATALOGUE.read_text().splitlines() if not line.startswith("#"))
          if kind == "smp"]


def run(bench: Bench, name: str, vcpus: int) -> list[str]:
    """Boots the guest `name` inside with so many vCPUs; returns its transcript, which must end well."""
    with bench.inside(guest(name), append=f"vcpus={vcpus} -- ") as console:
        lines = transcript(bench.end(console))
        harts = bench.machine.smp
        if harts > 1 and f"[uc] {harts} of {harts} harts run guests\n" not in console.text:
            raise console.failure("not all harts are used")
    if lines[-1] != verdict(name):
        raise Failure(f"the last line is not '{verdict(name)}':\n" + "\n".join(f"    | {line}" for line in lines[-30:]))
    return lines


def passes(name: str, harts: int, vcpus: int, extra: tuple[str, ...] = ()) -> Callable[[Bench], None]:
    """A test of `name` with so many vCPUs on so many harts."""
    def body(bench: Bench) -> None:
        bench.machine = dataclasses.replace(bench.machine, smp=harts, extra=extra)
        run(bench, name, vcpus)
    return body


def same_transcript(name: str, harts: int) -> Callable[[Bench], None]:
    """A test that boots `name` on the bare machine and inside, with as many vCPUs: the transcripts are equal."""
    def body(bench: Bench) -> None:
        bench.machine = dataclasses.replace(bench.machine, smp=harts)
        with bench.bare(guest(name)) as console:
            bare = transcript(bench.end(console))
        require_equal(bare, run(bench, name, harts))
    return body


for _name in GUESTS:
    add_test(_name, same_transcript(_name, 2), ["noh"], tags=["behaviour", "smp"])
    add_test(f"{_name}_4_on_1", passes(_name, 1, 4), ["noh"], tags=["behaviour", "smp"])
    add_test(f"{_name}_4_on_2", passes(_name, 2, 4), ["u54"], tags=["behaviour", "smp"])
    add_test(f"{_name}_icount", passes(_name, 2, 3, ICOUNT), ["newer"], tags=["behaviour", "smp"])
    add_test(f"{_name}_bare_4_stress", same_transcript(_name, 4), ["noh", "u54"], tags=["behaviour", "smp", "stress"])
    for _harts in (1, 2, 4, 8):
        for _vcpus in (1, 2, 4, 8):
            add_test(f"{_name}_{_vcpus}_on_{_harts}_stress", passes(_name, _harts, _vcpus), ["noh", "nosstc"],
                     tags=["behaviour", "smp", "stress"])
