#!/usr/bin/python3
"""`make fuzz`: every libFuzzer target for some time, starting from its corpus.

`make test` runs some of them beside each other for a short time. New inputs are kept in the build folder; one that crashes is left there as crash-*.
"""

import argparse
import glob
import math
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MESON = os.environ.get("MESON", "/usr/bin/meson")
NINJA = os.environ.get("NINJA", "/usr/bin/ninja")
LARGEST = 65535  # of a message, bytes


def build(folder, names):
    """clang with libFuzzer, AddressSanitizer and UBSan; all targets without names."""
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        subprocess.run([MESON, "setup", folder, "-Dfuzz=true", "-Db_sanitize=address,undefined",
                        "-Db_lundef=false"], cwd=ROOT, env={**os.environ, "CC": "clang"},
                       check=True)
    targets = sorted(f[:-2] for f in map(os.path.basename, glob.glob(HERE + "/fuzz_*.c")))
    targets = [f"fuzz_{name}" for name in names] or targets
    paths = [os.path.join("tests", "fuzz", target) for target in targets]
    subprocess.run([NINJA, "-C", folder, *paths], cwd=ROOT, check=True)
    return [os.path.join(folder, path) for path in paths]


def seeds(folder):
    """The corpus as one flat folder, which libFuzzer wants."""
    shared = os.environ.get("SALLYPORT_SHARED", os.path.join(ROOT, "..", "shared"))
    os.makedirs(folder, exist_ok=True)
    for number, path in enumerate(sorted(glob.glob(shared + "/corpus/**/*.*", recursive=True))):
        if os.path.isfile(path) and os.path.getsize(path) <= LARGEST:
            shutil.copy(path, os.path.join(folder, f"{number:05}"))
    if not os.listdir(folder):
        print(f"no corpus at {shared}: starting from nothing")


def start(target, folder, seconds):
    """One fuzzer, beside others."""
    name = os.path.basename(target)
    found = os.path.join(folder, "found", name)
    os.makedirs(found, exist_ok=True)
    own = os.path.join(HERE, "seeds", name.removeprefix("fuzz_"))
    print(f"== {name}, {seconds} s", flush=True)
    return subprocess.Popen(
        [target, f"-max_total_time={seconds}", f"-max_len={LARGEST}",
         "-print_final_stats=1", "-timeout=10", f"-artifact_prefix={folder}/crash-{name}-",
         found, os.path.join(folder, "seeds"), *([own] if os.path.isdir(own) else [])],
        stdin=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build-fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="of a core, each target")
    parser.add_argument("--beside", action="store_true", help="all targets at the same time")
    parser.add_argument("names", nargs="*", help="targets, as sip; all without")
    args = parser.parse_args()
    folder = os.path.abspath(args.build)
    targets = build(folder, args.names)
    seeds(os.path.join(folder, "seeds"))
    at_once = len(targets) if args.beside else 1
    cores = len(os.sched_getaffinity(0))
    seconds = math.ceil(args.seconds * max(1, at_once / cores))
    failed = []
    for first in range(0, len(targets), at_once):
        group = targets[first:first + at_once]
        running = [start(target, folder, seconds) for target in group]
        failed += [os.path.basename(target)
                   for target, child in zip(group, running) if child.wait() != 0]
    print(f"{len(targets) - len(failed)} passed, {len(failed)} failed"
          + (": " + " ".join(failed) if failed else ""))
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
