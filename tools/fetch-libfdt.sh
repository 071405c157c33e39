#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints a folder that holds libfdt for riscv64: libfdt.a and include/. Debian 12 has it for the development host alone, so it
# comes from a newer suite. Fetched once, it needs no network again.
set -eu
. "$(dirname "$0")/lib/fetch.sh"

fill() {
  apt_root "$1-riscv64" riscv64 /dev/null "$1"
  unpack libfdt-dev
  cp unpacked/usr/lib/riscv64-linux-gnu/libfdt.a .
  mkdir include
  cp unpacked/usr/include/*fdt*.h include
  cp unpacked/usr/share/doc/libfdt-dev/copyright .
  rm -rf unpacked
}

on_failure "libfdt for riscv64 is not in the cache and could not be fetched: the first build needs Debian's mirror"
from_newer_suite libfdt-riscv64 fill
