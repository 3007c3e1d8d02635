#!/usr/bin/python3
"""trace_overlap.py TRACE: the share of the ReRAM devices' computing time in low-parameter steps during which a systolic device
computes too. Prints it in percent."""
import gzip
import json
import sys

path = sys.argv[1]
events = json.loads((gzip.open if path.endswith(".gz") else open)(path, "rt").read())["traceEvents"]
labels = {e["pid"]: e["args"]["labels"] for e in events if e["ph"] == "M" and e["name"] == "process_labels"}
compute = {(e["pid"], e["tid"]) for e in events if e["ph"] == "M" and e["name"] == "thread_name" and e["args"]["name"] == "compute"}
spans = {"reram": [], "systolic": []}
for e in events:
    kind = labels.get(e["pid"], "").split(" ")[0]
    if e["ph"] == "X" and e["args"]["program"] == "low" and (e["pid"], e["tid"]) in compute and kind in spans:
        spans[kind].append((e["ts"], e["ts"] + e["dur"]))


def union(parts):
    whole = []
    for start, end in sorted(parts):
        if whole and start <= whole[-1][1]:
            whole[-1][1] = max(whole[-1][1], end)
        else:
            whole.append([start, end])
    return whole


def overlap(a, b):
    both = i = j = 0
    while i < len(a) and j < len(b):
        both += max(0, min(a[i][1], b[j][1]) - max(a[i][0], b[j][0]))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return both


reram, systolic = union(spans["reram"]), union(spans["systolic"])
busy = sum(end - start for start, end in reram)
assert busy > 0 and systolic, "no low-parameter step on ReRAM and systolic devices"
print(round(100 * overlap(reram, systolic) / busy))
