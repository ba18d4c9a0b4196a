"""Child processes that never outlive the lab, and waiting with a deadline."""

import ctypes
import os
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something of the lab itself does not work; the text says what to do."""


def wait_until(condition, seconds, what, every=0.05):
    """Poll until condition() is true and return its value; LabError after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"waited {seconds:g} s for {what}")
        time.sleep(every)


def run(*command, check=True, stdin=None, timeout=60):
    """A short command; returns its output. LabError with what it said when it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False,
                          timeout=timeout)
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"{' '.join(command)}: {said or done.returncode}")
    return done.stdout


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Process:
    """One child with its output in a file."""

    def __init__(self, name, command, log, env=None, cwd=None):
        self.name, self.command, self.log = name, command, log
        with open(log, "ab") as out:
            # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})}, cwd=cwd, start_new_session=True,
                preexec_fn=_die_with_parent)

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child.poll() is None

    def status(self):
        """Exit status, None while it runs, negative when a signal ended it."""
        return self.child.poll()

    def wait(self, seconds):
        """Exit status; LabError when it runs on."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name} still runs after {seconds:g} s") from None

    def signal(self, number):
        if self.alive():
            self.child.send_signal(number)

    def kill(self):
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.child.wait()

    def stop(self, seconds=15):
        """SIGTERM, then SIGKILL when that does not help in time. Returns the exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.child.returncode

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as text:
            return text.read()

    def tail(self, lines=15):
        return "\n".join(self.output().splitlines()[-lines:])

    def cpu_seconds(self):
        """User and system time so far, all threads."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_kib(self):
        """Memory that the kernel counts as its own."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
