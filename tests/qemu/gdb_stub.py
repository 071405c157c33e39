# SPDX-License-Identifier: MIT
"""QEMU's debugger port, for what no guest and no firmware can be asked for: stop a hart at an address, change its registers.

The protocol is that of "Debugging with GDB", appendix E; the numbers of the registers are those of QEMU's description of the machine."""

import pathlib
import re
import socket
import subprocess

from console import LIMIT

PC = 32


def address_of(elf: pathlib.Path, symbol: str) -> int:
    """The address at which `elf` was linked to have `symbol`."""
    lines = subprocess.run(["riscv64-linux-gnu-nm", str(elf)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return int(re.search(rf"^(\w+) \w {re.escape(symbol)}$", lines, re.MULTILINE)[1], 16)


class GdbStub:
    """A machine started with `arguments` stands still until this has connected, and goes on by itself when this is closed."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._path = folder / "gdb"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(LIMIT)
        self._socket.bind(str(self._path))
        self._socket.listen()

    @property
    def arguments(self) -> tuple[str, ...]:
        """What QEMU has to be told."""
        return ("-chardev", f"socket,id=gdb,path={self._path}", "-gdb", "chardev:gdb", "-S")

    def __enter__(self) -> "GdbStub":
        listener = self._socket
        self._socket = listener.accept()[0]
        self._socket.settimeout(LIMIT)
        listener.close()
        # Before its description has been asked for, QEMU knows no single registers.
        self._ask("qXfer:features:read:target.xml:0,fff")
        return self

    def __exit__(self, error: type | None, *_: object) -> None:
        try:
            if error is None:
                self._ask("D")
        finally:
            self._socket.close()

    def run_to(self, address: int) -> None:
        """Lets all harts run until one is about to execute what is at `address`; the registers are then that one's."""
        self._ask(f"Z1,{address:x},4")
        stop = self._ask("c")
        thread = re.match(r"T05thread:([\w.]+);", stop)
        if not thread:
            raise RuntimeError(f"no hart came to {address:#x}: {stop}")
        self._ask(f"z1,{address:x},4")
        self._ask(f"Hg{thread[1]}")

    def read(self, register: int) -> int:
        """The value of x0 to x31, or of the pc."""
        return int.from_bytes(bytes.fromhex(self._ask(f"p{register:x}")), "little")

    def write(self, register: int, value: int) -> None:
        """Sets x1 to x31, or the pc."""
        self._ask(f"P{register:x}={value.to_bytes(8, 'little').hex()}")

    def _ask(self, request: str) -> str:
        self._socket.sendall(f"${request}#{sum(request.encode()) & 0xff:02x}".encode())
        received = b""
        while not (answer := re.search(rb"\$([^#]*)#..", received)):
            data = self._socket.recv(4096)
            if not data:
                raise RuntimeError(f"QEMU left without an answer to {request}")
            received += data
        self._socket.sendall(b"+")
        text = answer[1].decode()
        if not text or text.startswith("E"):
            raise RuntimeError(f"QEMU refuses {request}: {text or 'unknown to it'}")
        return text
