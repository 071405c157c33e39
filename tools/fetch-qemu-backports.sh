#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints a folder that holds the newer QEMU and OpenSBI of Debian 12's backports, unpacked beside the installed ones, which stay
# as they are. Use them as QEMU=FOLDER/qemu-system-riscv64 and BIOS=FOLDER/opensbi.bin.
set -eu
. "$(dirname "$0")/lib/fetch.sh"

fill() {
  native=$(dpkg --print-architecture)
  apt_root "backports-$native" "$native" /var/lib/dpkg/status bookworm bookworm-backports
  # Resolved against what is installed: QEMU comes with just those libraries that this machine lacks.
  apt_get --download-only --no-install-recommends -y -t bookworm-backports install qemu-system-misc opensbi
  for deb in "$root"/archives/*.deb; do dpkg -x "$deb" .; done
  rm -rf "$root/archives"
  rm -rf usr/share/doc usr/share/man
  ln -s usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin opensbi.bin
  cat >qemu-system-riscv64 <<'END'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
export LD_LIBRARY_PATH="$here/usr/lib/TRIPLET:$here/usr/lib:$here/lib/TRIPLET"
export QEMU_MODULE_DIR="$here/usr/lib/TRIPLET/qemu"
exec "$here/usr/bin/qemu-system-riscv64" -L "$here/usr/share/qemu" "$@"
END
  sed -i "s/TRIPLET/$(gcc -print-multiarch)/g" qemu-system-riscv64
  chmod +x qemu-system-riscv64
  [ -f opensbi.bin ]
  ./qemu-system-riscv64 --version >&2
}

on_failure "QEMU and OpenSBI of Debian 12's backports are not in the cache and could not be fetched: they need Debian's mirror"
cached qemu-backports fill
