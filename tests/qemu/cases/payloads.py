# SPDX-License-Identifier: MIT
"""Payloads that cannot work: each gets one line that says what is wrong, and a machine that ends with failure."""

import pathlib
import random
import re
import struct
from collections.abc import Callable

from suite import Bench, add_test, guest, test

MACHINE = ["noh"]

# A good tree; each bad one differs from it in one place.
KERNEL = 'kernel { data = [73 00 50 10]; type = "kernel"; };'
CONFIGURATION = 'kernel = "kernel"; undercroft,memory = <0 0x4000000>;'


def tree(images: str = KERNEL, configuration: str = CONFIGURATION, name: str = "guest") -> str:
    """The source of a FIT of one guest."""
    return f"/ {{ images {{ {images} }}; configurations {{ {name} {{ {configuration} }}; }}; }};"


def refused(bench: Bench, payload: pathlib.Path | None, pattern: str, append: str = "") -> None:
    """Undercroft must say one error, matching `pattern`, start no guest and end with failure."""
    with bench.inside(payload, append) as console:
        text = bench.end(console, status=1)
        errors = re.findall(r"^\[uc\] error: (.*)$", text, re.MULTILINE)
        if len(errors) != 1:
            raise console.failure(f"there are {len(errors)} error lines, not one")
        if not re.search(pattern, errors[0]):
            raise console.failure(f"the error does not match /{pattern}/")


def bad_file(name: str, make: Callable[[], bytes], pattern: str, append: str = "") -> None:
    """Registers a payload made of bytes; `append` goes to Undercroft."""
    def run(bench: Bench) -> None:
        refused(bench, bench.write("payload", make()), pattern, append)
    add_test(f"bad_{name}", run, MACHINE, tags=["payload"])


def bad_tree(name: str, source: str, pattern: str, change: Callable[[bytes], bytes] = lambda image: image,
             append: str = "") -> None:
    """Registers a payload made by dtc, and changed afterwards."""
    def run(bench: Bench) -> None:
        refused(bench, bench.write("payload", change(bench.fit(source).read_bytes())), pattern, append)
    add_test(f"bad_{name}", run, MACHINE, tags=["payload"])


def noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value):]


def elf() -> bytes:
    return guest("minikernel").read_bytes()


def with_segments_at(address: int) -> bytes:
    """The minikernel's ELF with all of its segments linked at `address` (ELF-64: e_phoff at 32, e_phnum at 56, p_paddr at 24)."""
    data = elf()
    first, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    for index in range(count):
        data = patched(data, first + index * 56 + 24, struct.pack("<Q", address))
    return data


def linux_image(text_offset: int = 0x200000, flags: int = 0) -> bytes:
    """A RISC-V Image header (Linux, arch/riscv boot-image-header) on an endless loop."""
    return struct.pack("<2I3Q2I2Q2I", 0x6f, 0, text_offset, 0x1000, flags, 2, 0, 0, 0x5643534952, 0x05435352, 0) + bytes(64)


def device_tree(padding: int = 4) -> bytes:
    """A flattened device tree (Devicetree Specification 0.4, chapter 5) of a root with one property of `padding` bytes."""
    structure = struct.pack(">5I", 1, 0, 3, padding, 0) + bytes(padding) + struct.pack(">2I", 2, 9)
    names = b"padding\0"
    header = struct.pack(">10I", 0xd00dfeed, 56 + len(structure) + len(names), 56, 56 + len(structure), 40, 17, 16, 0,
                         len(names), len(structure))
    return header + bytes(16) + structure + names


def bad_fdt(name: str, data: Callable[[], bytes], pattern: str) -> None:
    """Registers a good image tree but for the guest's own device tree."""
    def run(bench: Bench) -> None:
        images = f'{KERNEL} fdt {{ data = /incbin/("{bench.write("guest.dtb", data())}"); type = "flat_dt"; }};'
        refused(bench, bench.fit(tree(images, CONFIGURATION + ' fdt = "fdt";')), pattern)
    add_test(f"bad_{name}", run, MACHINE, tags=["payload"])


@test(MACHINE, tags=["payload"])
def no_payload(bench: Bench) -> None:
    refused(bench, None, "payload")


@test(MACHINE, tags=["payload"])
def good_tree(bench: Bench) -> None:
    """What the bad trees are made from is itself accepted, hashes included."""
    images = f'''kernel {{ data = /incbin/("{guest("minikernel")}"); type = "kernel"; }};
        note {{ data = "abc"; type = "ramdisk";
               hash-1 {{ algo = "crc32"; value = <0xa75d6850>; }}; }};'''
    with bench.inside(bench.fit(tree(images, CONFIGURATION + ' ramdisk = "note";'))) as console:
        console.expect(r"^minikernel: PASS$")
        bench.end(console)


@test(MACHINE, tags=["payload"])
def bad_oversized(bench: Bench) -> None:
    """More payload than the guest has memory."""
    path = bench.folder / "payload"
    with path.open("wb") as file:
        file.truncate(300 << 20)
    refused(bench, path, r"guest0.*(exceed|fit)")


