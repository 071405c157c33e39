#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs clang-tidy 19 on the hardware-free core, as the native Clang build compiles it. Argument: that build's folder."""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
CORE = ("isa", "mm", "emul", "hv")


def core_commands(build: pathlib.Path) -> list[dict]:
    """Returns the compile commands of core sources that are compiled natively; the tree also compiles them for the target."""
    chosen = {}  # by source: with fuzzing, the tree compiles each twice
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if not source.is_relative_to(ROOT):
            continue  # generated
        source = source.relative_to(ROOT)
        native = "riscv64-linux-gnu" not in entry["command"].split()[0]
        if native and source.parts[0] in CORE and source.parts[:2] != ("hv", "arch"):
            chosen.setdefault(source, entry)
    return list(chosen.values())


def main() -> int:
    build = pathlib.Path(sys.argv[1]).resolve()
    commands = core_commands(build)
    # clang-tidy takes each command it finds for a file: leave it only ours.
    database = build / "lint"
    database.mkdir(exist_ok=True)
    (database / "compile_commands.json").write_text(json.dumps(commands))
    sources = sorted({str((pathlib.Path(entry["directory"]) / entry["file"]).resolve()) for entry in commands})

    def tidy(source: str) -> subprocess.CompletedProcess:
        return subprocess.run(["clang-tidy-19", "--quiet", "--warnings-as-errors=*", "-p", str(database), source],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, result in zip(sources, pool.map(tidy, sources)):
            if result.returncode:
                failed += 1
                print(f"{os.path.relpath(source, ROOT)}:\n{result.stdout}")
    print(f"clang-tidy: {len(sources) - failed} of {len(sources)} sources are clean")
    return 1 if failed or not sources else 0


if __name__ == "__main__":
    sys.exit(main())
