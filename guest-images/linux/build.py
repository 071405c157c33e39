#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes Linux guests: an initramfs of busybox and root/, and a FIT of it and Debian's kernel. Equal input gives equal bytes."""

import argparse
import os
import pathlib
import stat
import string
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FETCH = HERE.parents[1] / "tools" / "fetch-linux.sh"
BOOTARGS = "console=ttyS0"


class Cpio:
    """Writer of a "newc" archive, the format the kernel unpacks as its initramfs."""

    def __init__(self) -> None:
        self.blob = bytearray()
        self.inode = 0

    def add(self, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        """Appends one entry, owned by root and dated 1970; `data` is a file's content or a link's target."""
        self.inode += 1
        path = name.encode() + b"\0"
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0]
        self.blob += b"070701" + b"".join(b"%08X" % field for field in fields) + path
        self._pad()
        self.blob += data
        self._pad()

    def finish(self) -> bytes:
        """Returns the archive, ended."""
        self.add("TRAILER!!!", 0)
        return bytes(self.blob)

    def _pad(self) -> None:
        self.blob += bytes(-len(self.blob) % 4)


def make_initramfs(busybox: bytes, extra: dict[str, pathlib.Path]) -> bytes:
    """Returns an initramfs of busybox, the files under root/ and `extra` (place in the guest: file here)."""
    files = {path.relative_to(HERE / "root").as_posix(): path for path in (HERE / "root").rglob("*") if path.is_file()}
    files |= extra
    folders = {"bin", "dev"} | {parent.as_posix() for name in files for parent in pathlib.PurePath(name).parents}
    cpio = Cpio()
    for name in sorted(folders - {"."}):
        cpio.add(name, stat.S_IFDIR | 0o755)
    # The kernel opens it for the first process before anything is mounted.
    cpio.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    cpio.add("bin/busybox", stat.S_IFREG | 0o755, busybox)
    cpio.add("bin/sh", stat.S_IFLNK | 0o777, b"busybox")
    for name, path in sorted(files.items()):
        executable = path.stat().st_mode & stat.S_IXUSR
        cpio.add(name, stat.S_IFREG | (0o755 if executable else 0o644), path.read_bytes())
    return cpio.finish()


def write_atomically(path: pathlib.Path, data: bytes) -> None:
    """Replaces `path` whole; left alone when it holds `data` already, so that its date tells of a change."""
    if path.exists() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def build(out: pathlib.Path, bootargs: str = BOOTARGS, memory: int = 512 << 20, vcpus: int = 1,
          extra: dict[str, pathlib.Path] | None = None, tree: str = "linux") -> dict[str, pathlib.Path]:
    """Makes the guests of the FIT source `tree` in the folder `out`. `memory`, of each, is in bytes.

    Returns the paths of its "kernel", "initramfs" and "itb"; the first two boot on the bare machine.
    """
    parts = pathlib.Path(subprocess.run([FETCH], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
    initramfs = out / "initramfs.cpio"
    write_atomically(initramfs, make_initramfs((parts / "busybox").read_bytes(), extra or {}))
    source = string.Template((HERE / f"{tree}.its").read_text()).substitute(
        version=(parts / "version").read_text().strip(), kernel=parts / "Image", initramfs=initramfs.resolve(),
        bootargs=bootargs.replace("\\", r"\\").replace('"', r"\""), memory=f"{memory >> 32:#x} {memory & 0xffffffff:#x}",
        vcpus=vcpus)
    itb = out / f"{tree}.itb"
    image = subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb"], check=True, input=source.encode(),
                           stdout=subprocess.PIPE).stdout
    write_atomically(itb, image)
    return {"kernel": parts / "Image", "initramfs": initramfs, "itb": itb}


def parse_extra(text: str) -> tuple[str, pathlib.Path]:
    """Reads one FILE=PLACE of the command line."""
    source, _, place = text.partition("=")
    return place.lstrip("/"), pathlib.Path(source)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path, help="folder for initramfs.cpio and the image tree")
    parser.add_argument("--bootargs", default=BOOTARGS)
    parser.add_argument("--memory", type=lambda text: int(text) << 20, default=512 << 20, help="in MiB", metavar="MIB")
    parser.add_argument("--vcpus", type=int, default=1)
    parser.add_argument("--add", type=parse_extra, action="append", default=[], metavar="FILE=PLACE",
                        help="puts another file into the guest")
    parser.add_argument("--tree", choices=sorted(path.stem for path in HERE.glob("*.its")), default="linux",
                        help="which guests: a FIT source here")
    args = parser.parse_args()
    try:
        parts = build(args.out, args.bootargs, args.memory, args.vcpus, dict(args.add), args.tree)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # the tool has said why
    for name, path in parts.items():
        print(f"{name} {path}")


if __name__ == "__main__":
    main()
