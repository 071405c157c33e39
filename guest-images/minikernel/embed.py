#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes an assembly file that embeds programs: embed.py OUTPUT ELF... makes the table that programs.hpp declares."""

import pathlib
import sys

output, *programs = map(pathlib.Path, sys.argv[1:])
table, bodies = [], []
for n, program in enumerate(programs):
    table.append(f".dword name{n}, start{n}, end{n}\n")
    bodies.append(f'name{n}: .asciz "{program.stem}"\n.balign 16\nstart{n}: .incbin "{program.resolve()}"\nend{n}:\n')
output.write_text(".section .rodata\n.balign 16\n.globl programs\nprograms:\n"
                  + "".join(table) + ".dword 0, 0, 0\n" + "".join(bodies))
