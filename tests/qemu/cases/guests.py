# SPDX-License-Identifier: MIT
"""Our own guests: on the bare machine and inside Undercroft they say the same, line for line."""

import pathlib
import re
import struct
import time
from collections.abc import Callable

from console import LIMIT, Failure
from run_qemu import HYPERVISOR
from suite import ROOT, Bench, add_test, guest, require_equal, test, transcript

# Machines whose firmware and CPU the guests' transcripts are written against.
COMPARABLE = ("rv64", "noh", "nosstc", "u54")
# Here the bare firmware and CPU err elsewhere, or the board differs: inside, the guest must still come to its verdict.
OTHERS = ("newer", "sifive_u")


def verdict(name: str) -> str:
    """The last line of a guest that found nothing wrong."""
    return "minikernel: PASS" if name == "minikernel" else f"PASS {name}"


def same_transcript(name: str, bootargs: str = "") -> Callable[[Bench], None]:
    """A test that boots the guest `name` bare and inside; the transcripts must be equal and end well."""
    def run(bench: Bench) -> None:
        with bench.bare(guest(name), append=bootargs) as console:
            bare = transcript(bench.end(console))
        with bench.inside(guest(name), append=bootargs) as console:
            inside = transcript(bench.end(console))
        require_equal(bare, inside)
        if inside[-1] != verdict(name):
            raise Failure(f"bare and inside agree, but the last line is not '{verdict(name)}': {inside[-1]}")
    return run


def passes(name: str) -> Callable[[Bench], None]:
    """A test that boots the guest `name` inside only."""
    def run(bench: Bench) -> None:
        with bench.inside(guest(name)) as console:
            console.expect(f"^{verdict(name)}$")
            bench.shutdown(console)
    return run


TRAP = re.compile(r"async:0, cause:([0-9a-f]+), epc:(0x[0-9a-f]+)")
FAULTS = (0, 1, 2, 4, 5, 6, 7, 12, 13, 15)


def endless(name: str) -> Callable[[Bench], None]:
    """A test of a guest that can only fault for ever. QEMU's log of traps shows that the faults go on, and are the guest's."""
    def run(bench: Bench) -> None:
        log = bench.folder / "traps"
        with bench.inside(guest(name)) as console:
            console.expect(f"^BEGIN {name}$")
            console.send("\x01c")  # from the machine's console to QEMU's own
            console.expect(r"\(qemu\) ")
            console.send(f"logfile {log}\nlog int\n")
            traps = wait_for_traps(log, 20000)
            console.send("log none\nquit\n")
            bench.end(console)
            # The hypervisor's own code is at the top of the address space.
            if wrong := [epc for cause, epc in traps if cause in FAULTS and epc >> 63]:
                raise console.failure(f"the hypervisor itself faulted, at {wrong[0]:#x}")
            if sum(cause in FAULTS for cause, _ in traps) < len(traps) // 10:
                raise console.failure("the guest no longer faults")
            if "[uc] error" in console.text:
                raise console.failure("the hypervisor complains")
    return run


def wait_for_traps(log: pathlib.Path, count: int) -> list[tuple[int, int]]:
    """Waits until QEMU has logged so many synchronous traps; returns cause and pc of each."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        traps = TRAP.findall(log.read_text()) if log.exists() else []
        if len(traps) >= count:
            return [(int(cause, 16), int(epc, 16)) for cause, epc in traps]
        time.sleep(0.5)
    raise Failure(f"only {len(traps)} traps were taken within the time limit")


add_test("minikernel", same_transcript("minikernel", "repeat=3"), [*COMPARABLE, "smp4"], tags=["minikernel", "matrix"])
add_test("minikernel", passes("minikernel"), OTHERS, tags=["minikernel", "matrix"])
add_test("minikernel_sv48", same_transcript("minikernel", "mode=sv48"), ["rv64", "noh"], tags=["minikernel"])

CATALOGUE = ROOT / "guest-images" / "behaviour" / "guests.txt"
for name, kind, _ in (line.split() for line in CATALOGUE.read_text().splitlines() if not line.startswith("#")):
    if kind == "dual":
        add_test(name, same_transcript(name), COMPARABLE, tags=["behaviour", "matrix"])
        add_test(name, passes(name), OTHERS, tags=["behaviour", "matrix"])
    elif kind == "hostile":
        add_test(name, passes(name), ["noh", "rv64", "u54", *OTHERS], tags=["behaviour", "hostile"])
    elif kind == "endless":
        add_test(name, endless(name), ["noh", "u54"], tags=["behaviour", "hostile"])


@test(["noh", "nosstc"], tags=["minikernel"])
def minikernel_reboots(bench: Bench) -> None:
    """A guest's reboot restarts that guest, over and over."""
    with bench.inside(guest("minikernel"), append="then=reboot quiet") as console:
        for _ in range(20):
            console.expect(r"^minikernel: PASS$")
            console.expect(r"^\[uc\] guest0: reboot$")


# li a7, SRST; li a6, 0; li a0, cold reboot; li a1, 0; ecall
REBOOT = struct.pack("<6I", 0x535258B7, 0x3548889B, 0x00000813, 0x00100513, 0x00000593, 0x00000073)


