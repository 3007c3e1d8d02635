#!/usr/bin/python3
"""trace_rules.py TRACE: the rules of the Chrome trace format that viewers rely on. Prints what it saw; exit 1 on a breach."""
import bisect
import gzip
import json
import sys
from decimal import Decimal

path = sys.argv[1]
text = (gzip.open if path.endswith(".gz") else open)(path, "rt").read()
trace = json.loads(text, parse_float=Decimal)
events = trace["traceEvents"]
names = {(e["pid"], e["tid"]) for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
processes = {e["pid"] for e in events if e["ph"] == "M" and e["name"] == "process_name"}
tracks = {}
for e in events:
    assert e["ph"] in ("M", "X", "i", "s", "f"), e
    if e["ph"] == "X":
        assert e["dur"] > 0 and e["ts"] >= 0 and e["name"], e
        # microseconds with at most six decimals: whole picoseconds
        assert (Decimal(e["ts"]) * 10**6) % 1 == 0 and (Decimal(e["dur"]) * 10**6) % 1 == 0, e
        tracks.setdefault((e["pid"], e["tid"]), []).append((Decimal(e["ts"]), Decimal(e["dur"])))
    if e["ph"] == "i":
        assert e["s"] in ("g", "p") and e["ts"] >= 0 and e["name"] and e["pid"] in processes, e
assert tracks, "no events"
assert set(tracks) <= names and {p for p, _ in tracks} <= processes, "a track without a name"
for track, spans in tracks.items():
    end = Decimal(0)
    for start, length in spans:  # in the file's order: monotone, and one after the other
        assert start >= end, (track, start, end)
        end = start + length
slices = {track: sorted(spans) for track, spans in tracks.items()}
starts, ends = ({e["id"]: e for e in events if e["ph"] == kind} for kind in "sf")
assert len(starts) + len(ends) == sum(e["ph"] in "sf" for e in events), "an arrow's id stands twice"
for key, end in ends.items():
    start = starts[key]
    assert start["pid"] != end["pid"] and Decimal(start["ts"]) < Decimal(end["ts"]), (start, end)
for e in list(starts.values()) + list(ends.values()):
    spans = slices[(e["pid"], e["tid"])]
    s, length = spans[bisect.bisect_right(spans, (Decimal(e["ts"]), Decimal("inf"))) - 1]
    assert s <= Decimal(e["ts"]) < s + length, ("an arrow outside of instructions", e)
faults = [e for e in events if e.get("cat") == "fault"]
assert [e["ts"] for e in faults] == sorted(e["ts"] for e in faults), "faults out of order"
for fault in faults:  # the machine goes on, unless the run ends there
    later = [e for e in events if e["ph"] == "X" and Decimal(e["ts"]) >= Decimal(fault["ts"])]
    assert later or trace["otherData"]["truncated"] or fault["args"]["step"] == trace["otherData"]["steps_of_run"], fault
    if fault["name"].endswith(" fails"):
        assert all(e["pid"] != fault["pid"] for e in later), ("work of a device that has failed", fault)
print(f"{len(faults)} faults, " if faults else "", end="")
print(f"{len(ends)} messages, {sum(map(len, tracks.values()))} events on {len(tracks)} tracks of {len(processes)} devices")
