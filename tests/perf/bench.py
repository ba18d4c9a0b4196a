#!/usr/bin/python3
"""The performance table: `make bench`. Rounds alternate between all figures, medians count."""

import argparse
import os
import shutil
import sys
import tempfile
import time

from sallyport_bench import calls, flows, lab, latency, parsers, relay, sip, veth
from sallyport_bench.dataplane import node_table
from sallyport_bench.rows import Results, store, table
from sallyport_bench.system import Failed, Hugepages, Machine, Skip

ROWS = (relay.ROWS + veth.ROWS + latency.ROWS + sip.ROWS + flows.ROWS + parsers.ROWS
        + calls.ROWS + lab.ROWS)
SPARE_MIB = 64
CORE_WHOLE = 0.85


def rows_chosen(wanted):
    """Rows whose names begin with one of the words; all without any."""
    words = wanted.replace(",", " ").split()
    rows = [row for row in ROWS if not words or any(row.name.startswith(w) for w in words)]
    if not rows:
        sys.exit(f"bench: no row begins with {wanted}; there are "
                 + " ".join(row.name for row in ROWS))
    return rows


def figures_of(rows):
    """Each once; a row's baseline runs right before it."""
    seen = {}
    for row in rows:
        for figure in filter(None, (row.base, row.figure)):
            seen.setdefault(figure.name, figure)
    return list(seen.values())


def with_hugepages(machine, figure):
    pages = Hugepages((figure.memory_mib + SPARE_MIB) // 2)
    try:
        return figure.measure(machine)
    finally:
        pages.restore()


def least(*shares):
    """Of both looks; None: one of them could not tell."""
    return None if None in shares else min(shares)


def core_wait(machine, seconds):
    """Until the core is ours, at most so long. @return how much of it is (system.py)."""
    limit = time.monotonic() + seconds
    while (share := machine.core_share()) is not None and share < CORE_WHOLE:
        if time.monotonic() >= limit:
            break
        time.sleep(0.5)
    return share


def measure(machine, results, figure, number, wait):
    if figure.name in results.skipped or figure.name in results.failed:
        return
    start = time.monotonic()
    try:
        with machine.alone():
            core = core_wait(machine, wait)
            sample = with_hugepages(machine, figure)
            core = least(core, machine.core_share())
    except Skip as why:
        results.skipped[figure.name] = str(why)
        print(f"round {number}: {figure.name}: skipped: {why}", flush=True)
        return
    except Failed as why:
        results.failed[figure.name] = str(why)
        print(f"round {number}: {figure.name}: failed: {why}", flush=True)
        return
    results.samples.setdefault(figure.name, []).append(sample)
    results.cores.setdefault(figure.name, []).append(core)
    text = ", ".join(f"{key} {value:,.2f}".removesuffix(".00") for key, value in sample.items())
    print(f"round {number}: {figure.name}: {text.removeprefix('value ')} "
          f"({time.monotonic() - start:.0f} s{'' if core is None else f', core {core:.2f}'})",
          flush=True)


def run(args, rows, folder):
    results = Results()
    machine = Machine(args.build, folder, args.seconds, args.lock)
    try:
        for number in range(1, args.rounds + 1):
            for figure in figures_of(rows):
                measure(machine, results, figure, number, args.wait)
    finally:
        machine.close()
    return results, machine.notes


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="meson's build folder")
    parser.add_argument("--json", default=None, help="result file (BUILD/bench.json)")
    parser.add_argument("--rows", default="", help="beginnings of rows' names; all without")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of measuring, a round and figure")
    parser.add_argument("--wait", type=int, default=0, metavar="SECONDS",
                        help="at most, before each measurement, for a core that nobody shares")
    parser.add_argument("--lock", default=None,
                        help="a file to lock during each measurement, where others measure too")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench: run as root: it makes network namespaces and TAP interfaces")
    if shutil.which("dpdk-testpmd") is None:
        sys.exit("bench: dpdk-testpmd is missing: install the package dpdk")
    rows = rows_chosen(args.rows)
    folder = tempfile.mkdtemp(prefix="sallyport-bench-")
    try:
        results, notes = run(args, rows, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    entries = [results.row(row) for row in rows]
    store(args.json or os.path.join(args.build, "bench.json"), entries,
          [row.name for row in ROWS])
    for name, result in notes.items():
        print(f"\nwhere the cycles of {name} went (last round, TSC cycles):")
        print("\n".join(node_table(result)))
    print()
    print("\n".join(table(entries)))
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
