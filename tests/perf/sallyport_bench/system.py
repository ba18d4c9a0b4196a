"""What measurements need of the machine: namespaces, processes, CPU time, hugepages."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "..", "configs", "lab"))
from sallyport_lab.box import Hugepages  # noqa: E402  (the lab takes and restores them alike)

__all__ = ["Hugepages", "Failed", "Skip", "Namespace", "Machine", "huge_free_mib", "memory_mib",
           "thread_ns", "wait_until"]


# Of the pool, for each buffer with its header and a data room of 2 KiB; on small pages one takes a
# page, since no buffer crosses one.
PACKET_BYTES = 2432


class Failed(Exception):
    """A measurement went wrong."""


class Skip(Exception):
    """What is to be measured is not there."""


def huge_free_mib():
    with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", encoding="ascii") as f:
        return int(f.read()) * 2


def memory_mib(packets, tables_mib=96):
    """For so many packet buffers, and for everything else that a forwarder keeps."""
    huge = max(512, (packets * PACKET_BYTES >> 20) + tables_mib)
    return huge if huge_free_mib() >= huge else max(512, (packets * 4096 >> 20) + tables_mib)


def thread_ns(pid, ending="worker-1"):
    """Time on the CPU of the thread with that name, nanoseconds (first field of schedstat).

    EAL names the thread of lcore 1 so, in testpmd and in the dataplane.
    """
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as f:
            if not f.read().strip().endswith(ending):
                continue
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[0])
    raise Failed(f"process {pid} has no thread *{ending}")


def wait_until(condition, seconds, what):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return
        time.sleep(0.05)
    raise Failed(f"{what}: not within {seconds} s")


class Namespace:
    """A network namespace and the processes in it; all end with it."""

    def __init__(self, name):
        self.name = name
        self.children = []
        subprocess.run(("ip", "netns", "add", name), check=True)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command, check=True):
        done = subprocess.run(("ip", "netns", "exec", self.name) + command, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if check and done.returncode != 0:
            raise Failed(f"{' '.join(command)}: {done.stdout.strip()}")
        return done.stdout

    def spawn(self, command, core=None, **options):
        """Before others on the machine, as far as one may be without real time.

        @param core: the only CPU that the process may use; None: any.
        """
        if core is not None:
            command = ["taskset", "-c", str(core)] + command
        command = ["nice", "-n", "-20"] + command
        child = subprocess.Popen(["ip", "netns", "exec", self.name] + command, text=True,
                                 stdin=subprocess.DEVNULL, **options)
        self.children.append(child)
        return child

    def lines(self, command, seconds, core=None):
        """Runs a program that ends by itself within so many seconds: (its lines, its status)."""
        child = self.spawn(command, core, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        watchdog = threading.Timer(seconds, child.kill)
        watchdog.start()
        try:
            out, err = child.communicate()
        finally:
            watchdog.cancel()
            self.children.remove(child)
        return out.splitlines(), child.returncode, err.strip()

    def stop(self, child):
        child.send_signal(signal.SIGINT)
        try:
            child.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self.children.remove(child)

    def close(self):
        for child in list(self.children):
            self.stop(child)
        subprocess.run(("ip", "netns", "del", self.name), stderr=subprocess.DEVNULL, check=False)


class Machine:
    """Where measurements run: the build, a folder for files, the cores, one namespace."""

    def __init__(self, build, folder, seconds, lock=None):
        self.build = os.path.abspath(build)
        self.dir = folder
        self.seconds = seconds
        self.lock = lock
        self.notes = {}  # figure: what else is worth a look at the end
        cpus = sorted(os.sched_getaffinity(0))
        self.main_core, self.core = cpus[0], cpus[1 if len(cpus) > 1 else 0]
        self.netns = Namespace(f"sallyport-bench-{os.getpid()}")

    def path(self, name):
        return os.path.join(self.dir, name)

    def program(self, *parts):
        path = os.path.join(self.build, *parts)
        if not os.path.exists(path):
            raise Failed(f"{path} is not there: build first")
        return path

    def core_share(self):
        """How much of the measured core is ours: 1 all of it; None: it cannot be told."""
        probe = os.path.join(self.build, "tests", "perf", "core_share")
        try:
            done = subprocess.run(("taskset", "-c", str(self.core), probe),
                                  stdout=subprocess.PIPE, text=True, check=False)
        except OSError:
            return None
        return min(float(done.stdout), 1.0) if done.returncode == 0 else None

    @contextlib.contextmanager
    def alone(self):
        """Holds the lock file that others who measure here hold too, if one was named."""
        if self.lock is None:
            yield
            return
        with open(self.lock, "w", encoding="ascii") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            yield

    def close(self):
        self.netns.close()