@test(["noh", "u54"], tags=["reboot"])
def untranslated_reboots(bench: Bench) -> None:
    """A guest that never turns translation on runs on the very tables that its reboot gives up."""
    with bench.inside(bench.write("reboot.bin", REBOOT)) as console:
        for _ in range(50):
            console.expect(r"^\[uc\] guest0: reboot$")


@test(["rv64", "u54"], tags=["many"])
def two_minikernels(bench: Bench) -> None:
    """Two guests that share the hart and use all of it, f registers included, each find nothing amiss."""
    source = """/ {
        images { kernel { data = /incbin/("%s"); type = "kernel"; }; };
        configurations {
            left { kernel = "kernel"; bootargs = "repeat=4"; undercroft,memory = <0x4000000>; };
            right { kernel = "kernel"; bootargs = "repeat=4"; undercroft,memory = <0x4000000>; };
        };
    };"""
    with bench.inside(bench.fit(source % guest("minikernel"))) as console:
        text = bench.end(console)
        for name in ("left", "right"):
            if f"{name}| minikernel: PASS" not in text:
                raise console.failure(f"{name} does not pass")


@test(["rv64", "u54"], tags=["manager"])
def manage(bench: Bench) -> None:
    """A guest with the right to do so looks after another; without it, it is told that it may not."""
    source = """/ {
        images {
            manage { data = /incbin/("%s"); type = "kernel"; };
            minikernel { data = /incbin/("%s"); type = "kernel"; };
        };
        configurations {
            boss { kernel = "manage"; undercroft,memory = <0x4000000>; %s };
            worker { kernel = "minikernel"; bootargs = "quiet"; undercroft,memory = <0x4000000>; undercroft,stopped; };
        };
    };"""
    with bench.inside(bench.fit(source % (guest("manage"), guest("minikernel"), "undercroft,manager;"))) as console:
        console.expect(r"^boss\| PASS manage$")
        bench.end(console)
        if console.text.count("[uc] worker: shutdown") != 3 or console.text.count("[uc] worker: stopped") != 20:
            raise console.failure("the worker has not ended as often as it was told to")
        if console.text.count("[uc] worker: destroyed") != 20 or console.text.count("[uc] worker: created") != 20:
            raise console.failure("the worker has not come and gone as often as it was told to")
    with bench.inside(bench.fit(source % (guest("manage"), guest("minikernel"), ""))) as console:
        console.expect(r"^boss\| FAIL manage")
        bench.end(console, status=1)


# li a7, HSM; li a6, stop; ecall
STOP = struct.pack("<4I", 0x004858B7, 0x34D8889B, 0x00100813, 0x00000073)


@test(["noh"], tags=["end"])
def last_hart_stops(bench: Bench) -> None:
    """A guest without a hart that runs has ended, and not well."""
    with bench.inside(bench.write("stop.bin", STOP)) as console:
        console.expect(r"^\[uc\] guest0: failed: its last hart has stopped$")
        bench.end(console, status=1)


@test(["rv64"], tags=["recursion", "long"])
def recursion(bench: Bench) -> None:
    """Undercroft inside Undercroft, and the minikernel inside that, says what it says on the bare machine."""
    with bench.bare(guest("minikernel")) as console:
        bare = transcript(bench.end(console))
    payload = bench.fit(f"""/ {{
        images {{
            undercroft {{ data = /incbin/("{HYPERVISOR}"); type = "kernel"; }};
            minikernel {{ data = /incbin/("{guest("minikernel")}"); type = "ramdisk"; }};
        }};
        configurations {{ inner {{
            kernel = "undercroft"; ramdisk = "minikernel"; undercroft,memory = <0 0x20000000>;
        }}; }};
    }};""")
    with bench.inside(payload) as console:
        text = bench.end(console, limit=900)
    require_equal(bare, transcript(text))
    if text.count("[uc] guest0: shutdown") != 1 or "[uc] inner: shutdown" not in text:
        raise Failure("not both of the guests, inner and outer, have shut down")


def system_reset(reason: int) -> bytes:
    """A raw kernel that asks SBI to shut down with `reason` (SBI 2.0, 10.1: 0 none, 1 system failure)."""
    return struct.pack("<6I", 0x535258b7, 0x3548889B,     # li a7, "SRST"
                       0x00000813, 0x00000513,            # li a6, 0 (system_reset); li a0, 0 (shutdown)
                       reason << 20 | 0x00000593,         # li a1, reason
                       0x00000073)                        # ecall


@test(["noh", "sifive_u"], tags=["status"])
def guest_succeeds(bench: Bench) -> None:
    """A raw binary starts at the place for raw kernels; its clean shutdown is a clean one of the machine."""
    with bench.inside(bench.write("raw", system_reset(0))) as console:
        if not re.search(r"^\[uc\] guest0: shutdown$", bench.shutdown(console), re.MULTILINE):
            raise console.failure("the guest's shutdown is not told")


@test(["noh", "newer"], tags=["status"])
def guest_fails(bench: Bench) -> None:
    """A guest that reports a failure makes QEMU's exit status 1."""
    with bench.inside(bench.write("raw", system_reset(1))) as console:
        console.expect(r"^\[uc\] guest0: failed: ")
        bench.end(console, status=1)
