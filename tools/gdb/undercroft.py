# SPDX-License-Identifier: MIT
"""gdb commands for Undercroft. `make gdb` loads this; docs/debugging.md shows them at work.

  uc-start                 run to uc_main and move the symbols to where the image runs
  uc-guest-symbols FILE [OFFSET]   add a guest kernel's symbols (OFFSET: run address less link address)
  uc-exit                  run until the guest traps: QEMU shows the hypervisor's memory only while it runs
  uc-vcpu [GUEST [VCPU]]   a vCPU: its registers and virtual CSRs
  uc-exits [N]             the last exits on the hart of vCPU 0
  uc-walk VA               what the guest's own tables say of VA
  uc-shadow VA             what the shadow tables say of it
"""

import os
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import paging  # noqa: E402

LINK_BASE = 0x80200000
WINDOW = {10: 0xFFE8000000000000, 9: 0xFFFFF00000000000, 8: 0xFFFFFFF700000000}
MODES = {0: "Bare", 8: "Sv39", 9: "Sv48", 10: "Sv57"}
REASONS = {
    0: "fetch misaligned", 1: "fetch access", 2: "illegal instruction", 3: "breakpoint", 4: "load misaligned",
    5: "load access", 6: "store misaligned", 7: "store access", 8: "ecall", 12: "fetch page fault", 13: "load page fault",
    15: "store page fault",
}
IRQS = {1: "software interrupt", 5: "timer interrupt", 9: "external interrupt"}


def u64(value):
    return int(value) & (1 << 64) - 1


def guest(index=0):
    machine = gdb.parse_and_eval("uc::the_machine")
    if int(machine) == 0:
        raise gdb.GdbError("no guests yet: continue first")
    guests = machine["guests_"]
    if index >= int(guests["size_"]):
        raise gdb.GdbError(f"there are {int(guests['size_'])} guests")
    return guests["items_"]["_M_elems"][index].dereference()


def vcpu(guest_index=0, index=0):
    span = guest(guest_index)["vcpus_"]
    if index >= (count := int(span["_M_extent"]["_M_extent_value"])):
        raise gdb.GdbError(f"the guest has {count} vCPUs" + ("" if count else ": it is destroyed"))
    return (span["_M_ptr"] + index).dereference()


def reg(value):
    """The raw bits of a typed register."""
    return u64(value["raw"])


