# SPDX-License-Identifier: MIT
"""Registry of the tests, the machines they run on, and what a test gets to work with."""

import dataclasses
import functools
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable

from console import LIMIT, Console, Failure

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import run_qemu  # noqa: E402

BUILD = run_qemu.BUILD
BASE = run_qemu.Machine(qemu=os.environ.get("QEMU") or "qemu-system-riscv64", bios=os.environ.get("BIOS") or "default")


@functools.cache
def backports() -> pathlib.Path:
    """Fetches the newer QEMU and OpenSBI of Debian's backports; returns their folder."""
    command = [ROOT / "tools" / "fetch-qemu-backports.sh"]
    return pathlib.Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def newer_qemu() -> run_qemu.Machine:
    """A `virt` without the H extension in the newer QEMU, on the newer OpenSBI."""
    return dataclasses.replace(BASE, cpu="rv64,h=false", qemu=str(backports() / "qemu-system-riscv64"),
                               bios=str(backports() / "opensbi.bin"))


# The machines by the names that tests select them by; made when a test needs them.
MACHINES: dict[str, Callable[[], run_qemu.Machine]] = {
    "rv64": lambda: dataclasses.replace(BASE, cpu="rv64"),
    "noh": lambda: dataclasses.replace(BASE, cpu="rv64,h=false"),
    "nosstc": lambda: dataclasses.replace(BASE, cpu="rv64,sstc=false"),
    "u54": lambda: dataclasses.replace(BASE, cpu="sifive-u54"),
    "smp4": lambda: dataclasses.replace(BASE, cpu="rv64,h=false", smp=4),
    "sifive_u": lambda: dataclasses.replace(BASE, name="sifive_u", smp=2),
    "newer": newer_qemu,
}
ALL = tuple(MACHINES)
# More for QEMU: one thread runs all harts in turn, by the number of instructions, so what happens once happens again.
ICOUNT = ("-icount", "shift=5,sleep=off")


@dataclasses.dataclass(frozen=True)
class Test:
    """One test on one machine."""

    name: str
    function: Callable[["Bench"], None]
    machine: str
    tags: frozenset[str]


TESTS: list[Test] = []


def add_test(name: str, function: Callable[["Bench"], None], machines: Iterable[str], tags: Iterable[str] = ()) -> None:
    """Registers `function` once for each machine."""
    for machine in machines:
        TESTS.append(Test(f"{name}[{machine}]", function, machine, frozenset(tags)))


def test(machines: Iterable[str], tags: Iterable[str] = ()) -> Callable:
    """Decorator: registers a function under its own name."""
    def register(function: Callable[["Bench"], None]) -> Callable[["Bench"], None]:
        add_test(function.__name__, function, machines, tags)
        return function
    return register


class Bench:
    """What a test works with: its machine, a folder of its own, and ways to boot."""

    def __init__(self, machine: str, folder: pathlib.Path) -> None:
        self.machine = MACHINES[machine]()
        self.folder = folder

    @property
    def powers_off(self) -> bool:
        """Whether firmware can switch the machine off; QEMU's sifive_u has no device for it."""
        return self.machine.name != "sifive_u"

    def inside(self, payload: pathlib.Path | None, append: str = "") -> Console:
        """Boots Undercroft with `payload`."""
        return Console(self.machine.command(run_qemu.HYPERVISOR, payload, append))

    def bare(self, kernel: pathlib.Path, initrd: pathlib.Path | None = None, append: str = "") -> Console:
        """Boots `kernel` on the machine itself."""
        return Console(self.machine.command(kernel, initrd, append))

    def end(self, console: Console, status: int = 0, limit: float = LIMIT) -> str:
        """Waits for the machine to switch off with `status`; returns all of its output."""
        actual = console.finish(limit)
        if actual != status:
            raise console.failure(f"QEMU's exit status is {actual}, not {status}")
        return console.text

    def shutdown(self, console: Console, status: int = 0, limit: float = LIMIT) -> str:
        """Waits until every guest has shut down and the machine is off, as far as it can be switched off."""
        if self.powers_off:
            return self.end(console, status, limit)
        console.expect(r"^\[uc\] \w+: (shutdown|failed: .*)$", limit)
        return console.text

    def write(self, name: str, data: bytes) -> pathlib.Path:
        """Makes a file in the test's folder."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def fit(self, source: str) -> pathlib.Path:
        """Compiles the source of a FIT."""
        path = self.folder / "payload.its"
        path.write_text("/dts-v1/;\n" + source)
        image = path.with_suffix(".itb")
        subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", str(image), str(path)], check=True)
        return image


def transcript(text: str) -> list[str]:
    """The guest's own lines: without the firmware's banner, the hypervisor's lines, and those that tell of the machine."""
    banner = list(re.finditer(r"^Boot HART MEDELEG\s*: .*\n", text, re.MULTILINE))
    lines = (text[banner[0].end():] if banner else text).splitlines()
    kept = [line.rstrip() for line in lines if not line.startswith(("[uc] ", "machine: "))]
    return [line for line in kept if line]


def require_equal(bare: list[str], inside: list[str]) -> None:
    """Fails with the first line in which two transcripts differ."""
    if not bare:
        raise Failure("the bare machine printed nothing")
    for number in range(max(len(bare), len(inside))):
        ours = inside[number] if number < len(inside) else "(nothing)"
        theirs = bare[number] if number < len(bare) else "(nothing)"
        if ours != theirs:
            before = "".join(f"\n    | {line}" for line in bare[max(0, number - 5):number])
            raise Failure(f"line {number + 1} of the transcript differs:\n  bare:   {theirs}\n  inside: {ours}\n  after:{before}")


_linux_lock = threading.Lock()


@functools.cache
def _build_linux(bootargs: str, vcpus: int) -> dict[str, pathlib.Path]:
    folder = BUILD / "tests" / re.sub(r"\W+", "-", f"{bootargs} {vcpus}")
    return run_qemu.build_linux(folder, bootargs, "--vcpus", str(vcpus))


def linux(*bootargs: str, vcpus: int = 1) -> dict[str, pathlib.Path]:
    """The Linux guest with more boot arguments: its kernel, initramfs and itb."""
    with _linux_lock:
        return _build_linux(" ".join((run_qemu.LINUX_BOOTARGS, *bootargs)), vcpus)


def guest(name: str) -> pathlib.Path:
    """The path of one of our own guests."""
    found = sorted(BUILD.glob(f"guest-images/*/{name}.elf"))
    if not found:
        raise Failure(f"the guest {name} has not been built")
    return found[0]


def run_one(entry: Test) -> str:
    """Runs one test; returns why it failed, or nothing."""
    try:
        with tempfile.TemporaryDirectory(prefix="undercroft-") as folder:
            entry.function(Bench(entry.machine, pathlib.Path(folder)))
    except Failure as failure:
        return str(failure)
    except Exception as error:  # a broken test must fail as itself and let the others run
        return f"{type(error).__name__}: {error}"
    return ""
