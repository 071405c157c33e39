# SPDX-License-Identifier: MIT
"""Builds what the benchmark needs: two C programs, an initramfs, a kernel that stops at once, a FIT, a device tree."""

import functools
import importlib.util
import pathlib
import struct
import subprocess

HERE = pathlib.Path(__file__).parent

C_FLAGS = ("-std=c17", "-O2", "-Wall", "-Wextra", "-Werror")

GUEST_MEMORY = 512 << 20
RAM_BASE = 0x80000000

# What QEMU's virt has and a guest does not, whose devices are fixed: the kernel would spend time on them.
ABSENT_IN_GUEST = ("pci@", "flash@", "fw-cfg@", "platform-bus@")


def run(*command):
    """Runs a tool; its text is shown only when it fails."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def newer(target, *sources):
    """Whether target must be made again."""
    return not target.exists() or any(source.stat().st_mtime > target.stat().st_mtime for source in sources)


def build_lat(out):
    target, source = out / "lat", HERE / "lat.c"
    if newer(target, source):
        run("riscv64-linux-gnu-gcc", *C_FLAGS, "-ffreestanding", "-nostdlib", "-static", "-fno-stack-protector",
            "-fno-asynchronous-unwind-tables", "-o", target, source)
    return target


def build_plugin(out, api):
    """The counting plugin for version `api` of QEMU's plugin interface."""
    target, source = out / f"plugin-api{api}.so", HERE / "plugin.c"
    if newer(target, source):
        run("gcc", *C_FLAGS, "-fPIC", "-shared", "-fvisibility=hidden", f"-DPLUGIN_API={api}", "-o", target, source)
    return target


def build_initramfs(out, busybox, lat):
    """The default guest's initramfs with our programs added; `rdinit=/bench` starts them."""
    spec = importlib.util.spec_from_file_location("linux_guest", HERE.parent / "guest-images/linux/build.py")
    linux_guest = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(linux_guest)
    target = out / "initramfs.cpio"
    target.write_bytes(linux_guest.make_initramfs(busybox.read_bytes(), {"bench": HERE / "init", "bin/lat": lat}))
    return target


def kernel_entry(kernel):
    """Where the kernel starts, and its first eight bytes, from the header of a RISC-V `Image`."""
    header = kernel.read_bytes()[:64]
    if header[0x30:0x35] != b"RISCV":
        raise SystemExit(f"bench: {kernel} is no RISC-V Linux Image")
    return RAM_BASE + struct.unpack_from("<Q", header, 8)[0], header[:8].hex()


def build_stopped_kernel(out, kernel):
    """The same kernel, powering off as its first act: running it takes the time that passes before a kernel starts."""
    image = bytearray(kernel.read_bytes())
    # j +64, over the header that the loaders read, onto a part of the EFI header that only EFI does.
    struct.pack_into("<I", image, 0, 0x0400006F)
    # lui t0, 0x100; lui t1, 5; addi t1, t1, 0x555; sw t1, 0(t0); j .  (0x5555 to the test device: power off)
    struct.pack_into("<5I", image, 64, 0x001002B7, 0x00005337, 0x55530313, 0x0062A023, 0x0000006F)
    target = out / "stopped-kernel"
    target.write_bytes(image)
    return target


@functools.cache
def build_fit(out, name, kernel, initramfs, bootargs):
    source, target = out / f"{name}.its", out / f"{name}.itb"
    source.write_text(f"""/dts-v1/;
/ {{
    description = "benchmark";
    images {{
        kernel {{ type = "kernel"; data = /incbin/("{kernel.resolve()}"); }};
        ramdisk {{ type = "ramdisk"; data = /incbin/("{initramfs.resolve()}"); }};
    }};
    configurations {{
        guest0 {{
            kernel = "kernel";
            ramdisk = "ramdisk";
            bootargs = "{bootargs}";
            undercroft,memory = <{GUEST_MEMORY:#x}>;
        }};
    }};
}};
""")
    run("dtc", "-q", "-I", "dts", "-O", "dtb", "-o", target, source)
    return target


def build_guests_fit(out, name, program, guests, vcpus):
    """An image tree of `guests` equal guests, each with `vcpus` vCPUs."""
    source, target = out / f"{name}.its", out / f"{name}.itb"
    nodes = "".join(f"""
        guest{number} {{
            kernel = "program";
            undercroft,memory = <0x8000000>;
            undercroft,vcpus = <{vcpus}>;
        }};""" for number in range(guests))
    source.write_text(f"""/dts-v1/;
/ {{
    description = "benchmark";
    images {{
        program {{ type = "kernel"; data = /incbin/("{program.resolve()}"); }};
    }};
    configurations {{{nodes}
    }};
}};
""")
    run("dtc", "-q", "-I", "dts", "-O", "dtb", "-o", target, source)
    return target


def build_device_tree(out, qemu, machine):
    """The bare machine's device tree, less what the guest's machine does not have."""
    target = out / "bare.dtb"
    run(qemu, *machine, "-machine", f"dumpdtb={target}")
    for parent in ("/", "/soc/"):
        for node in run("fdtget", "-l", target, parent).split():
            if node.startswith(ABSENT_IN_GUEST):
                run("fdtput", "-r", target, parent + node)
    return target
