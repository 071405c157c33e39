#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures Linux inside Undercroft against the same Linux on the bare machine; bench/README.md explains."""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys

import image
import machine
import report

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORKLOADS = ("boot", "lat")


@dataclasses.dataclass
class Measured:
    """One machine's figures. CPU seconds and nanoseconds are the least of all runs: noise only adds."""

    name: str
    counted: dict  # workload -> machine.Result with spans
    cpu_seconds: dict = dataclasses.field(default_factory=dict)  # workload -> from kernel start to power-off
    nanoseconds: dict = dataclasses.field(default_factory=dict)  # operation -> each


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="take times from two runs, not five")
    parser.add_argument("--bare", action="store_true", help="measure only the bare machine")
    parser.add_argument("--qemu", default=os.environ.get("QEMU") or "qemu-system-riscv64")
    parser.add_argument("--bios", default=os.environ.get("BIOS") or "default", help="firmware, as for QEMU's -bios")
    parser.add_argument("--undercroft", type=pathlib.Path, default=ROOT / "build/undercroft.elf")
    parser.add_argument("--linux", type=pathlib.Path, help="folder with Image and busybox (default: fetched)")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/bench",
                        help="where to build and to keep the consoles' text")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all figures to FILE")
    return parser.parse_args()


def plugin_api(version):
    """The plugin interface to build for: QEMU before 9 takes version 1 only, QEMU from 9.1 takes 3."""
    major, minor = map(int, re.search(r"version (\d+)\.(\d+)", version).groups())
    if (major, minor) == (9, 0):
        raise SystemExit("bench: QEMU 9.0 has a plugin interface between the two that bench/plugin.c knows")
    return 1 if major < 9 else 3


def fetch_linux():
    done = subprocess.run([ROOT / "tools/fetch-linux.sh"], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit("bench: no Linux to measure")
    return pathlib.Path(done.stdout.strip())


def bootargs(workload):
    return f"console=ttyS0 cryptomgr.notests rdinit=/bench bench={workload}"


def take_times(machines, kernel, stopped, runs):
    """CPU seconds of both machines, run in turn so that both meet the same noise. What passes before the kernel starts
    is taken from runs of a kernel that powers off as its first act."""
    least = {each.name: {} for each in machines}
    nanoseconds = {each.name: {} for each in machines}
    for turn in range(runs):
        print(f"timing, run {turn + 1} of {runs}", file=sys.stderr)
        for each in machines:
            _, before = each.run(stopped, "boot")
            seconds = {"before": before}
            for workload in WORKLOADS:
                result = each.measure(kernel, workload)
                seconds[workload] = result.cpu_seconds
                for name, (count, total) in result.lat.items():
                    nanoseconds[each.name][name] = min(total / count, nanoseconds[each.name].get(name, float("inf")))
            for key, value in seconds.items():
                least[each.name][key] = min(value, least[each.name].get(key, float("inf")))
    cpu = {name: {workload: each[workload] - each["before"] for workload in WORKLOADS} for name, each in least.items()}
    return cpu, nanoseconds


def main():
    options = parse_arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.bare and not options.undercroft.exists():
        raise SystemExit(f"bench: {options.undercroft} is not built; --bare measures without it")
    qemu_version = image.run(options.qemu, "--version").splitlines()[0]
    linux = options.linux or fetch_linux()
    kernel = linux / "Image"
    plugin = image.build_plugin(options.out, plugin_api(qemu_version))
    initramfs = image.build_initramfs(options.out, linux / "busybox", image.build_lat(options.out))
    stopped = image.build_stopped_kernel(options.out, kernel)

    machines = [machine.bare(options.qemu, options.bios, options.out, initramfs, bootargs)]
    if not options.bare:
        machines.append(machine.guest(options.qemu, options.bios, options.out, initramfs, bootargs, options.undercroft))

    measured = []
    for each in machines:
        print(f"counting instructions: {each.name}", file=sys.stderr)
        counted = {workload: each.count(kernel, workload, plugin, options.out) for workload in WORKLOADS}
        for workload, result in counted.items():
            (options.out / f"console-{each.name}-{workload}.txt").write_text(result.console)
        measured.append(Measured(each.name, counted))
    cpu_seconds, nanoseconds = take_times(machines, kernel, stopped, 2 if options.quick else 5)
    for each in measured:
        each.cpu_seconds, each.nanoseconds = cpu_seconds[each.name], nanoseconds[each.name]

    bare, guest = measured[0], measured[1] if len(measured) > 1 else None
    linux_version = re.search(r"Linux version (\S+)", bare.counted["boot"].console).group(1)
    firmware = re.search(r"^OpenSBI \S+|RustSBI\S*.*", bare.counted["boot"].console, re.M)
    setting = {"qemu": qemu_version, "firmware": firmware.group(0) if firmware else options.bios,
               "linux": f"Linux {linux_version}"}
    print("; ".join(setting.values()), end="\n\n")
    print(report.text(bare, guest))
    if options.json:
        everything = {"setting": setting, "machines": [dataclasses.asdict(each) for each in measured],
                      "rows": [dataclasses.asdict(row) | {"ratio": row.ratio, "passed": row.passed}
                               for row in report.rows(bare, guest)]}
        for each in everything["machines"]:
            for result in each["counted"].values():
                del result["console"]
        options.json.write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    main()
