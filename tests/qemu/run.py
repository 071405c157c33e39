#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots guests in QEMU and checks what they print. Ends with `N passed, N failed`; exit status 1 when any failed.

Arguments select tests by a part of their name (`shell`, `[u54]`), by --tag or by --machine. Those tagged `stress` take
long and run only with --tag stress. QEMU and BIOS in the environment choose the emulator and firmware for all machines but `newer`.
"""

import argparse
import concurrent.futures
import importlib
import os
import pathlib
import signal
import sys
import time

sys.dont_write_bytecode = True

from console import Console  # noqa: E402
import suite  # noqa: E402


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="*", help="run tests whose name holds one of these")
    parser.add_argument("--tag", action="append", default=[], help="run tests with one of these tags")
    parser.add_argument("--skip-tag", action="append", default=[], help="leave out tests with one of these tags")
    parser.add_argument("--machine", action="append", default=[], choices=suite.ALL, help="run tests on one of these machines")
    parser.add_argument("--list", action="store_true", help="list the tests instead of running them")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1, help="how many at once (default: one per processor)")
    return parser.parse_args()


def select(args: argparse.Namespace) -> list[suite.Test]:
    skipped = set(args.skip_tag) | ({"stress"} - set(args.tag))

    def wanted(test: suite.Test) -> bool:
        return ((not args.name or any(part in test.name for part in args.name))
                and (not args.tag or bool(test.tags & set(args.tag))) and not test.tags & skipped
                and (not args.machine or test.machine in args.machine))

    # Long ones first, so that none of them is left to run alone at the end.
    return sorted(filter(wanted, suite.TESTS), key=lambda test: "long" not in test.tags)


def run(tests: list[suite.Test], jobs: int) -> int:
    """Runs all; returns the number that failed."""
    def timed(test: suite.Test) -> tuple[str, float]:
        start = time.monotonic()
        return suite.run_one(test), time.monotonic() - start

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        try:
            pending = {pool.submit(timed, test): test for test in tests}
            for future in concurrent.futures.as_completed(pending):
                reason, seconds = future.result()
                print(f"{'FAIL' if reason else 'PASS'} {pending[future].name} ({seconds:.1f} s)", flush=True)
                if reason:
                    failed += 1
                    print("  " + reason.replace("\n", "\n  "), flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            Console.kill_all()
            raise
    return failed


def main() -> int:
    args = parse_arguments()
    for case in sorted((pathlib.Path(__file__).parent / "cases").glob("*.py")):
        importlib.import_module(f"cases.{case.stem}")
    tests = select(args)
    if args.list:
        for test in tests:
            print(test.name, *sorted(test.tags))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    failed = run(tests, args.jobs)
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
