#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what vCPUs cost each other, and what guests together get done; bench/README.md explains."""

import argparse
import os
import pathlib
import re

import image
import machine
import report

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD") or ROOT / "build")
NS_PER_TICK = 1_000_000_000 // machine.TIMEBASE_HZ  # and, with -icount shift=0, instructions
GUESTS = (1, 2, 4)
PAIR = {"ipi_asleep": "IPI to a hart that sleeps, and back", "ipi": "IPI to a hart that computes",
        "sfence": "a page moves, with remote sfence.vma", "fence_i": "remote fence.i"}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="take times from two runs, not five")
    parser.add_argument("--qemu", default=os.environ.get("QEMU") or "qemu-system-riscv64")
    parser.add_argument("--bios", default=os.environ.get("BIOS") or "default", help="firmware, as for QEMU's -bios")
    parser.add_argument("--undercroft", type=pathlib.Path, default=BUILD / "undercroft.elf")
    parser.add_argument("--out", type=pathlib.Path, default=BUILD / "bench", help="where to build")
    return parser.parse_args()


def run(options, name, harts, *arguments):
    """The console of a machine of `harts` harts, run to power-off."""
    fixed = ("-M", "virt", "-smp", str(harts), "-m", "1G", "-nographic", "-bios", options.bios)
    console, _ = machine.Machine(name, options.qemu, lambda *_: (*fixed, *arguments)).run(None, name)
    return console


def run_bare(options, program, harts):
    return run(options, "bare", harts, "-kernel", guest_program(program))


def run_guests(options, program, harts, guests=1, vcpus=1, extra=()):
    payload = image.build_guests_fit(options.out, f"{program}-{guests}", guest_program(program), guests, vcpus)
    return run(options, f"{program}, {guests} guests", harts, "-kernel", options.undercroft, "-initrd", payload, *extra)


def guest_program(name):
    return BUILD / f"bench/guests/{name}.elf"


def costs(console):
    """Ticks of each thing that the program measured."""
    if "PASS" not in console:
        raise SystemExit("bench: a program did not pass\n" + "\n".join(console.splitlines()[-20:]))
    found = re.findall(r"^(?:\w+\| )?cost (\w+) (\d+) (\d+)$", console, re.M)
    return {name: int(ticks) / int(count) for name, count, ticks in found}


def work_time(console, guests):
    """Ticks from the first guest's beginning to the last one's end, all having done the same work."""
    found = re.findall(r"^(?:\w+\| )?work (\d+) (\d+) sum (\w+)$", console, re.M)
    if len(found) != guests or len({total for _, _, total in found}) != 1:
        raise SystemExit("bench: guests' work differs\n" + "\n".join(console.splitlines()[-20:]))
    return max(int(end) for _, end, _ in found) - min(int(start) for start, _, _ in found)


def least(runs, measure):
    """The least of each figure over some runs: noise only adds."""
    results = [measure() for _ in range(runs)]
    return {name: min(result[name] for result in results) for name in results[0]}


def pair_table(options, runs):
    def both():
        bare, guest = costs(run_bare(options, "bench_pair", 2)), costs(run_guests(options, "bench_pair", 2, vcpus=2))
        return {("bare", name): value for name, value in bare.items()} | {("guest", name): value for name, value in guest.items()}

    figures = least(runs, both)
    for name, label in PAIR.items():
        bare, guest = (figures[which, name] * NS_PER_TICK for which in ("bare", "guest"))
        yield label, "ns", report.number(bare), report.number(guest), f"{guest / bare:.2f}"


def throughput_table(options, runs):
    """How much work is done in a given time, in ratio to a guest alone."""
    def times(harts, extra=()):
        return {guests: work_time(run_guests(options, "bench_work", harts, guests, extra=extra), guests) for guests in GUESTS}

    for label, unit, figures in (("one hart", "instructions", times(1, machine.DETERMINISTIC)),
                                 ("one hart", "ns", least(runs, lambda: times(1))),
                                 ("two harts", "ns", least(runs, lambda: times(2)))):
        yield label, unit, *(f"{guests * figures[1] / figures[guests]:.3f}" for guests in GUESTS)


def main():
    options = parse_arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    runs = 2 if options.quick else 5
    print(report.table(("two harts", "", "bare", "guest", "ratio"), list(pair_table(options, runs))), end="\n\n")
    ticks = costs(run_guests(options, "bench_switch", 1, vcpus=2, extra=machine.DETERMINISTIC))["switch"]
    print(f"switch of two vCPUs on one hart, by an IPI and wfi: {report.number(ticks * NS_PER_TICK / 2)} instructions", end="\n\n")
    print(report.table(("throughput", "", *(f"{guests} guest{'s' * (guests > 1)}" for guests in GUESTS)),
                       list(throughput_table(options, runs))))


if __name__ == "__main__":
    main()