bad_file("fdt_noise", lambda: b"\xd0\x0d\xfe\xed" + noise(4096), "tree")
bad_file("elf_noise", lambda: b"\x7fELF" + noise(4096), "ELF")
bad_file("elf_header_cut", lambda: elf()[:40], "ELF.*cut off")
bad_file("elf_segment_cut", lambda: elf()[:6000], "cut off")
bad_file("elf_machine", lambda: patched(elf(), 18, struct.pack("<H", 62)), r"62.*RISC-V")
bad_file("elf_32_bit", lambda: patched(elf(), 4, b"\x01"), "64-bit")
bad_file("elf_elsewhere", lambda: with_segments_at(0x40000000), "linked elsewhere.*0x40000000")
bad_file("elf_beyond_ram", lambda: with_segments_at(0x90000000), "0x90000000")
bad_file("elf_entry", lambda: patched(elf(), 24, struct.pack("<Q", 0x1000)), "entry")
bad_file("image_offset", lambda: linux_image(text_offset=1 << 40), "Image|kernel")
bad_file("image_big_endian", lambda: linux_image(flags=1), "big-endian")
bad_file("option_unknown", elf, "frobnicate", append="frobnicate=1 -- quiet")
bad_file("option_vcpus", elf, "vcpus", append="vcpus=0 -- ")
bad_file("option_memory", elf, "memory", append="memory=lots -- ")
bad_file("memory_too_much", elf, "memory", append="memory=64G -- ")

bad_tree("tree_truncated", tree(), "tree", lambda image: image[:len(image) // 2])
bad_tree("tree_longer_than_payload", tree(), "tree", lambda image: patched(image, 4, struct.pack(">I", 1 << 28)))
bad_tree("tree_structure", tree(), "tree", lambda image: patched(image, struct.unpack_from(">I", image, 8)[0], b"\0\0\0\x77"))
bad_tree("no_images", "/ { configurations { guest { kernel = \"kernel\"; }; }; };", "images")
bad_tree("no_configurations", f"/ {{ images {{ {KERNEL} }}; }};", "configurations")
bad_tree("no_guest", f"/ {{ images {{ {KERNEL} }}; configurations {{ }}; }};", "guest")
bad_tree("no_kernel", tree(configuration="undercroft,vcpus = <1>;"), "guest.*kernel")
bad_tree("no_such_kernel", tree(configuration='kernel = "other";'), "guest.*kernel.*other")
bad_tree("no_data", tree(images='kernel { type = "kernel"; };'), "kernel.*data")
bad_tree("wrong_type", tree(images='kernel { data = [73 00 50 10]; type = "ramdisk"; };'), "guest.*kernel")
bad_tree("unknown_property", tree(configuration=CONFIGURATION + " undercroft,memori = <1>;"), "guest.*undercroft,memori")
bad_tree("memory_malformed", tree(configuration='kernel = "kernel"; undercroft,memory = "256M";'), "guest.*undercroft,memory")
bad_tree("memory_zero", tree(configuration='kernel = "kernel"; undercroft,memory = <0>;'), "guest.*undercroft,memory")
bad_tree("memory_unaffordable", tree(configuration='kernel = "kernel"; undercroft,memory = <1 0>;'), "guest.*undercroft,memory")
bad_tree("vcpus_zero", tree(configuration=CONFIGURATION + " undercroft,vcpus = <0>;"), "guest.*undercroft,vcpus")
bad_tree("no_such_hart", tree(configuration=CONFIGURATION + " undercroft,harts = <99>;"), "guest.*undercroft,harts.*99")
bad_tree("bootargs_not_text", tree(configuration=CONFIGURATION + " bootargs = <1>;"), "guest.*bootargs")
bad_tree("crc32", tree(images='''kernel { data = "abc"; type = "kernel"; hash-1 { algo = "crc32"; value = <1>; }; };'''), "hash|crc32")
bad_tree("sha256", tree(images='''kernel { data = "abc"; type = "kernel";
    hash-1 { algo = "sha256"; value = <1 2 3 4 5 6 7 8>; }; };'''), "hash|sha256")
bad_tree("hash_algorithm", tree(images='''kernel { data = "abc"; type = "kernel"; hash-1 { algo = "md5"; value = <1>; }; };'''), "md5")

bad_fdt("guest_fdt_noise", lambda: noise(4096), "^guest guest: fdt: not a flattened device tree$")
bad_fdt("guest_fdt_truncated", lambda: device_tree()[:-1], "^guest guest: fdt: cut off")
bad_fdt("guest_fdt_structure", lambda: patched(device_tree(), 56, b"\0\0\0\x77"), "^guest guest: fdt: corrupt")
bad_fdt("guest_fdt_too_big", lambda: device_tree(2 << 20), "^guest guest: fdt: .*more than 2 MiB$")
bad_fdt("guest_fdt_no_room", lambda: device_tree((2 << 20) - 128), "^guest guest: fdt: .*does not fit into 2097152 bytes$")
