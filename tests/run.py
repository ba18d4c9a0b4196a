#!/usr/bin/python3
"""Everything that `make test` runs, and one summary at its end.

The plain build first (unit, fuzz replay, conformance, integration), then the same
suites on a build with AddressSanitizer and UndefinedBehaviorSanitizer.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = os.environ.get("PYTHON", "/usr/bin/python3")
MESON = os.environ.get("MESON", "/usr/bin/meson")
NINJA = os.environ.get("NINJA", "/usr/bin/ninja")

SANITIZE = ["-Db_sanitize=address,undefined", "-Db_lundef=false"]
# What the sanitizers may not forgive. DPDK keeps its own memory until exit, so leaks are
# judged at the end of the unit tests and of control, not in the dataplane (see lab).
SANITIZER_ENV = {
    "ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
}


class Totals:
    """Counts of one stage, or of all."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def say(text):
    print(f"== {time.strftime('%H:%M:%S')} {text}", flush=True)


def run(command, env=None):
    """One command from the root, its output going straight through. Returns its status."""
    say(" ".join(command))
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **(env or {})},
                          stdin=subprocess.DEVNULL, check=False).returncode


def build(folder, options):
    """Set up a build folder once and build it."""
    if not os.path.exists(os.path.join(ROOT, folder, "build.ninja")):
        if run([MESON, "setup", folder, *options]) != 0:
            return Totals(failed=1)
    return Totals() if run([NINJA, "-C", folder]) == 0 else Totals(failed=1)


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
                result = json.loads(line)["result"]
                if result in ("OK", "EXPECTEDFAIL"):
                    totals.passed += 1
                elif result == "SKIP":
                    totals.skipped += 1
                else:
                    totals.failed += 1
    except OSError:
        pass
    if status != 0 and totals.failed == 0:
        totals.failed = 1
    return totals


def integration(folder, env, arguments):
    """tests/conformance and tests/integration on the programs of this build."""
    report = os.path.join(ROOT, folder, "integration.xml")
    if os.path.exists(report):
        os.unlink(report)
    status = run([PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-v", "--tb=short",
                  "-m", "not soak", f"--junitxml={report}", *arguments,
                  "tests/conformance", "tests/integration"],
                 {**env, "SALLYPORT_BUILD": os.path.join(ROOT, folder)})
    totals = Totals()
    try:
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            count = {k: int(suite.get(k, 0)) for k in ("tests", "failures", "errors", "skipped")}
            bad = count["failures"] + count["errors"]
            totals += Totals(count["tests"] - bad - count["skipped"], bad, count["skipped"])
    except (OSError, ElementTree.ParseError):
        pass
    if status != 0 and totals.failed == 0:
        totals.failed = 1
    return totals


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    args = parser.parse_args()

    asan = {**SANITIZER_ENV, "SALLYPORT_SANITIZED": "1"}
    stages = [
        ("build", lambda: build(args.build, [])),
        ("unit", lambda: meson_tests(args.build, {})),
        ("integration", lambda: integration(args.build, {}, args.pytest)),
        ("build, sanitizers", lambda: build("build-asan", SANITIZE)),
        ("unit, sanitizers", lambda: meson_tests("build-asan", asan)),
        ("integration, sanitizers", lambda: integration("build-asan", asan, args.pytest)),
    ]
    total, rows, start = Totals(), [], time.monotonic()
    for name, stage in stages:
        began = time.monotonic()
        say(f"stage: {name}")
        result = stage()
        total += result
        rows.append((name, result, time.monotonic() - began))
        say(f"stage: {name}: {result}")
        if name.startswith("build") and result.failed:
            break
    print("\nsummary")
    for name, result, seconds in rows:
        print(f"  {name:<25} {seconds:6.0f} s   {result}")
    print(f"  {'all':<25} {time.monotonic() - start:6.0f} s")
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
