# SPDX-License-Identifier: MIT
"""Machines that lack what is needed, and settings that change how guests run."""

import dataclasses
import re
from collections.abc import Callable

from gdb_stub import PC, GdbStub, address_of
from run_qemu import HYPERVISOR, Machine
from suite import Bench, guest, require_equal, test, transcript

A0, A1 = 10, 11  # argument registers (RISC-V ELF psABI)


def refuses(bench: Bench, machine: Machine, pattern: str) -> None:
    """On `machine` Undercroft must say one error, matching `pattern`, and switch off."""
    bench.machine = machine
    with bench.inside(guest("minikernel")) as console:
        console.finish()
        errors = re.findall(r"^\[uc\] error: (.*)$", console.text, re.MULTILINE)
        if len(errors) != 1 or not re.search(pattern, errors[0]):
            raise console.failure(f"not one error that matches /{pattern}/: {errors}")


@test(["rv64"], tags=["machine"])
def machine_without_mmu(bench: Bench) -> None:
    refuses(bench, dataclasses.replace(bench.machine, cpu="rv64,mmu=off"), "no paged address translation")


@test(["noh"], tags=["machine"])
def machine_with_little_memory(bench: Bench) -> None:
    refuses(bench, dataclasses.replace(bench.machine, memory="32M"), r"guest0.*256 MiB do not fit.*14 MiB")


@test(["noh", "u54"], tags=["machine"])
def nothing_replaced(bench: Bench) -> None:
    """With every privileged instruction left as it is, guests say what they say on the bare machine."""
    for name, options in (("minikernel", "repeat=2"), ("privileged_code", "quiet")):
        with bench.bare(guest(name), append=options) as console:
            bare = transcript(bench.end(console))
        with bench.inside(guest(name), append=f"undercroft.replace=off -- {options}") as console:
            require_equal(bare, transcript(bench.end(console)))


def boot_with_stray(bench: Bench, stray: Callable[[GdbStub], None], *expected: str) -> None:
    """Boots two harts; `stray` misleads the second as it comes from firmware. Then the lines `expected` are seen, and a guest ends well."""
    stub = GdbStub(bench.folder)
    bench.machine = dataclasses.replace(bench.machine, smp=2, extra=stub.arguments)
    with bench.inside(guest("smp_ipi"), append="vcpus=2 -- ") as console:
        try:
            with stub:
                stray(stub)
        except (OSError, RuntimeError) as error:
            raise console.failure(f"the debugger's port: {error}") from error
        bench.end(console)
        for line in (*expected, "PASS smp_ipi"):
            if f"{line}\n" not in console.text:
                raise console.failure(f"no line '{line}'")


@test(["noh", "u54"], tags=["machine", "smp"])
def hart_started_at_boot_address(bench: Bench) -> None:
    """A hart that firmware was asked to start may come to where the machine boots, with what the first got: OpenSBI 1.1 has that race."""
    def stray(stub: GdbStub) -> None:
        stub.run_to(address_of(HYPERVISOR, "_start"))
        fdt = stub.read(A1)
        stub.run_to(address_of(HYPERVISOR, "uc_secondary_start"))
        stub.write(PC, address_of(HYPERVISOR, "_start"))
        stub.write(A1, fdt)

    boot_with_stray(bench, stray, "[uc] 2 of 2 harts run guests")


@test(["noh"], tags=["machine", "smp"])
def hart_nobody_waits_for(bench: Bench) -> None:
    """A hart that was not asked for does not boot, wherever it came in. The one that was is given up after as many looks as take QEMU some seconds."""
    def stray(stub: GdbStub) -> None:
        stub.run_to(address_of(HYPERVISOR, "uc_secondary_start"))
        stub.write(A0, 77)
        stub.write(PC, address_of(HYPERVISOR, "_start"))

    boot_with_stray(bench, stray, "was started and did not arrive", "[uc] 1 of 2 harts run guests")
