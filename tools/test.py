#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every test: the host tests of each build folder given, then the guests in QEMU. Ends with `N passed, N failed`."""

import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PASSED = {"OK", "EXPECTEDFAIL"}


def run_host_tests(build: pathlib.Path) -> collections.Counter:
    """Runs the unit tests of one Meson build folder and counts what its log records."""
    print(f"== host tests in {build}", flush=True)
    log = build / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    status = subprocess.run(["meson", "test", "-C", str(build), "--print-errorlogs"], stdin=subprocess.DEVNULL).returncode
    results = [json.loads(line)["result"] for line in log.read_text().splitlines()] if log.exists() else []
    counts = collections.Counter("passed" if result in PASSED else "failed" for result in results if result != "SKIP")
    # Without a log nothing was built or run; that, too, is a failure.
    if not results or (status and not counts["failed"]):
        counts["failed"] += 1
    return counts


def run_qemu_tests() -> collections.Counter:
    """Runs tests/qemu and takes the counts from its last line."""
    print("== guests in QEMU", flush=True)
    process = subprocess.Popen([str(ROOT / "tests/qemu/run.py")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    last = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        last = line
    summary = re.fullmatch(r"(\d+) passed, (\d+) failed\n", last)
    if not summary or bool(process.wait()) != bool(int(summary[2])):
        return collections.Counter(failed=1)
    return collections.Counter(passed=int(summary[1]), failed=int(summary[2]))


def main() -> int:
    total = collections.Counter()
    for build in sys.argv[1:]:
        total += run_host_tests(pathlib.Path(build))
    total += run_qemu_tests()
    print(f"{total['passed']} passed, {total['failed']} failed")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
