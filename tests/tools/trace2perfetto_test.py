#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests tools/trace2perfetto, and the checker of its output (trace_format.py) against traces that are broken on purpose."""

import copy
import importlib.machinery
import importlib.util
import json
import pathlib
import subprocess
import sys
import unittest
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import trace_format  # noqa: E402

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools/trace2perfetto"


def load_tool():
    loader = importlib.machinery.SourceFileLoader("trace2perfetto", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


tool = load_tool()


def line(body):
    text = f"uct:{body}"
    return f"{text} *{zlib.crc32(text.encode()):x}"


# Two harts; vCPU 1 of guest 0 moves from one to the other, where the clock is 50 ns behind.
RECORDS = [
    "m 0 10 1000 0 1",
    "x 0 11 1500 0 1 200 csr 8 ffffffc080206272 0",
    "x 0 12 2000 0 1 900 wfi 8 ffffffc080206272 0",
    "m 0 13 9000 1 0",
    "x 0 14 9500 1 0 0 shadow-fill f 1000 2000",
    "m 3 7 2850 0 1",
    "x 3 8 3850 0 1 10 timer 8000000000000005 1000 0",
]


def dump(records=RECORDS, count=None):
    count = len(records) if count is None else count
    return [line(f"b 1 {count}"), line("g 0 west"), line("g 1 my guest"), *map(line, records), line(f"e {count}")]


def convert(lines, partial=False):
    return tool.convert(tool.choose(tool.read_dumps("\n".join(lines)), partial))


def slices(trace, pid, tid):
    """Name, begin and length in ns of what stands on a track."""
    return [(e["name"], round(e["ts"] * 1000), round(e.get("dur", 0) * 1000)) for e in trace["traceEvents"]
            if e["ph"] in "Xi" and (e["pid"], e["tid"]) == (pid, tid)]


class Conversion(unittest.TestCase):
    def test_tracks(self):
        trace = convert(dump())
        self.assertEqual(trace_format.problems(trace), [])
        self.assertEqual(slices(trace, 1, 1), [("west vCPU 1", 0, 500), ("csr", 500, 200), ("west vCPU 1", 700, 300),
                                               ("wfi", 1000, 900), ("my guest vCPU 0", 8000, 500), ("shadow-fill", 8500, 0)])
        self.assertEqual(slices(trace, 1, 4), [("west vCPU 1", 1850, 1000), ("timer", 2850, 10)])
        self.assertEqual(slices(trace, 2, 2), [("guest", 0, 500), ("csr", 500, 200), ("guest", 700, 300), ("wfi", 1000, 900),
                                               ("guest", 1900, 950), ("timer", 2850, 10)])
        self.assertEqual(slices(trace, 3, 1), [("guest", 8000, 500), ("shadow-fill", 8500, 0)])
        names = {(e["pid"], e["tid"]): e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "thread_name"}
        self.assertEqual(names, {(1, 1): "hart 0", (1, 4): "hart 3", (2, 2): "vCPU 1", (3, 1): "vCPU 0"})

    def test_arguments(self):
        events = [e for e in convert(dump())["traceEvents"] if e["name"] in ("timer", "shadow-fill")]
        self.assertEqual(events[-2]["args"], {"trap": "timer interrupt", "pc": "0x1000", "stval": "0x0", "number": 8, "hart": 3})
        self.assertEqual(events[-1]["args"]["trap"], "store page fault")
        self.assertEqual((events[-1]["ph"], events[-1]["s"]), ("i", "t"), "what was not timed has no length")

    def test_no_guest_runs_where_records_are_missing(self):
        trace = convert(dump([RECORDS[0], RECORDS[2]]))
        self.assertEqual(slices(trace, 1, 1), [("wfi", 1000, 900)])

    def test_other_text_around(self):
        lines = [f"uc> \x1b[K\x1b[K{each}" for each in dump()]
        noise = ["[uc] west: reboot", "west| uct: is what I print", line("x 1 2"), "uct:e 7 *0", "trace dump", ""]
        mixed = noise[:2] + [text for pair in zip(lines, noise[3:] * len(lines)) for text in pair]
        self.assertEqual(convert(mixed), convert(dump()))
        self.assertEqual(tool.convert(tool.choose(tool.read_dumps("\r\n".join(mixed)), False)), convert(dump()))

    def test_the_last_complete_dump_is_taken(self):
        other = dump([RECORDS[0], "x 0 11 1500 0 1 7 satp 8 0 0"])
        self.assertEqual(convert(other + dump()), convert(dump()))
        self.assertEqual(convert(dump() + other[:-1]), convert(dump()))
        self.assertNotEqual(convert(dump() + other[:-1], partial=True), convert(dump()))

    def test_empty(self):
        trace = convert(dump([]))
        self.assertEqual(trace["traceEvents"], [])
        self.assertEqual(trace_format.problems(trace), [])

    def refuse(self, lines, reason):
        with self.assertRaisesRegex(tool.Broken, reason):
            convert(lines)

    def test_what_is_missing_is_told(self):
        self.refuse(["nothing"], "no dump")
        for missing in range(3, len(dump())):
            self.refuse(dump()[:missing] + dump()[missing + 1:], "incomplete: [67] of 7 records")
            damaged = dump()
            damaged[missing] = damaged[missing].replace(" ", " 9", 1)
            self.refuse(damaged, "incomplete")
            self.assertEqual(trace_format.problems(convert(damaged, partial=True)), [])
        self.refuse(dump(count=8), "7 of 8 records")

    def test_what_is_not_understood_is_told(self):
        self.refuse([line("b 2 0"), line("e 0")], "version 2")
        for odd in ("y 1", "x 1 2 3", "m 0 1 2 3 four", "x 0 1 2 3 4 5 csr 8 zz 0", "g", "m 0 1 2 3 4 5"):
            self.refuse([*dump()[:3], line(odd), *dump()[3:]], "not understood")

    def test_command(self):
        def run(text):
            return subprocess.run([TOOL], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        good = run("\n".join(dump()))
        self.assertEqual((good.returncode, good.stderr), (0, ""))
        self.assertEqual(json.loads(good.stdout), convert(dump()))
        bad = run("\n".join(dump()[:-1]))
        self.assertEqual((bad.returncode, bad.stdout), (1, ""))
        self.assertIn("and no end; --partial takes them", bad.stderr)


class Format(unittest.TestCase):
    """The checker refuses what is broken: each case changes a good trace, and names what must be found."""

    def setUp(self):
        self.trace = convert(dump())

    def broken(self, change, reason):
        trace = copy.deepcopy(self.trace)
        change(trace["traceEvents"])
        found = trace_format.problems(trace)
        self.assertTrue(any(reason in problem for problem in found), f"{reason!r} is not among {found}")

    def of(self, events, name, index=0):
        return [e for e in events if e["name"] == name][index]

    def test_fields(self):
        for field in ("name", "ph", "ts", "pid", "tid", "dur"):
            self.broken(lambda events, f=field: self.of(events, "csr").pop(f), "None" if field == "ph" else f"{field} is missing")
        for field, value in (("ts", "0"), ("ts", True), ("dur", None), ("pid", 1.5), ("tid", "1"), ("name", 5), ("args", []),
                             ("ts", float("nan"))):
            self.broken(lambda events, f=field, v=value: self.of(events, "csr").update({f: v}), f"{field} is ")
        self.broken(lambda events: self.of(events, "csr").update(dur=-1), "dur is negative")
        self.broken(lambda events: self.of(events, "csr").update(ts=-1), "ts is negative")
        self.broken(lambda events: self.of(events, "csr").update(name=""), "name is empty")
        self.broken(lambda events: self.of(events, "csr").update(duration=1), "duration is no field of phase X")
        self.broken(lambda events: self.of(events, "csr").update(s="t"), "s is no field of phase X")
        self.broken(lambda events: self.of(events, "csr").update(ph="Y"), "phase 'Y' is not one of")
        self.broken(lambda events: self.of(events, "shadow-fill").update(s="x"), "s is not one of g, p, t")
        self.broken(lambda events: events.append("event"), "not an object")
        self.broken(lambda events: events.append({"name": "n", "ph": "C", "ts": 0, "pid": 1, "tid": 1, "args": {"v": "1"}}),
                    "a counter's arguments must be numbers")
        self.broken(lambda events: events.append({"name": "n", "ph": "s", "ts": 0, "pid": 1, "tid": 1}), "id is missing")
        self.broken(lambda events: self.of(events, "csr").update(sf="7"), "stack frame 7 does not exist")

    def test_metadata(self):
        self.broken(lambda events: self.of(events, "thread_name").update(name="thread"), "no metadata is called thread")
        self.broken(lambda events: self.of(events, "thread_name").update(args={"name": 1}), "must be a single name, str")
        self.broken(lambda events: self.of(events, "thread_name").update(args={"name": ""}), "thread_name is empty")
        self.broken(lambda events: self.of(events, "process_sort_index").update(args={"name": "1"}), "single sort_index, int")
        self.broken(lambda events: events.remove(self.of(events, "thread_name")), "its track 1/1 has no name")
        self.broken(lambda events: events.remove(self.of(events, "process_name")), "its process 1 has no name")
        self.broken(lambda events: events.append(self.of(events, "thread_name") | {"args": {"name": "x"}}), "another name")

    def test_time(self):
        self.broken(lambda events: self.of(events, "csr").update(dur=0.201), "overlaps")
        self.broken(lambda events: events.append(self.of(events, "csr") | {"ts": 0.1}), "is earlier than the one before it")
        good = copy.deepcopy(self.trace)
        inner = self.of(good["traceEvents"], "csr")
        good["traceEvents"].insert(good["traceEvents"].index(inner) + 1, inner | {"ts": 0.6, "dur": 0.1})
        self.assertEqual(trace_format.problems(good), [], "what lies within is no overlap")

    def test_pairs(self):
        begin = {"name": "n", "ph": "B", "ts": 100, "pid": 1, "tid": 1}
        end = {"ph": "E", "ts": 101, "pid": 1, "tid": 1}
        good = copy.deepcopy(self.trace)
        good["traceEvents"] += [begin, end]
        self.assertEqual(trace_format.problems(good), [])
        self.broken(lambda events: events.append(begin), "a B has no E")
        self.broken(lambda events: events.append(end), "ends nothing")

    def test_top(self):
        self.assertEqual(trace_format.problems([]), ["the trace is not an object"])
        self.assertEqual(trace_format.problems({}), ["traceEvents is missing"])
        self.assertEqual(trace_format.problems({"traceEvents": {}}), ["traceEvents is not list"])
        self.assertEqual(trace_format.problems(self.trace | {"displayTimeUnit": "us"}), ["displayTimeUnit is neither ms nor ns"])
        self.assertEqual(trace_format.problems(self.trace | {"otherData": 1}), ["otherData is not dict"])


if __name__ == "__main__":
    unittest.main()
