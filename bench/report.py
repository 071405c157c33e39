# SPDX-License-Identifier: MIT
"""What was measured, against the bare machine and against the bars, as a table."""

import dataclasses

# RVirt (https://github.com/mit-pdos/RVirt, December 2019), the one other hypervisor of this kind, relative to the bare
# machine: on OpenSBI and QEMU 7.2, for the whole from kernel start to power-off and for single operations.
RVIRT_INSTRUCTIONS = 3
RVIRT_CPU_SECONDS = 10.3

# What a hypervisor may cost at most, relative to the bare machine.
BAR_BOOT_INSTRUCTIONS = 1.6
BAR_BOOT_CPU_SECONDS = 3.5
BAR_COMPUTE = 1.02

INSTRUCTIONS = ("firmware", "hypervisor", "kernel", "user")


@dataclasses.dataclass
class Operation:
    name: str  # as bench/lat.c prints it; its place in OPERATIONS is the number of its marks
    label: str
    rvirt: float | None = None  # RVirt's ratio, which is the bar
    bar: float | None = None  # another bar, which may be reached


OPERATIONS = (
    Operation("syscall", "null system call", rvirt=30),
    Operation("read", "read, 1 byte", rvirt=17),
    Operation("stat", "stat"),
    Operation("signal", "signal, delivery and return", rvirt=16),
    Operation("fault", "anonymous page fault", rvirt=4.5),
    Operation("mprotect", "mprotect pair, 16 pages"),
    Operation("switch", "context switch, pipe round trip", rvirt=105),
    Operation("fork", "fork, exit, wait", rvirt=19),
    Operation("exec", "fork, exec, wait", rvirt=10),
    Operation("compute", "user arithmetic, one round", bar=BAR_COMPUTE),
    Operation("walk", "user memory walk, one load", bar=BAR_COMPUTE),
)


@dataclasses.dataclass
class Row:
    """One thing measured on both machines; without a guest there is no ratio and nothing to judge."""

    label: str
    unit: str
    bare: float
    guest: float | None
    rvirt: float | None = None
    bar: float | None = None
    strict: bool = False  # below the bar, not at most the bar

    @property
    def ratio(self):
        return self.guest / self.bare if self.guest is not None and self.bare else None

    @property
    def passed(self):
        if self.bar is None or self.ratio is None:
            return None
        return self.ratio < self.bar if self.strict else self.ratio <= self.bar

    def cells(self):
        bar = "" if self.bar is None else f"{'<' if self.strict else '<='} {self.bar:g}"
        verdict = {True: "pass", False: "MISS", None: ""}[self.passed]
        return (self.label, self.unit, number(self.bare), number(self.guest),
                "" if self.ratio is None else f"{self.ratio:.2f}", "" if self.rvirt is None else f"{self.rvirt:g}",
                bar, verdict)


def number(value):
    if value is None:
        return "-"
    if value >= 10_000_000:
        return f"{value / 1e6:.1f} M"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}" if value < 100 else f"{value:.1f}"


def instructions(span):
    return sum(span[part] for part in INSTRUCTIONS)


def rows(bare, guest):
    """`bare` and `guest` are `run.Measured`; guest may be None."""

    def both(value):
        return value(bare), None if guest is None else value(guest)

    def total(workload):
        return both(lambda m: instructions(m.counted[workload].spans["total"]))

    def seconds(workload):
        return both(lambda m: m.cpu_seconds[workload])

    yield Row("boot to shell", "instructions", *total("boot"), bar=BAR_BOOT_INSTRUCTIONS)
    yield Row("boot to shell", "CPU seconds", *seconds("boot"), bar=BAR_BOOT_CPU_SECONDS)
    yield Row("boot and operations", "instructions", *total("lat"), rvirt=RVIRT_INSTRUCTIONS)
    yield Row("boot and operations", "CPU seconds", *seconds("lat"), rvirt=RVIRT_CPU_SECONDS)
    for index, operation in enumerate(OPERATIONS):
        name = operation.name
        bar = operation.bar or operation.rvirt
        yield Row(operation.label, "instructions",
                  *both(lambda m: instructions(m.counted["lat"].spans[f"op{index}"]) / m.counted["lat"].lat[name][0]),
                  rvirt=operation.rvirt, bar=bar, strict=operation.bar is None and bar is not None)
    for operation in OPERATIONS:
        yield Row(operation.label, "ns", *both(lambda m: m.nanoseconds[operation.name]), rvirt=operation.rvirt)


def table(head, lines):
    """Text columns: the first two to the left, the rest to the right."""
    lines = [head, *lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]

    def laid_out(line):
        return "  ".join(cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths)))

    return "\n".join(laid_out(line).rstrip() for line in lines)


def where(measured):
    """Who executed the instructions, and how often firmware and hypervisor were entered."""
    for machine in measured:
        for workload, result in machine.counted.items():
            span = result.spans["total"]
            yield (machine.name, workload, *(number(span[part]) for part in (*INSTRUCTIONS, "mret", "sret")))


def per_operation(guest):
    """For the guest, per operation: instructions of each part, entries to firmware, exits to the hypervisor."""
    for index, operation in enumerate(OPERATIONS):
        span, count = guest.counted["lat"].spans[f"op{index}"], guest.counted["lat"].lat[operation.name][0]
        yield (operation.label, "", *(number(span[key] / count) for key in (*INSTRUCTIONS, "mret", "sret")))


def exits(guest):
    """Exits by cause: of the boot alone, and of the boot with all operations."""
    boot, lat = guest.counted["boot"].exits, guest.counted["lat"].exits
    for cause in sorted({*boot, *lat}, key=lambda cause: -lat.get(cause, 0)):
        yield cause, "", str(boot.get(cause, 0)), str(lat.get(cause, 0))


def text(bare, guest):
    parts = ("firmware", "hypervisor", "kernel", "user", "M entries", "exits")
    made = [table(("", "", "bare", "guest", "ratio", "RVirt", "bar", ""), [row.cells() for row in rows(bare, guest)]),
            table(("instructions", "", *parts), where([bare] + ([guest] if guest else [])))]
    if guest:
        made.append(table(("guest, per operation", "", *parts), per_operation(guest)))
        lines = list(exits(guest))
        made.append(table(("exits by cause", "", "boot", "boot and operations"), lines) if lines else
                    "exits by cause: the hypervisor printed none")
        missed = [f"{row.label} ({row.unit})" for row in rows(bare, guest) if row.passed is False]
        made.append("all bars reached" if not missed else "bars missed: " + ", ".join(missed))
    return "\n\n".join(made)
