# SPDX-License-Identifier: MIT
"""Prints a page-table walk (Privileged 1.12, 4.3.2), whoever owns the tables."""

FLAGS = "VRWXUGAD"
LEVELS = {8: 3, 9: 4, 10: 5}


def flags(pte):
    return "".join(letter if pte >> bit & 1 else "-" for bit, letter in enumerate(FLAGS))


def show(va, satp, read):
    """Walks `va` under `satp`; `read(physical)` gives a doubleword, or None where there is no memory."""
    mode = satp >> 60
    if mode not in LEVELS:
        print(f"satp {satp:#x}: no translation, {va:#x} is physical")
        return
    table = (satp & (1 << 44) - 1) << 12
    for level in reversed(range(LEVELS[mode])):
        index = va >> 12 + 9 * level & 511
        pte = read(table + 8 * index)
        if pte is None:
            print(f"level {level}: table {table:#x} lies outside memory")
            return
        print(f"level {level}: table {table:#x}[{index}] = {pte:#018x} {flags(pte)}")
        if not pte & 1:
            return
        target = (pte >> 10 & (1 << 44) - 1) << 12
        if pte & 0xE:
            print(f"{va:#x} -> {target | va & (1 << 12 + 9 * level) - 1:#x}")
            return
        table = target
