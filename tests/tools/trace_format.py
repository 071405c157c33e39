# SPDX-License-Identifier: MIT
"""Says what is wrong with a trace, by the Trace Event Format (its object form) and by what a viewer makes of it.

Stricter than viewers are: a field that an event's phase does not have is an error, and so is a track without a name. Phases
that nothing here writes (samples, objects, memory dumps and the like) are refused as well.
"""

import numbers

ANY = object()
COMMON = {"name": str, "ph": str, "ts": float, "pid": int, "tid": int}
OPTIONAL = {"cat": str, "args": dict, "tts": float, "cname": str, "sf": ANY, "stack": list}
# Phase -> fields it must have besides the common ones, and fields it may have.
PHASES = {
    "B": ({}, {}),
    "E": ({}, {}),
    "X": ({"dur": float}, {"tdur": float, "esf": ANY, "estack": list}),
    "i": ({}, {"s": str}),
    "C": ({"args": dict}, {"id": ANY}),
    "b": ({"cat": str, "id": ANY}, {"scope": str}),
    "n": ({"cat": str, "id": ANY}, {"scope": str}),
    "e": ({"cat": str, "id": ANY}, {"scope": str}),
    "s": ({"cat": str, "id": ANY}, {}),
    "t": ({"cat": str, "id": ANY}, {}),
    "f": ({"cat": str, "id": ANY}, {"bp": str}),
    "M": ({"args": dict}, {}),
}
METADATA = {"process_name": ("name", str), "process_labels": ("labels", str), "process_sort_index": ("sort_index", int),
            "thread_name": ("name", str), "thread_sort_index": ("sort_index", int)}
TOP = {"traceEvents": list, "displayTimeUnit": str, "systemTraceEvents": str, "powerTraceAsString": str, "stackFrames": dict,
       "samples": list, "controllerTraceDataKey": str, "otherData": dict}


def is_a(value, kind):
    """JSON's numbers are Python's int and float; bool is neither here."""
    if kind is ANY:
        return isinstance(value, (int, str)) and not isinstance(value, bool)
    if kind in (int, float) and isinstance(value, bool):
        return False
    if kind is float:
        return isinstance(value, numbers.Real) and value == value and abs(value) != float("inf")
    return isinstance(value, kind)


def check_metadata(event):
    if event["name"] not in METADATA:
        yield f"no metadata is called {event['name']}"
        return
    field, kind = METADATA[event["name"]]
    if set(event["args"]) != {field} or not is_a(event["args"][field], kind):
        yield f"the arguments of {event['name']} must be a single {field}, {kind.__name__}"
    elif kind is str and not event["args"][field]:
        yield f"{event['name']} is empty"


def check_event(event):
    """What is wrong with one event taken alone."""
    if not isinstance(event, dict):
        yield "not an object"
        return
    if event.get("ph") not in PHASES:
        yield f"phase {event.get('ph')!r} is not one of {' '.join(PHASES)}"
        return
    required, optional = PHASES[event["ph"]]
    required = COMMON | required
    optional = OPTIONAL | optional
    if event["ph"] == "M":  # has no moment
        required = {name: kind for name, kind in required.items() if name != "ts"}
        optional = optional | {"ts": float}
    if event["ph"] == "E":
        required = {name: kind for name, kind in required.items() if name != "name"}
        optional = optional | {"name": str}
    for name in required.keys() - event.keys():
        yield f"{name} is missing"
    known = required | optional
    for name, value in event.items():
        if name not in known:
            yield f"{name} is no field of phase {event['ph']}"
        elif not is_a(value, known[name]):
            yield f"{name} is {value!r}, not {getattr(known[name], '__name__', 'a number or a text')}"
    if required.keys() - event.keys() or any(n in event and not is_a(event[n], k) for n, k in known.items()):
        return
    for name in ("ts", "dur", "tts", "tdur"):
        if event.get(name, 0) < 0:
            yield f"{name} is negative"
    if event.get("name") == "":
        yield "name is empty"
    if event["ph"] == "i" and event.get("s", "t") not in ("g", "p", "t"):
        yield "s is not one of g, p, t"
    if event["ph"] == "f" and event.get("bp", "e") != "e":
        yield "bp is not e"
    if event["ph"] == "C" and not (event["args"] and all(is_a(v, float) for v in event["args"].values())):
        yield "a counter's arguments must be numbers"
    if event["ph"] == "M":
        yield from check_metadata(event)


def ns(microseconds):
    return round(microseconds * 1000)


def check_track(events):
    """Slices of one track must nest or lie apart, and stand in order of time."""
    last, ends = 0, []  # ends of the slices that are open; None: of a B, whose E is to come
    for index, event in events:
        begin = ns(event["ts"])
        if begin < last:
            yield index, "is earlier than the one before it on its track"
        last = max(last, begin)
        while ends and ends[-1] is not None and ends[-1] <= begin:
            ends.pop()
        if event["ph"] == "X":
            end = begin + ns(event["dur"])
            if ends and ends[-1] is not None and end > ends[-1]:
                yield index, "overlaps the slice before it and does not lie within it"
            ends.append(end)
        elif event["ph"] == "B":
            ends.append(None)
        elif event["ph"] == "E":
            if not ends or ends[-1] is not None:
                yield index, "ends nothing that was begun"
            else:
                ends.pop()
    if None in ends:
        yield events[-1][0], "is the last of its track, where a B has no E"


def check_names(events):
    """Each process and each track that has events must have a name, and only one."""
    named = {"process_name": {}, "thread_name": {}}
    for index, event in events:
        if event["ph"] != "M" or event["name"] not in named:
            continue
        key = event["pid"] if event["name"] == "process_name" else (event["pid"], event["tid"])
        if named[event["name"]].setdefault(key, event["args"]["name"]) != event["args"]["name"]:
            yield index, "gives another name to what has one"
    for index, event in events:
        if event["ph"] == "M":
            continue
        if event["pid"] not in named["process_name"]:
            yield index, f"its process {event['pid']} has no name"
        if (event["pid"], event["tid"]) not in named["thread_name"]:
            yield index, f"its track {event['pid']}/{event['tid']} has no name"


def problems(trace):
    """All that is wrong with `trace`, a parsed JSON text, as lines; empty: nothing."""
    if not isinstance(trace, dict):
        return ["the trace is not an object"]
    found = [f"{name} is not {kind.__name__}" for name, kind in TOP.items() if name in trace and not is_a(trace[name], kind)]
    if not isinstance(trace.get("traceEvents"), list):
        return found or ["traceEvents is missing"]
    if trace.get("displayTimeUnit", "ms") not in ("ms", "ns"):
        found.append("displayTimeUnit is neither ms nor ns")
    events = list(enumerate(trace["traceEvents"]))
    found += [f"event {index}: {problem}" for index, event in events for problem in check_event(event)]
    if found:
        return found  # what follows relies on the fields
    frames = trace.get("stackFrames", {})
    found += [f"event {index}: stack frame {event[field]} does not exist" for index, event in events
              for field in ("sf", "esf") if field in event and str(event[field]) not in frames]
    tracks = {}
    for index, event in events:
        if event["ph"] in "BEXi":
            tracks.setdefault((event["pid"], event["tid"]), []).append((index, event))
    for track in tracks.values():
        found += [f"event {index}: {problem}" for index, problem in check_track(track)]
    return found + [f"event {index}: {problem}" for index, problem in check_names(events)]
