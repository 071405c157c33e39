# SPDX-License-Identifier: MIT
"""A Linux guest looks after another from its shell."""

from collections.abc import Iterable

from console import Console
from monitor import COUNTER_CODE, properties, tree
from suite import Bench, linux, test


def boss_and_worker(bench: Bench, more: Iterable[str]) -> Console:
    """Boots "boss", Linux with the properties `more` that runs /tests/manage, and "worker", which is not started."""
    parts = linux("uc.run=manage")
    images = {"linux": ("kernel", parts["kernel"]), "root": ("ramdisk", parts["initramfs"]),
              "counter": ("kernel", bench.write("counter.bin", COUNTER_CODE))}
    return bench.inside(tree(bench, images, {
        "boss": properties("linux", "console=ttyS0 uc.run=manage", "root", vcpus=2, memory=512, more=more),
        "worker": properties("counter", more=["undercroft,stopped"])}))


@test(["noh", "smp4"], tags=["linux", "manager"])
def linux_manager(bench: Bench) -> None:
    """`ucctl` lists, starts, pauses, resumes, resets, stops, destroys and creates the worker, and the hypervisor says so."""
    with boss_and_worker(bench, ["undercroft,manager"]) as console:
        console.expect(r"^boss\| MANAGE OK$", limit=900)
        bench.end(console)
        for line, times in (("worker: reboot", 1), ("worker: stopped", 3), ("worker: destroyed", 1),
                            ("worker: created", 1), ("boss: shutdown", 1)):
            if console.text.count(f"[uc] {line}\n") != times:
                raise console.failure(f"'{line}' was not told {times} times")


@test(["noh"], tags=["linux", "manager"])
def linux_no_manager(bench: Bench) -> None:
    """Without the right there is neither a device nor a way to use it."""
    with boss_and_worker(bench, []) as console:
        console.expect(r"^boss\| ucctl: this guest may not look after others: its device tree has no management device")
        console.expect(r"^boss\| MANAGE NONE$")
        bench.end(console)
