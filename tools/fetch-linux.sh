#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints a folder that holds the parts of a Linux guest as Debian ships them for riscv64: Image (the stock kernel),
# version (its package's name) and busybox (statically linked).
set -eu
. "$(dirname "$0")/lib/fetch.sh"

fill() {
  apt_root "$1-riscv64" riscv64 /dev/null "$1"
  kernel=$(dependency linux-image-riscv64 linux-image-)
  [ -n "$kernel" ]
  say "fetching $kernel and busybox-static, up to 120 MB"
  # From Debian 14 on, the image is in a package of its own that linux-image-* depends on, and in another place.
  unpack "$kernel" $(dependency "$kernel" linux-binary-) busybox-static
  cp "$(find unpacked/boot/vmlinux-* unpacked/usr/lib/modules/*/vmlinuz -type f 2>/dev/null | head -n 1)" Image
  echo "$kernel" >version
  cp unpacked/usr/bin/busybox .
  rm -rf unpacked
}

on_failure "the Linux guest's kernel and busybox for riscv64 are not in the cache and could not be fetched: they need Debian's mirror;" \
  "GUEST=minikernel works without"
from_newer_suite linux-riscv64 fill
