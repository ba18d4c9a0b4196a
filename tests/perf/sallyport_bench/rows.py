"""Rows of the result: each the median of the rounds, beside its baseline of the same run."""

import json
import statistics
from dataclasses import dataclass
from typing import Callable, Optional


@dataclass(frozen=True)
class Figure:
    """Something that can be measured again and again.

    measure(machine) -> {name: number}; may raise Skip or Failed. Rows share figures: each is
    measured once a round.
    """
    name: str
    measure: Callable
    memory_mib: int = 0  # of hugepages that it can use


@dataclass(frozen=True)
class Row:
    name: str
    unit: str
    figure: Figure
    key: str = "value"
    base: Optional[Figure] = None
    base_name: str = ""
    base_key: str = "value"
    target: Optional[float] = None
    compare: str = "ratio"  # "ratio": value / base >= target; "least", "most": value beside target


class Results:
    """Samples of all figures over the rounds."""

    def __init__(self):
        self.samples = {}  # figure name: list of dicts
        self.cores = {}  # figure name: how much of a core each sample had
        self.skipped = {}
        self.failed = {}

    def median(self, figure, key):
        values = [s[key] for s in self.samples.get(figure.name, ()) if key in s]
        return statistics.median(values) if values else None

    def ratio(self, row):
        """Of each round, whose two figures were measured one right after the other: what else the
        machine did slowed both. The median."""
        pairs = zip(self.samples[row.figure.name], self.samples[row.base.name])
        return statistics.median(value[row.key] / base[row.base_key] for value, base in pairs
                                 if row.key in value and base.get(row.base_key))

    def row(self, row):
        """One entry of the JSON list."""
        value = self.median(row.figure, row.key)
        base = self.median(row.base, row.base_key) if row.base else None
        ratio = self.ratio(row) if value is not None and base else None
        return {
            "name": row.name,
            "value": tidy(value),
            "unit": row.unit,
            "baseline": {"name": row.base_name, "value": tidy(base)} if row.base else None,
            "ratio": round(ratio, 3) if ratio is not None else None,
            "core": self.core(row.figure),
            "target": row.target,
            "met": met(row, value, ratio),
            **self.why_not(row),
        }

    def core(self, figure):
        shares = [share for share in self.cores.get(figure.name, ()) if share is not None]
        return round(statistics.median(shares), 2) if shares else None

    def why_not(self, row):
        for figure in filter(None, (row.figure, row.base)):
            for word, reasons in (("failed", self.failed), ("skipped", self.skipped)):
                if figure.name in reasons:
                    return {word: f"{figure.name}: {reasons[figure.name]}"}
        return {}


def tidy(value):
    if value is None:
        return None
    return round(value) if abs(value) >= 1000 else round(value, 2)


def met(row, value, ratio):
    """None where nothing was promised."""
    if row.target is None:
        return None
    if row.compare == "ratio":
        return ratio is not None and ratio >= row.target
    if value is None:
        return False
    return value >= row.target if row.compare == "least" else value <= row.target


def store(path, entries, order):
    """Rows that were not measured now keep what an earlier run found."""
    new = {entry["name"]: entry for entry in entries}
    try:
        with open(path, encoding="utf8") as f:
            old = {entry["name"]: entry for entry in json.load(f) if entry["name"] in order}
    except (OSError, ValueError, KeyError, TypeError):
        old = {}
    both = {**old, **new}
    with open(path, "w", encoding="utf8") as f:
        json.dump([both[name] for name in order if name in both], f, indent=2)
        f.write("\n")


def table(entries):
    yield (f"{'name':<22} {'value':>12} {'unit':<14} {'baseline':<26} {'value':>12} "
           f"{'ratio':>6} {'core':>5} {'target':>9}  met")
    for e in entries:
        base = e["baseline"] or {"name": "", "value": ""}
        word = {True: "yes", False: "no", None: "-"}[e["met"]]
        word = next((k for k in ("failed", "skipped") if k in e), word)
        cells = [e["value"], base["value"], e["ratio"], e.get("core"), e["target"]]
        value, base_value, ratio, core, target = ("" if c is None else c for c in cells)
        yield (f"{e['name']:<22} {value:>12} {e['unit']:<14} {base['name']:<26} "
               f"{base_value:>12} {ratio:>6} {core:>5} {target:>9}  {word}")
    for e in entries:
        for word in ("failed", "skipped"):
            if word in e:
                yield f"{e['name']}: {word}: {e[word]}"
