#!/usr/bin/python3
"""Everything that `make test` runs, and one summary at its end.

Unit tests, fuzz replay and conformance on a plain build and on one with AddressSanitizer and
UndefinedBehaviorSanitizer. Then, side by side since they mostly wait, the integration tests of both
builds, those that wait for most of their time apart from the others, and behind all of them a short
search by fuzzers. Tests that need the machine to themselves come last and get it (tests/conftest.py).
"""

import argparse
import collections
import fcntl
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = os.environ.get("PYTHON", "/usr/bin/python3")
MESON = os.environ.get("MESON", "/usr/bin/meson")
NINJA = os.environ.get("NINJA", "/usr/bin/ninja")

FUZZED = ("sip", "uri", "sdp")
SANITIZE = ["-Db_sanitize=address,undefined", "-Db_lundef=false"]
# What the sanitizers may not forgive. DPDK keeps its own memory until exit, so leaks are
# judged at the end of the unit tests and of control, not in the dataplane (see lab).
SANITIZER_ENV = {
    "ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
}


class Totals:
    """Counts of one stage, or of all. missing: what tests were skipped for, and how many."""

    def __init__(self, passed=0, failed=0, skipped=0, missing=None):
        self.passed, self.failed, self.skipped = passed, failed, skipped
        self.missing = collections.Counter(missing)

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.missing += other.missing
        return self

    def __bool__(self):
        return self.passed + self.failed + self.skipped > 0

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def hugepages(number=None):
    """How many the kernel keeps; sets them to `number` if it is given and another one."""
    path = "/proc/sys/vm/nr_hugepages"
    try:
        with open(path, encoding="ascii") as now:
            found = int(now.read())
        if number is not None and number != found:
            with open(path, "w", encoding="ascii") as now:
                now.write(str(number))
        return found
    except (OSError, ValueError):
        return None


def say(text):
    print(f"== {time.strftime('%H:%M:%S')} {text}", flush=True)


def run(command, env=None, prefix=""):
    """One command from the root, its output going straight through. Returns its status."""
    say(prefix + " ".join(command))
    child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(env or {})},
                             stdin=subprocess.DEVNULL, text=True, errors="replace",
                             stdout=subprocess.PIPE if prefix else None,
                             stderr=subprocess.STDOUT if prefix else None)
    if prefix:
        for line in child.stdout:
            print(prefix + line, end="", flush=True)
    return child.wait()


def build(folder, options):
    """Set up a build folder once and build it."""
    if not os.path.exists(os.path.join(ROOT, folder, "build.ninja")):
        if run([MESON, "setup", folder, *options]) != 0:
            return Totals(failed=1)
    return Totals() if run([NINJA, "-C", folder]) == 0 else Totals(failed=1)


def reason_of(text, otherwise):
    """A skipped test says "skipped: " and what it wants."""
    said = re.search(r"skipped: (.+)", text)
    return said.group(1) if said else otherwise