class Command(gdb.Command):
    """Base: the subclass's NAME is the command, its docstring the help."""

    NAME = ""

    def __init__(self):
        super().__init__(self.NAME, gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        try:
            self.run(gdb.string_to_argv(argument))
        except gdb.MemoryError as error:
            raise gdb.GdbError(f"{error} (if this is guest code: uc-exit first)") from None


class Start(Command):
    """uc-start: run to uc_main, then move the image's symbols to where it runs."""

    NAME = "uc-start"

    def run(self, argv):
        main = u64(gdb.parse_and_eval("(unsigned long)&uc_main"))
        stops = [gdb.Breakpoint(f"*{base + main - LINK_BASE:#x}", gdb.BP_HARDWARE_BREAKPOINT, internal=True) for base in WINDOW.values()]
        gdb.execute("continue")
        for stop in stops:
            stop.delete()
        pc = u64(gdb.parse_and_eval("$pc"))
        image = gdb.current_progspace().filename
        gdb.execute(f"symbol-file {image} -o {pc - main:#x}")
        print(f"image at {pc - main + LINK_BASE:#x}")


class GuestSymbols(Command):
    """uc-guest-symbols FILE [OFFSET]: add a guest kernel's symbols."""

    NAME = "uc-guest-symbols"

    def run(self, argv):
        offset = f" -o {argv[1]}" if len(argv) > 1 else ""
        gdb.execute(f"add-symbol-file {argv[0]}{offset}")


class Exit(Command):
    """uc-exit: run until the guest traps, and stop in the hypervisor before the exit is handled."""

    NAME = "uc-exit"

    def run(self, argv):
        gdb.execute("thbreak uc_after_trap")
        gdb.execute("continue")


class Vcpu(Command):
    """uc-vcpu [GUEST [VCPU]]: registers and virtual CSRs of a vCPU."""

    NAME = "uc-vcpu"

    def run(self, argv):
        v = vcpu(*(int(a) for a in argv))
        hart = v["frame"]["hart"]
        x = hart["x"]["_M_elems"]
        for row in range(0, 32, 4):
            print("  ".join(f"x{i:<2} {u64(x[i]):#018x}" for i in range(row, row + 4)))
        satp = reg(hart["satp"])
        print(f"pc       {u64(hart['pc']):#018x}  in {'S' if int(hart['priv']) else 'U'}-mode")
        for name in ("sstatus", "sie", "sip", "stvec", "scounteren", "scause", "satp"):
            print(f"{name:<10} {reg(hart[name]):#018x}")
        for name in ("sscratch", "sepc", "stval", "stimecmp"):
            print(f"{name:<10} {u64(hart[name]):#018x}")
        print(f"translation {MODES.get(satp >> 60, '?')}, ASID {satp >> 44 & 0xFFFF}, root {(satp & (1 << 44) - 1) << 12:#x}")
        kinds = v["stats"]["kinds"]["_M_elems"]
        exits = sum(u64(kinds[i]["count"]["value_"]) for i in range(kinds.type.strip_typedefs().range()[1] + 1))
        print(f"lines {u64(v['lines']):#x}  waiting {bool(v['waiting'])}  host satp {u64(v['host_satp']):#x}  exits {exits}")


class Exits(Command):
    """uc-exits [N]: the last N exits (16) on the hart that runs vCPU 0, or ran it last; oldest first."""

    NAME = "uc-exits"

    def run(self, argv):
        trace = vcpu()["trace"].dereference()
        reasons = gdb.lookup_type("uc::ExitReason")
        word = lambda slot, field: u64(slot[field]["value_"])  # noqa: E731
        total, mask = u64(trace["next_"]["value_"]), u64(trace["mask_"])
        # The one that is being handled is not counted yet.
        count = min(int(argv[0]) if argv else 16, total, mask + 1)
        for number in range(total - count, total):
            record = trace["slots_"][number & mask]
            cause, tag = word(record, "scause"), word(record, "tag")
            name = IRQS.get(cause & 0xFF, "?") if cause >> 63 else REASONS.get(cause, "?")
            reason = str(gdb.Value(tag & 0xFF).cast(reasons)).rsplit("::", 1)[-1]
            who = f"guest {tag >> 16} vCPU {tag >> 8 & 0xFF}"
            if reason == "Count":
                print(f"{number:>10}  from here on: {who}")
                continue
            print(f"{number:>10}  pc {word(record, 'pc'):#018x}  {name:<20} {reason:<14} stval {word(record, 'stval'):#x}  {who}")


def guest_memory(guest_value):
    """A reader of the guest's physical memory: address -> doubleword, or None outside."""
    ram = guest_value["ram_"]
    base, size, host = u64(ram["base_"]["raw"]), u64(ram["size_"]), u64(ram["bytes_"])
    inferior = gdb.selected_inferior()

    def read(address):
        if not base <= address <= base + size - 8:
            return None
        return int.from_bytes(inferior.read_memory(host + address - base, 8).tobytes(), "little")

    return read


class WalkGuest(Command):
    """uc-walk VA: the guest's own translation of VA, entry by entry."""

    NAME = "uc-walk"

    def run(self, argv):
        va = u64(gdb.parse_and_eval(argv[0]))
        paging.show(va, reg(vcpu()["frame"]["hart"]["satp"]), guest_memory(guest()))


class WalkShadow(Command):
    """uc-shadow VA: the shadow tables' translation of VA under the root the vCPU runs on."""

    NAME = "uc-shadow"

    def run(self, argv):
        va = u64(gdb.parse_and_eval(argv[0]))
        window = gdb.parse_and_eval("uc::arch::window")
        offset = u64(window["base"]["raw"]) + (1 << 30) - u64(window["physmap_base"]["raw"])
        inferior = gdb.selected_inferior()

        def read(address):
            return int.from_bytes(inferior.read_memory((address + offset) & (1 << 64) - 1, 8).tobytes(), "little")

        paging.show(va, u64(vcpu()["host_satp"]), read)


# A guest's kernel may run on an execute-only copy of its code (docs/replacing.md): gdb reads code from the files instead.
gdb.execute("set trust-readonly-sections on")
for command in (Start, GuestSymbols, Exit, Vcpu, Exits, WalkGuest, WalkShadow):
    command()
print("Undercroft: uc-start, uc-guest-symbols, uc-exit, uc-vcpu, uc-exits, uc-walk, uc-shadow (see docs/debugging.md)")
