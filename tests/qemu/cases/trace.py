# SPDX-License-Identifier: MIT
"""The exit trace, from the monitor to a file for Perfetto."""

import json
import re
import subprocess
import sys

from console import Console, Failure
from monitor import BEGIN, COUNTER_CODE, Monitor, properties, tree
from suite import ROOT, Bench, test

from cases.guests_many import minikernel, raw

sys.path.insert(0, str(ROOT / "tests/tools"))
import trace_format  # noqa: E402

TOOL = ROOT / "tools/trace2perfetto"


def perfetto(bench: Bench, console: Console) -> list[dict]:
    """What the tool makes of the console's text so far, which must be sound."""
    log, out = bench.folder / "console.txt", bench.folder / "trace.json"
    log.write_text(console.text)
    done = subprocess.run([TOOL, log, "-o", out], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise console.failure(f"trace2perfetto: {done.stderr}")
    trace = json.loads(out.read_text())
    if problems := trace_format.problems(trace):
        raise Failure("the trace is broken:\n" + "\n".join(problems[:20]))
    return trace["traceEvents"]


def dump(monitor: Monitor) -> None:
    monitor.ask("trace dump", r"uct:b 1 \d+ \*", r"uct:e \d+ \*[0-9a-f]+\n")


def wait_for_timer(monitor: Monitor, guest: str) -> None:
    """Asks until the guest was interrupted by a timer once more: the end of its slice takes a moment to come."""
    first = None
    for _ in range(10000):
        monitor.console.send(f"stats {guest}\r")
        rows = monitor.console.expect(BEGIN + guest + r": \d+ exits$([\s\S]*?)uc> ")[1]
        timers = int(found[1]) if (found := re.search(r"timer +(\d+)", rows)) else 0
        first = timers if first is None else first
        if timers > first:
            return
    raise Failure(f"{guest} is never interrupted by a timer")


def causes(events: list[dict], process: str) -> set[str]:
    """Why the vCPUs of a guest left it."""
    pids = {e["pid"] for e in events if e["name"] == "process_name" and e["args"]["name"] == process}
    return {e["name"] for e in events if e["pid"] in pids and e.get("cat") == "hypervisor"}


@test(["noh", "u54", "nosstc", "smp4"], tags=["monitor", "trace"])
def trace_to_perfetto(bench: Bench) -> None:
    """Two guests are traced; their exits can be converted, and are those that they must have had."""
    payload = tree(bench, minikernel() | raw(bench, "counter", COUNTER_CODE), {
        "counter": properties("counter"), "mini": properties("minikernel", "quiet")})
    with bench.inside(payload, append="undercroft.trace=timed undercroft.stats -- ") as console:
        console.expect(r"^\[uc\] trace: 1024 exits for each hart, timed by (cycle|time), \d+ MHz$")
        # Its last exits are there as long as those of the counter, which has few, have not taken their places.
        console.expect(r"^mini\| minikernel: PASS$")
        console.expect(r"^\[uc\] mini: exits csr \d+ mean \d+ ns$")
        console.expect(r"^\[uc\] mini: shutdown$")
        monitor = Monitor(console)
        monitor.open()
        wait_for_timer(monitor, "counter")
        dump(monitor)
        events = perfetto(bench, console)
        for process, expected in (("mini", {"csr", "sbi"}), ("counter", {"timer"})):
            if missing := expected - causes(events, process):
                raise Failure(f"{process} had no exits by {missing}: {sorted(causes(events, process))}")
        harts = {e["tid"] for e in events if e["name"] == "thread_name" and e["args"]["name"].startswith("hart ")}
        if len(harts) < min(2, bench.machine.smp):
            raise Failure(f"of {bench.machine.smp} harts, which two guests share, {len(harts)} were traced")
        running = [e for e in events if e.get("cat") == "guest"]
        if not any(e["name"] == "counter vCPU 0" for e in running):
            raise Failure("the counter was never seen to run")
        timed = [e for e in events if e["ph"] == "X" and e.get("cat") == "hypervisor"]
        if not timed:
            raise Failure("no exit was timed")
        monitor.ask("trace 3 counter", r" +time \(s\) hart guest:vCPU +cause", r" +\d+\.\d{9} +\d+ counter:0 +[a-z-]+ .*\d$")
        monitor.ask("stats counter", r"counter: \d+ exits$", r" +cause +count", r" +timer +\d+ +\d+\.\d % +\d+ ns$")
        monitor.ask("quit", r"not ended yet: counter; quit again ends it$")
        monitor.ask("quit")
        bench.end(console)


@test(["noh"], tags=["monitor", "trace"])
def trace_without_times(bench: Bench) -> None:
    """Untimed exits are shown without times, and none where none are kept."""
    payload = tree(bench, raw(bench, "counter", COUNTER_CODE), {"counter": properties("counter")})
    for mode, answers in (("untimed", (r" +time \(s\) hart", r" +\d+\.\d{9} +\d+ counter:0 .* -$")),
                          ("off", (r"no exits are kept$",))):
        with bench.inside(payload, append=f"undercroft.trace={mode} -- ") as console:
            console.expect(r"^\[uc\] guest counter: ")
            monitor = Monitor(console)
            monitor.open()
            monitor.ask("stats", r"counter: \d+ exits$", r" +cause +count", r" +[a-z-]+ +\d+ +\d+\.\d % +-$")
            monitor.ask("trace", *answers)
            dump(monitor)
            perfetto(bench, console)
            monitor.ask("quit")
            monitor.ask("quit")
            bench.end(console)
