"""The box of the lab: configuration, both processes, and sally."""

import json
import os
import re
import signal
import stat
from dataclasses import dataclass

from .process import LabError, run, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
DRIVERS = ("net_af_xdp", "net_af_packet")
SAMPLE = os.path.join(ROOT, "configs", "lab.yaml")
RUN = "/run/sallyport"  # where the sample has its sockets
MEDIA = (20000, 29999)  # the box's media ports, both realms
HUGEPAGES_WANTED = 300  # of 2 MiB: the dataplane's default memory and some
HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

def device(driver, interface):
    """The DPDK device string of one lab port."""
    if driver == "net_af_packet":
        # 4,096 frames a ring: most of a second of the busiest scenario, should nobody read.
        return f"net_af_packet,iface={interface},framecnt=4096,qdisc_bypass=1"
    # A veth pair delivers without being polled: no system call for each look at an empty queue.
    return f"{driver},iface={interface},busy_budget=0"


def drivers_here():
    """What SALLYPORT_DRIVER allows, in order of preference."""
    forced = os.environ.get("SALLYPORT_DRIVER")
    if forced and forced not in DRIVERS:
        raise LabError(f"SALLYPORT_DRIVER is {forced}; it can be {' or '.join(DRIVERS)}")
    return (forced,) if forced else DRIVERS


class Hugepages:
    """More 2 MiB pages while the lab runs, and the old number afterwards."""

    def __init__(self, wanted=HUGEPAGES_WANTED):
        self.old = self.now = None
        try:
            self.old = self._read()
            if self.old < wanted:
                with open(HUGEPAGES, "w", encoding="ascii") as number:
                    number.write(str(wanted))
                self.now = self._read()
        except OSError:
            pass  # none can be had: the dataplane runs without

    @staticmethod
    def _read():
        with open(HUGEPAGES, encoding="ascii") as number:
            return int(number.read())

    def restore(self):
        """Unless somebody else changed the number meanwhile."""
        if self.now is not None and self._read() == self.now:
            with open(HUGEPAGES, "w", encoding="ascii") as number:
                number.write(str(self.old))
        self.now = None


@dataclass(frozen=True)
class Calls:
    """What the box says about its calls."""
    active: int
    answered_active: int
    total: int
    answered: int
    failed: int


