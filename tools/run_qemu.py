#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Starts Undercroft in QEMU with a guest: what `make qemu` runs. Settings come from the environment:

GUEST      linux (default), two-linux (two of them, of two vCPUs each), the name of one of our own guests (minikernel, ...), or a file: .its, .itb, Image, ELF, raw
SMP, MEM   harts and memory of the host machine (1, 2G)        CPU, MACHINE  its processor and board (rv64, virt)
BIOS, QEMU firmware and emulator (default, qemu-system-riscv64)   QEMU_ARGS  more arguments for QEMU
APPEND     "HYPERVISOR OPTIONS -- GUEST BOOTARGS", or bootargs alone     DEBUG  1: wait for gdb on port 1234
"""

import dataclasses
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))
HYPERVISOR = BUILD / "undercroft.elf"
LINUX_BUILDER = ROOT / "guest-images" / "linux" / "build.py"
UCCTL = BUILD / "guest-images" / "linux" / "ucctl"
LINUX_BOOTARGS = "console=ttyS0"
# Linux guests by GUEST, and what their builder is told.
LINUX_TREES = {"linux": (), "two-linux": ("--tree", "two-linux", "--vcpus", "2")}


@dataclasses.dataclass(frozen=True)
class Machine:
    """A host machine as QEMU models it."""

    name: str = "virt"
    cpu: str = ""
    smp: int = 1
    memory: str = "2G"
    bios: str = "default"
    qemu: str = "qemu-system-riscv64"
    extra: tuple[str, ...] = ()

    def command(self, kernel: pathlib.Path, initrd: pathlib.Path | None = None, append: str = "") -> list[str]:
        """Returns the argument vector that boots `kernel` in S-mode on this machine's firmware."""
        command = [self.qemu, "-M", self.name, "-smp", str(self.smp), "-m", self.memory, "-nographic", "-bios", self.bios,
                   "-kernel", str(kernel)]
        if self.cpu:
            command += ["-cpu", self.cpu]
        if initrd:
            command += ["-initrd", str(initrd)]
        if append:
            command += ["-append", append]
        return command + list(self.extra)

    @classmethod
    def from_environment(cls) -> "Machine":
        """Reads SMP, MEM, CPU, MACHINE, BIOS, QEMU, QEMU_ARGS and DEBUG; an empty variable counts as absent."""
        def setting(name: str, default: str) -> str:
            return os.environ.get(name) or default

        name = setting("MACHINE", "virt")
        extra = shlex.split(setting("QEMU_ARGS", ""))
        if setting("DEBUG", "0") != "0":
            extra += ["-s", "-S"]
        # The boards of the sifive_u family have a monitor core without S-mode as hart 0.
        return cls(name, setting("CPU", ""), int(setting("SMP", "2" if name == "sifive_u" else "1")), setting("MEM", "2G"),
                   setting("BIOS", "default"), setting("QEMU", "qemu-system-riscv64"), tuple(extra))


def build_linux(out: pathlib.Path, bootargs: str = LINUX_BOOTARGS, *options: str) -> dict[str, pathlib.Path]:
    """Makes Linux guests with ucctl in the folder `out`, as the builder's `options` say; returns the paths of its kernel, initramfs and itb."""
    command = [str(LINUX_BUILDER), str(out), "--bootargs", bootargs, "--add", f"{UCCTL}=usr/bin/ucctl", *options]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return {name: pathlib.Path(path) for name, path in (line.split(" ", 1) for line in lines)}


def compile_its(source: pathlib.Path) -> pathlib.Path:
    """Compiles a FIT source with dtc; returns the image's path in the build folder."""
    image = BUILD / source.with_suffix(".itb").name
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", str(image), str(source)], check=True)
    return image


def payload(guest: str, append: str) -> tuple[pathlib.Path, str]:
    """Returns the file to pass as -initrd for `guest`, and what remains of `append` for -append."""
    if guest in LINUX_TREES:
        before, separator, after = f" {append} ".partition(" -- ")
        options, bootargs = (before, after) if separator else ("", before)
        return build_linux(BUILD, f"{LINUX_BOOTARGS} {bootargs}".strip(), *LINUX_TREES[guest])["itb"], options.strip()
    own = sorted(BUILD.glob(f"guest-images/*/{guest}.elf"))
    file = own[0] if own else pathlib.Path(guest)
    if not file.is_file():
        sys.exit(f"run_qemu: GUEST={guest}: neither a guest of ours nor a file")
    return (compile_its(file) if file.suffix == ".its" else file), append


def main() -> None:
    try:
        initrd, append = payload(os.environ.get("GUEST") or "linux", os.environ.get("APPEND", ""))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    command = Machine.from_environment().command(HYPERVISOR, initrd, append)
    print(shlex.join(command), file=sys.stderr)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"run_qemu: {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
