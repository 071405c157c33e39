#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that each file includes only lower floors, and that asm and CSR access stay in hv/arch/.

The floors are those of docs/contributing.md. Prints each violation as file:line and exits with 1 if there is any.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Folder (longest match wins) -> folders it may include.
ALLOWED = {
    "isa": {"isa"},
    "mm": {"isa", "mm"},
    "emul": {"isa", "emul"},
    "hv": {"isa", "mm", "emul", "hv"},
    "hv/arch": {"isa", "mm", "emul", "hv", "hv/arch"},
    "hv/main.cpp": {"isa", "mm", "emul", "hv", "hv/arch"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
ASM = re.compile(r"\b(?:asm|__asm__)\b\s*(?:volatile\b\s*)?\(|\bcsr[rwsc]i?\b")
HOSTED = {"string", "memory", "vector", "iostream", "map", "memory_resource", "thread", "mutex", "functional", "cstdio", "cstdlib", "cmath"}
LINE_LIMIT = 500


def folder_of(path: str) -> str:
    return max((key for key in ALLOWED if path == key or path.startswith(key + "/")), key=len)


def violations(path: pathlib.Path):
    name = path.relative_to(ROOT).as_posix()
    home = folder_of(name)
    lines = path.read_text().splitlines()
    if len(lines) > LINE_LIMIT:
        yield f"{name}:{LINE_LIMIT}: longer than {LINE_LIMIT} lines"
    if "SPDX-License-Identifier: MIT" not in lines[0]:
        yield f"{name}:1: no SPDX line"
    for number, line in enumerate(lines, 1):
        code = re.sub(r'"[^"]*"', '""', line).split("//")[0]
        if match := INCLUDE.match(line):
            quoted, angled = match.groups()
            if quoted and folder_of_include(quoted) not in ALLOWED[home]:
                yield f"{name}:{number}: {home}/ may not include {quoted}"
            if angled in HOSTED:
                yield f"{name}:{number}: <{angled}> is not freestanding"
        elif home not in ("hv/arch",) and path.suffix != ".S" and ASM.search(code):
            yield f"{name}:{number}: asm or CSR access outside hv/arch/"


def folder_of_include(include: str) -> str:
    parent = include.rsplit("/", 1)[0] if "/" in include else "."
    return parent


def main() -> int:
    sources = [p for top in ("isa", "mm", "emul", "hv") for p in sorted((ROOT / top).rglob("*")) if p.suffix in {".hpp", ".cpp", ".h", ".S"} and "shim" not in p.parts]
    found = [v for path in sources for v in violations(path)]
    print("\n".join(found) if found else f"{len(sources)} files keep to their floors")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
