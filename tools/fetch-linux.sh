#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints a folder that holds the parts of a Linux guest, as Debian (13 where possible) ships them for riscv64: Image (the stock kernel), config
# (its configuration), version (its package) and busybox (statically linked).
set -eu
. "$(dirname "$0")/lib/fetch.sh"

fill() {
  apt_root "$1-riscv64" riscv64 /dev/null "$1"
  kernel=$(dependency linux-image-riscv64 linux-image-)
  [ -n "$kernel" ]
  say "fetching $kernel and busybox-static, about 120 MB"
  unpack "$kernel" busybox-static
  cp unpacked/boot/vmlinux-* Image
  cp unpacked/boot/config-* config
  echo "$kernel" >version
  cp unpacked/usr/bin/busybox .
  rm -rf unpacked
}

on_failure "the Linux guest's kernel and busybox for riscv64 are not in the cache and could not be fetched: they need Debian's mirror;" \
  "GUEST=minikernel works without"
from_newer_suite linux-riscv64 fill