class Box:
    """Sallyport in the lab's third namespace, on configs/lab.yaml.

    `changes` maps pieces of that file to what stands there instead. Nothing runs until start().
    """

    def __init__(self, lab, driver, build=None, changes=None):
        self.lab, self.driver = lab, driver
        self.build = os.path.abspath(
            build or os.environ.get("SALLYPORT_BUILD") or os.path.join(ROOT, "build"))
        self.dataplane = self.control = None
        self.buffers = None  # in use when this dataplane had just started
        self.config = lab.path("sallyport.yaml")
        self.socket = lab.path("control.sock")
        self.dataplane_socket = lab.path("dataplane.sock")
        self.cdr_file = lab.path("cdr.jsonl")
        self.write_config(changes or {})

    def write_config(self, changes):
        with open(SAMPLE, encoding="utf-8") as text:
            sample = text.read()
        lab_changes = {RUN: self.lab.dir,
                       "net_af_xdp,iface=sp-access": device(self.driver, "sp-access"),
                       "net_af_xdp,iface=sp-core": device(self.driver, "sp-core")}
        for old, new in {**changes, **lab_changes}.items():
            if old not in sample:
                raise LabError(f"{SAMPLE} has no {old!r}")
            sample = sample.replace(old, new)
        with open(self.config, "w", encoding="utf-8") as text:
            text.write(sample)

    def program(self, *parts):
        path = os.path.join(self.build, *parts)
        if not os.path.exists(path):
            raise LabError(f"{path} is not there: build first")
        return path

    # processes

    def start(self):
        """Both processes, ready for calls."""
        self.start_dataplane()
        self.start_control()
        return self

    def start_dataplane(self):
        self.buffers = None
        self.dataplane = self.lab.box.start(
            "dataplane", [self.program("dataplane", "sallyport-dataplane"), "-c", self.config],
            self.lab.path("dataplane.log"), env=self._sanitizer("detect_leaks=0"))

        def listening():
            if not self.dataplane.alive():
                raise LabError("the dataplane ended with status "
                               f"{self.dataplane.status()}:\n{self.dataplane.tail()}")
            return self._is_socket(self.dataplane_socket)
        wait_until(listening, 30, "the dataplane's socket")
        return self.dataplane

    def start_control(self, ready=True):
        self.control = self.lab.box.start(
            "control", [self.program("control", "sallyport-control"), "-c", self.config],
            self.lab.path("control.log"), env=self._sanitizer("detect_leaks=1"))
        if ready:
            self.wait_ready()
        return self.control

    @staticmethod
    def _sanitizer(more):
        options = os.environ.get("ASAN_OPTIONS")
        return {"ASAN_OPTIONS": f"{options}:{more}"} if options else None

    @staticmethod
    def _is_socket(path):
        try:
            return stat.S_ISSOCK(os.stat(path).st_mode)
        except FileNotFoundError:
            return False

    def wait_ready(self, seconds=20):
        """Until control is attached, both links are up and the twins have their addresses."""
        def ready():
            if not self.control.alive():
                raise LabError("control ended with status "
                               f"{self.control.status()}:\n{self.control.tail()}")
            return self.attached() and self._addressed()
        wait_until(ready, seconds, "both processes to be ready")
        if self.buffers is None:
            self.buffers = self.pools()["mbuf"]

    def attached(self):
        try:
            return self.show("status")["attached"] is True
        except LabError:
            return False

    def _addressed(self):
        """All of the configuration's addresses are on twins, and usable."""
        with open(self.config, encoding="utf-8") as text:
            lists = re.findall(r"^    addresses: \[(.*)\]", text.read(), re.MULTILINE)
        wanted = {address.strip(' "') for entry in lists for address in entry.split(",")}
        lines = self.lab.box.run("ip", "-o", "addr", "show").splitlines()
        return wanted <= {line.split()[3] for line in lines if "tentative" not in line}

    def stop(self):
        """SIGTERM to both, control first. Returns their exit statuses, None for one not started."""
        statuses = []
        for process in (self.control, self.dataplane):
            statuses.append(process.stop() if process else None)
        return tuple(statuses)

    def stop_at_once(self):
        """stop() without the time that it gives to calls, and to requests that nobody answers."""
        if self.control and self.control.alive() and self._is_busy():
            # A second SIGTERM skips the time for calls, a third one that for answers to BYE.
            for said in ("stopping: ", "hanging up "):
                self.control.signal(signal.SIGTERM)
                wait_until(lambda s=said: s in self.control.output() or not self.control.alive(),
                           10, "control to stop")
        return self.stop()

    def _is_busy(self):
        try:
            return self.calls().active > 0 or self.show("stats")["requests_open"] > 0
        except LabError:
            return False

    def kill(self):
        for process in (self.control, self.dataplane):
            if process:
                process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # what it says

    def sally(self, *arguments, check=True):
        """The CLI's output as a person sees it."""
        return run(self.program("control", "cli", "sally"), "-s", self.socket, *arguments,
                   check=check)

    def show(self, *what):
        """`sally --json show ...` as data."""
        return json.loads(self.sally("--json", "show", *what))

    def drops(self):
        """Drops of all ports by reason."""
        total = {}
        for row in self.show("drops"):
            total[row["reason"]] = total.get(row["reason"], 0) + row["packets"]
        return total

    def relayed(self):
        """Packets that entered by one port and left by another: media, both directions."""
        return sum(port["forwarded"] for port in self.show("ports"))

    def calls(self):
        """Calls as the box counts them."""
        counts = self.show("status")["calls"]
        return Calls(counts["active"], counts["answered_active"], counts["total"],
                     counts["answered"], counts["failed"] + counts["refused"])

    def memory(self):
        """"1,024 MiB in 2 MiB hugepages", in the dataplane's words."""
        return self.show("status")["dataplane"]["memory"]

    def pools(self):
        """Objects in use by pool of the dataplane."""
        return {pool["name"]: pool["used"] for pool in self.show("memory")["pools"]}

    def cdrs(self):
        try:
            with open(self.cdr_file, encoding="utf-8") as lines:
                return [json.loads(line) for line in lines]
        except FileNotFoundError:
            return []

    def logs(self):
        """Ends of both logs, for the report of a failed test."""
        parts = []
        for process in (self.control, self.dataplane):
            if process:
                parts.append(f"--- {process.name}\n{process.tail(25)}")
        return "\n".join(parts)


def start_box(lab, build=None, changes=None):
    """A running box on the first driver that works here."""
    refusals = []
    for driver in drivers_here():
        box = Box(lab, driver, build, changes)
        try:
            return box.start()
        except LabError as error:
            box.kill()
            refusals.append(f"{driver}: {error}")
            if box.dataplane is None or box.dataplane.status() is None or box.control is not None:
                break
    raise LabError("\n".join(refusals))
