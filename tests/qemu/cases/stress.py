# SPDX-License-Identifier: MIT
"""Long runs, tagged `stress`: Linux guests at work for STRESS_MINUTES (10) each, alone, beside guests that come and go, and with CPUs that do.

What the workload root/tests/stress prints in each round is computed here as well. All that is random follows from STRESS_SEED (1).
"""

import dataclasses
import functools
import hashlib
import os
import random
import re
from collections.abc import Callable

from cases.guests_many import linux_images, memory
from cases.linux_smp import require_no_stall
from console import Console
from monitor import BEGIN, Monitor, linux_properties, properties, tree
from suite import Bench, add_test, guest, test

SECONDS = int(float(os.environ.get("STRESS_MINUTES") or 10) * 60)
SEED = int(os.environ.get("STRESS_SEED") or 1)
LIMIT = 4 * SECONDS + 600.0  # guests' time is not slower than ours, but the machine's start may be


@functools.cache
def stress_sum(number: int) -> str:
    """What a round of root/tests/stress prints."""
    def of(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()[:16] + "\n"

    def job(first: int) -> str:
        return of("".join(line + "\n" for line in sorted(str(n)[::-1] for n in range(first, first + 401))))
    return of("".join(job(number * 100 + index * 7) for index in range(6))).strip()


def worker(name: str, more: str = "", seconds: int = SECONDS) -> str:
    """The properties of a Linux guest of two vCPUs that works so long and powers off."""
    return linux_properties(f"uc.hostname={name} uc.run=stress uc.seconds={seconds} {more}".strip(), vcpus=2)


def require_right(console: Console, *names: str) -> None:
    """Fails unless each of the guests `names` has come to its end, with every sum right and no complaint of its kernel."""
    for name in names:
        sums = re.findall(BEGIN + rf"{name}\| STRESS (\d+) (\w+)$", console.text, re.MULTILINE)
        end = re.search(BEGIN + rf"{name}\| STRESS END (\d+)$", console.text, re.MULTILINE)
        if not end or int(end[1]) != len(sums) or not sums:
            raise console.failure(f"{name} told of {len(sums)} rounds, and in the end of {end and end[1]}")
        for number, text in sums:
            if text != stress_sum(int(number)):
                raise console.failure(f"round {number} of {name} came to {text}, not {stress_sum(int(number))}")
        print(f"  {name}: {len(sums)} rounds")
    if found := re.search(r"^.*(STRESS FAIL|UNEXPECTED|\[uc\] error).*$", console.text, re.MULTILINE):
        raise console.failure(found[0])
    require_no_stall(console)


def on(bench: Bench, harts: int) -> None:
    bench.machine = dataclasses.replace(bench.machine, smp=harts, memory="3G")


def two_at_work(harts: int, more: str = "") -> Callable[[Bench], None]:
    """A test of two Linux guests of two vCPUs each on so many harts."""
    def run(bench: Bench) -> None:
        on(bench, harts)
        payload = tree(bench, linux_images(), {name: worker(name, more) for name in ("west", "east")})
        with bench.inside(payload) as console:
            bench.end(console, limit=LIMIT)
            require_right(console, "west", "east")
    return run


@test(["noh"], tags=["stress", "linux"])
def stress_resets_linux(bench: Bench) -> None:
    """A Linux guest is reset 50 times, at any moment of its boot and work, beside one that works undisturbed; the memory is as it was."""
    on(bench, 2)
    chance = random.Random(SEED)
    payload = tree(bench, linux_images(), {"worker": worker("worker"), "victim": worker("victim", seconds=1_000_000)})
    with bench.inside(payload) as console:
        console.expect(r"^worker\| STRESS 0 ")
        monitor = Monitor(console)
        monitor.open()
        before = memory(monitor, "victim")[:3]
        for number in range(50):
            monitor.ask("reset victim", r"victim: reset$", r"\[uc\] victim: reboot$")
            if number % 10 == 9:
                console.expect(BEGIN + rf"victim\| STRESS {chance.randrange(2)} ")
            else:
                for _ in range(chance.randrange(150)):
                    console.expect(BEGIN + r"victim\| ")
        # The copies of code are as many as places that Linux has executed so far; all else is as it was.
        if (after := memory(monitor, "victim")[:3]) != before:
            raise console.failure(f"before the resets memory was {before}, now it is {after}")
        monitor.ask("stop victim", r"victim: stopped$")
        bench.end(console, limit=LIMIT)
        require_right(console, "worker")


# What may be done to a guest in the states that `guests` tells.
ACTIONS = {"running": ("pause", "stop", "reset"), "paused": ("resume", "stop", "reset"),
           "stopped": ("start",), "shut down": ("start",), "created": ("start",)}


def disturb(monitor: Monitor, name: str, chance: random.Random) -> None:
    """Does something to the guest, whatever it is doing; it may have ended by itself meanwhile, which the monitor then says."""
    monitor.console.send("guests\r")
    state = monitor.console.expect(BEGIN + rf".* {name} +({'|'.join(ACTIONS)}|failed|starting|rebooting) ")[1]
    if state == "failed":
        raise monitor.console.failure(f"{name} has failed")
    if state in ACTIONS:
        monitor.ask(f"{chance.choice(ACTIONS[state])} {name}", rf"{name}: \w+")
    for _ in range(chance.randrange(8)):
        monitor.ask("vcpus", rf"{name} +0 ")


@test(["noh"], tags=["stress", "linux"])
def stress_lifecycle(bench: Bench) -> None:
    """Guests whose harts interrupt and fence each other are paused, stopped, started and reset at random, beside a Linux that works."""
    on(bench, 2)
    chance = random.Random(SEED)
    victims = {"smp_ipi": 4, "smp_rfence": 3, "smp_atomics": 2, "smp_hsm": 3}
    images = {name: ("kernel", guest(name)) for name in victims}
    # The victims' memory holds the 64 MiB of their runtime's pages, too.
    payload = tree(bench, linux_images() | images, {
        "worker": worker("worker"), **{name: properties(name, vcpus=vcpus, memory=128) for name, vcpus in victims.items()}})
    with bench.inside(payload) as console:
        console.expect(r"^worker\| STRESS 0 ")
        monitor = Monitor(console)
        monitor.open()
        actions = 0
        while "worker| STRESS END " not in console.text:
            disturb(monitor, chance.choice(list(victims)), chance)
            actions += 1
        print(f"  {actions} actions")
        monitor.ask("quit", r"not ended yet")
        monitor.ask("quit")
        console.finish()
        require_right(console, "worker")


for _harts in (1, 2, 4):
    add_test(f"stress_two_linux_{_harts}", two_at_work(_harts), ["noh"], tags=["stress", "linux"])
add_test("stress_hotplug", two_at_work(2, "uc.hotplug"), ["noh"], tags=["stress", "linux"])
