#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tries the README's commands as a newcomer would: in a fresh Debian 12 (a debootstrap chroot, from this machine's own mirror) with a
clone of what is committed and nothing else. Needs root and the network. With --test it runs `make test` too."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "qemu"))
sys.dont_write_bytecode = True
from console import Console, Failure  # noqa: E402

INSTALLING = 1800.0  # seconds, for a first command that fetches the compilers


def make_chroot(root: pathlib.Path) -> None:
    """Makes a minimal Debian 12 in `root`, with this machine's way to the network and a clone of the repository."""
    mirror = subprocess.run(["sh", "-c", '. "$0" && mirror', str(ROOT / "tools/lib/fetch.sh")], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.strip()
    subprocess.run(["debootstrap", "--variant=minbase", "--include=git,make",
                    "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg", "bookworm", str(root), mirror], check=True)
    for name in ("resolv.conf", "hosts", "apt/apt.conf.d", "apt/auth.conf.d"):
        source = pathlib.Path("/etc") / name
        if source.is_dir():
            shutil.copytree(source, root / "etc" / name, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy(source, root / "etc" / name)
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(root / "root/undercroft")], check=True)


def inside(root: pathlib.Path, command: str) -> Console:
    """Starts `command` in the clone in the chroot. Its mounts and processes vanish with it."""
    script = f"""mount -t proc proc {root}/proc && mount --rbind /dev {root}/dev && exec chroot {root} /usr/bin/env -i \
        HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=vt100 sh -c 'cd /root/undercroft && exec {command}'"""
    return Console(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script])


def end(console: Console, limit: float = 300.0) -> None:
    if console.finish(limit) != 0:
        raise console.failure("the exit status is not 0")


def try_commands(root: pathlib.Path, with_tests: bool) -> None:
    with inside(root, "make qemu GUEST=minikernel") as console:
        console.expect(r"^minikernel: PASS$", INSTALLING)
        end(console)
    print("make qemu GUEST=minikernel: PASS", flush=True)
    with inside(root, "make qemu") as console:
        console.expect(r"^guest:\S+# ", INSTALLING)
        console.send("poweroff\n")
        end(console)
    print("make qemu: PASS", flush=True)
    if with_tests:
        with inside(root, "make test") as console:
            end(console, 2 * INSTALLING)
        print(f"make test: {console.text.splitlines()[-1]}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test", action="store_true", help="also run make test")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("try_fresh: a chroot needs root")
    subprocess.run([ROOT / "tools/setup.sh", "fresh"], check=True)
    with tempfile.TemporaryDirectory(prefix="undercroft-fresh-", dir="/var/tmp") as folder:
        root = pathlib.Path(folder)
        make_chroot(root)
        try:
            try_commands(root, args.test)
        except Failure as failure:
            print(failure)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