def meson_tests(folder, env):
    """The cmocka tests and the replay of the fuzz corpus."""
    log = os.path.join(ROOT, folder, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    status = run([MESON, "test", "-C", folder, "--no-rebuild", "--print-errorlogs"], env)
    totals = Totals()
    try:
        with open(log, encoding="utf-8") as lines:
            for line in lines:
                test = json.loads(line)
                text = test.get("stdout", "")
                if test["result"] in ("OK", "EXPECTEDFAIL"):
                    totals.passed += 1
                    # A program whose other tests ran.
                    parts = set(re.findall(r"^\[  SKIPPED \] (\w+)$", text, re.MULTILINE))
                    totals.missing.update(reason_of(text, part) for part in parts)
                elif test["result"] == "SKIP":
                    totals += Totals(skipped=1, missing=[reason_of(text, test["name"])])
                else:
                    totals.failed += 1
    except OSError:
        pass
    if status != 0 and totals.failed == 0:
        totals.failed = 1
    return totals


def fuzz(seconds, locks):
    """The parsers that read what strangers send, searched for `seconds` of a core each, with what
    the tests beside it leave of the CPU. No test has the machine to itself meanwhile."""
    with open(os.path.join(locks, "machine"), "w", encoding="ascii") as machine:
        fcntl.flock(machine, fcntl.LOCK_SH)
        # Half of a core that others use, too.
        status = run(["nice", "-n", "10", PYTHON, "tests/fuzz/run.py", "--seconds",
                      str(2 * seconds), "--beside", *FUZZED], prefix="fuzz | ")
    # Its status is the number of targets that failed; below 0 a signal ended it.
    failed = status if status >= 0 else len(FUZZED)
    return Totals(passed=max(len(FUZZED) - failed, 0), failed=failed)


def integration(folder, env, which, arguments, prefix):
    """tests/conformance and tests/integration on the programs of this build, so far as they have
    those markers."""
    report = os.path.join(ROOT, folder, f"integration{'-waits' if which == 'waits' else ''}.xml")
    if os.path.exists(report):
        os.unlink(report)
    status = run([PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-v", "--tb=short",
                  "-m", f"not soak and {which}", f"--junitxml={report}", *arguments,
                  "tests/conformance", "tests/integration"],
                 {**env, "SALLYPORT_BUILD": os.path.join(ROOT, folder)}, prefix)
    totals = Totals()
    try:
        tree = ElementTree.parse(report).getroot()
        totals.missing.update(reason_of(skip.get("message", ""), skip.get("message", ""))
                              for skip in tree.iter("skipped"))
        for suite in tree.iter("testsuite"):
            count = {k: int(suite.get(k, 0)) for k in ("tests", "failures", "errors", "skipped")}
            bad = count["failures"] + count["errors"]
            totals += Totals(count["tests"] - bad - count["skipped"], bad, count["skipped"])
    except (OSError, ElementTree.ParseError):
        pass
    # 5: there was none, which may be when arguments choose some.
    if status != 0 and totals.failed == 0 and not (status == 5 and arguments):
        totals.failed = 1
    return totals


def side_by_side(stage, plain, sanitized, args):
    """All that goes on at the same time. `plain` and `sanitized` are (folder, environment)."""
    # Runs that take and give back pages beside each other may leave some.
    before = hugepages()
    with tempfile.TemporaryDirectory(prefix="sallyport-test-") as locks:
        runs = [("fuzz", fuzz, args.fuzz_seconds, locks)]
        for (folder, env), name, prefix in (
                (plain, "", "plain"), (sanitized, ", sanitizers", "asan ")):
            env = {**env, "SALLYPORT_LOCKS": locks}
            for which, kind, mark in (("not waits", "integration", "|"), ("waits", "waiting", ":")):
                runs.append((kind + name, integration, folder, env, which, args.pytest,
                             f"{prefix}{mark} "))
        threads = [threading.Thread(target=stage, args=one) for one in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    hugepages(before)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--fuzz-seconds", type=int, default=60)
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    args = parser.parse_args()

    asan = {**SANITIZER_ENV, "SALLYPORT_SANITIZED": "1"}
    rows, start = [], time.monotonic()

    def stage(name, function, *arguments):
        began = time.monotonic()
        say(f"stage: {name}")
        try:
            result = function(*arguments)
        except Exception:  # pylint: disable=broad-except  # of a thread that nobody would miss
            traceback.print_exc()
            result = Totals(failed=1)
        rows.append((name, result, time.monotonic() - began))
        say(f"stage: {name}: {result}")
        return result.failed == 0

    if stage("build", build, args.build, []) and \
            stage("build, sanitizers", build, "build-asan", SANITIZE):
        stage("unit", meson_tests, args.build, {})
        stage("unit, sanitizers", meson_tests, "build-asan", asan)
        chosen = len(rows)
        side_by_side(stage, (args.build, {}), ("build-asan", asan), args)
        if args.pytest and not any(result for name, result, _ in rows[chosen:] if name != "fuzz"):
            rows.append(("no test has that name", Totals(failed=1), 0))
    total = Totals()
    for _, result, _ in rows:
        total += result
    print("\nsummary")
    for name, result, seconds in rows:
        print(f"  {name:<25} {seconds:6.0f} s   {result}")
    print(f"  {'all':<25} {time.monotonic() - start:6.0f} s")
    for reason, count in sorted(total.missing.items()):
        print(f"  skipped {count:>4}: {reason}")
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
