#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian 12 packages that one or more groups of commands need, as apt on this machine is configured.
#   tools/setup.sh [build] [run] [test] [lint] [gdb] [fresh]      (no group: build run)
# What is already there is left alone; when nothing is missing, neither the network nor root is needed.
set -eu

packages() {
  case $1 in
    build) echo make git meson ninja-build gcc g++ gcc-riscv64-linux-gnu g++-riscv64-linux-gnu device-tree-compiler libfdt-dev \
                libgtest-dev libgmock-dev pkg-config python3 debian-archive-keyring ;;
    run) echo qemu-system-misc opensbi device-tree-compiler python3 debian-archive-keyring ;;
    test) echo clang-19 libclang-rt-19-dev ;;
    lint) echo clang-format-19 clang-tidy-19 python3 ;;
    gdb) echo gdb-multiarch ;;
    fresh) echo debootstrap debian-archive-keyring ;;
    *) echo "setup: no such group: $1" >&2; return 1 ;;
  esac
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

[ $# -gt 0 ] || set -- build run
wanted=
for group; do wanted="$wanted $(packages "$group")"; done

command -v dpkg-query >/dev/null || {
  echo "setup: this is not a Debian system; install by hand the equivalents of:$wanted" >&2
  exit 1
}

missing=
for package in $(printf '%s\n' $wanted | sort -u); do
  installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then as_root=
elif command -v sudo >/dev/null; then as_root=sudo
else
  echo "setup: neither root nor sudo; have an administrator install:$missing" >&2
  exit 1
fi

# Apt's output goes to stderr, so that a caller may read another tool's stdout. The lock is waited for: another apt may be at work.
apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null >&2; }

echo "setup: installing$missing" >&2
install() { apt install -y --no-install-recommends $missing; }

# Lists that are absent or old make the installation fail: refresh them, and only then, before another try. A mirror may be away for a
# moment, and another apt may be at the lists, which has no lock that is waited for.
install && exit 0
for pause in 0 20 60; do
  sleep $pause
  apt update && install && exit 0
done
echo "setup: these packages are missing and could not be installed:$missing" >&2
exit 1
