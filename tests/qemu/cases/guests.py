# SPDX-License-Identifier: MIT
"""Our own guests: on the bare machine and inside Undercroft they say the same, line for line."""

import struct
from collections.abc import Callable

from console import Failure
from run_qemu import HYPERVISOR
from suite import ROOT, Bench, add_test, guest, require_equal, test, transcript

VIRTS = ("rv64", "noh", "nosstc", "u54", "smp4", "newer")


def same_transcript(name: str, verdict: str, bootargs: str = "") -> Callable[[Bench], None]:
    """A test that boots the guest `name` bare and inside; both must print the line `verdict` and be equal."""
    def run(bench: Bench) -> None:
        with bench.bare(guest(name), append=bootargs) as console:
            bare = transcript(bench.end(console))
        with bench.inside(guest(name), append=bootargs) as console:
            inside = transcript(bench.end(console))
        require_equal(bare, inside)
        if verdict not in inside:
            raise Failure(f"bare and inside agree, but neither says '{verdict}'")
    return run


add_test("minikernel", same_transcript("minikernel", "minikernel: PASS", "repeat=3"), VIRTS, tags=["minikernel", "matrix"])
add_test("minikernel_sv48", same_transcript("minikernel", "minikernel: PASS", "mode=sv48"), ["rv64", "noh", "newer"],
         tags=["minikernel"])
for source in sorted((ROOT / "guest-images" / "behaviour").glob("*.cpp")):
    add_test(f"behaviour_{source.stem}", same_transcript(source.stem, f"PASS {source.stem}"), VIRTS, tags=["behaviour", "matrix"])


@test(["sifive_u"], tags=["minikernel", "matrix"])
def minikernel_inside(bench: Bench) -> None:
    """Where the bare minikernel cannot drive the board's own devices, it still passes inside."""
    with bench.inside(guest("minikernel")) as console:
        console.expect(r"^minikernel: PASS$")
        bench.shutdown(console)


@test(["noh", "nosstc"], tags=["minikernel"])
def minikernel_reboots(bench: Bench) -> None:
    """A guest's reboot restarts that guest, over and over."""
    with bench.inside(guest("minikernel"), append="then=reboot quiet") as console:
        for _ in range(20):
            console.expect(r"^minikernel: PASS$")
            console.expect(r"^\[uc\] guest0: reboot$")


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
    return struct.pack("<6I", 0x535258b7, 0x35488893,     # li a7, "SRST"
                       0x00000813, 0x00000513,            # li a6, 0 (system_reset); li a0, 0 (shutdown)
                       reason << 20 | 0x00000593,         # li a1, reason
                       0x00000073)                        # ecall


@test(["noh", "sifive_u"], tags=["status"])
def guest_succeeds(bench: Bench) -> None:
    """A raw binary starts at the place for raw kernels; its clean shutdown is a clean one of the machine."""
    with bench.inside(bench.write("raw", system_reset(0))) as console:
        bench.shutdown(console)
        if "[uc] guest0: shutdown\n" not in console.text:
            raise console.failure("the guest's shutdown is not told")


@test(["noh", "newer"], tags=["status"])
def guest_fails(bench: Bench) -> None:
    """A guest that reports a failure makes QEMU's exit status 1."""
    with bench.inside(bench.write("raw", system_reset(1))) as console:
        console.expect(r"^\[uc\] guest0: failed: ")
        bench.end(console, status=1)
