"""sip_*: parsers on messages in memory, each a process of its own, beside libosip2 and sofia-sip.

All read the same 256 INVITEs and must find the same in them.
"""

import json

from .rows import Figure, Row
from .system import Failed

found = {}  # what was parsed: the facts that the first parser found


def figure(program, what):
    def measure(machine):
        command = [machine.program("tests", "perf", program), what, str(machine.seconds)]
        lines, status, err = machine.netns.lines(command, 60 + machine.seconds, machine.core)
        if status != 0:
            raise Failed(f"{program}: {err[-500:]}")
        result = json.loads(lines[-1])
        if found.setdefault(what, result["facts"]) != result["facts"]:
            raise Failed(f"{program} finds other facts in the messages than the parser before it")
        return {"value": result["value"], "cycles": result["cycles"], "bytes": result["bytes"]}
    return Figure(f"{program} {what}", measure)


def rows(what, least):
    """Ours by itself, and as a ratio to each of the others."""
    ours = figure("sip_parse_bench", what)
    name = f"sip_{what}"
    yield Row(name, "messages/s", ours, target=least, compare="least")
    for label, library, ratio in (("sofia", "sofia-sip", 4), ("osip2", "libosip2", 10)):
        yield Row(f"{name}_{label}", "messages/s", ours, base=figure(f"sip_parse_{label}", what),
                  base_name=library, target=ratio)


ROWS = [
    Row("sip_scan", "messages/s", figure("sip_parse_bench", "scan"), target=4_000_000,
        compare="least"),
    *rows("parse", 1_500_000),
    *rows("parse_sdp", 1_000_000),
]
