# SPDX-License-Identifier: MIT
"""Talks to Undercroft's monitor, and builds payloads of several guests for it to look after."""

import pathlib
import struct
from collections.abc import Iterable

from console import Console
from suite import Bench

KEY = "\x1d"  # Ctrl-]
# Where a line begins, also one that was printed in place of the prompt and what was typed there.
BEGIN = r"^(?:uc> .*?\x1b\[K)?(?:\x1b\[K)*"


class Monitor:
    """The prompt on a machine's console."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def open(self) -> None:
        """Opens the prompt."""
        self.console.send(KEY)
        self.console.expect("uc> ")

    def ask(self, command: str, *answers: str) -> None:
        """Types `command`; lines that match `answers` must follow in this order. Without any, nothing is waited for."""
        self.console.send(command + "\r")
        for answer in answers:
            self.console.expect(BEGIN + answer)

    def attach(self, guest: str) -> None:
        """Gives the terminal to `guest`, from the open prompt."""
        self.ask(f"console {guest}", f"{guest} has the terminal; Ctrl-\\] returns here$")

    def word(self, guest: str, address: int) -> int:
        """The 64 bits at a guest-physical address."""
        self.console.send(f"mem {guest} {address:#x} 8\r")
        digits = self.console.expect(BEGIN + rf"{address:#x} +((?:[0-9a-f]{{2}} +){{8}})")[1]
        return int.from_bytes(bytes.fromhex(digits), "little")


def tree(bench: Bench, images: dict[str, tuple[str, pathlib.Path]], guests: dict[str, str]) -> pathlib.Path:
    """An image tree of `images` (name: type and file) and `guests` (name: properties)."""
    nodes = "\n".join(f'{name} {{ type = "{kind}"; data = /incbin/("{path.resolve()}"); }};'
                      for name, (kind, path) in images.items())
    configurations = "\n".join(f"{name} {{ {properties} }};" for name, properties in guests.items())
    return bench.fit(f"/ {{ #address-cells = <1>; images {{ {nodes} }}; configurations {{ {configurations} }}; }};")


def properties(kernel: str, bootargs: str = "", ramdisk: str = "", vcpus: int = 1, memory: int = 64,
               more: Iterable[str] = ()) -> str:
    """The properties of one guest; `memory` in MiB."""
    lines = [f'kernel = "{kernel}";', f"undercroft,vcpus = <{vcpus}>;", f"undercroft,memory = <{memory << 20:#x}>;"]
    lines += [f'bootargs = "{bootargs}";'] if bootargs else []
    lines += [f'ramdisk = "{ramdisk}";'] if ramdisk else []
    return " ".join([*lines, *(f"{line};" for line in more)])


def linux_properties(bootargs: str = "", vcpus: int = 1) -> str:
    """A Linux guest of the images `linux` and `root`."""
    return properties("linux", f"console=ttyS0 {bootargs}".strip(), "root", vcpus, memory=512)


# Counts in the doubleword at COUNTER, for ever.
COUNTER_CODE = struct.pack("<4I", 0x00000317,   # auipc t1, 0
                           0x00128293,          # again: addi t0, t0, 1
                           0x10533023,          # sd t0, 0x100(t1)
                           0xFF9FF06F)          # j again
COUNTER = 0x80200100

# Writes lines of "flood" to its serial port as fast as it can, whether there is room or not.
FLOOD_CODE = struct.pack("<I", 0x10000337)                                         # lui t1, 0x10000
for _char in b"flood\r\n":
    FLOOD_CODE += struct.pack("<2I", _char << 20 | 0x00000293, 0x00530023)         # again: li t0, char; sb t0, 0(t1)
FLOOD_CODE += struct.pack("<I", 0xFC9FF06F)                                        # j again
