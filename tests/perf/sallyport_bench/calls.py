"""call_*: whole calls through one control shard in memory: what each costs and holds."""

import json
import os

from .rows import Figure, Row
from .system import Failed

HELD = (0, 1000, 100000)
CALLS = 40000  # measured at each of these
LIMIT_S = 300


def shard(machine):
    """Three levels of held calls in one process; between them the same load."""
    records = machine.path("calls.jsonl")
    lines, status, err = machine.netns.lines(
        [machine.program("tests", "perf", "call_load"), "-H", ",".join(map(str, HELD)),
         "-n", str(CALLS), "-c", records], LIMIT_S, machine.core)
    if status != 0:
        raise Failed(err or f"call_load ended with status {status}")
    os.unlink(records)
    empty, few, many = (json.loads(line) for line in lines)
    return {"value": CALLS / (empty["cpu_ns"] / 1e9),
            "memory": (many["allocated"] - empty["allocated"]) / many["held"],
            "held": many["cpu_ns"] / few["cpu_ns"]}


CALL = Figure("calls in memory", shard)

ROWS = [
    Row("call_b2bua", "calls/s", CALL, target=40000, compare="least"),
    Row("call_memory", "bytes", CALL, key="memory", target=8192, compare="most"),
    Row("call_held", "x", CALL, key="held", target=1.25, compare="most"),
]
