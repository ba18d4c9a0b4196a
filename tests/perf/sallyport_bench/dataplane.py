"""Our side: the real dataplane process on the same ports, set up by the flow loader."""

import json
import os
import re
import subprocess
import threading
import time
from dataclasses import dataclass, field

from .system import Failed, Skip, thread_ns, wait_until

WARM_UP_S = 1.0
REFUSED = 3  # LOADER_REFUSED


@dataclass(frozen=True)
class Side:
    """One realm: its addresses, and what lies behind its gateway."""
    local: str  # with prefix length
    gateway: str
    remote: str  # the first
    network: str  # of all remotes
    vlan: int = 0


@dataclass(frozen=True)
class Setup:
    """What a dataplane is started with and what the loader asks for."""
    sides: tuple
    devices: tuple
    memory_mib: int
    mbufs: int
    flows: int = 65536
    sources: int = 65536
    loader: tuple = ()  # more of its arguments
    config: str = ""  # more lines below `dataplane:`


@dataclass
class Result:
    """Between the first sample after the warm-up and the last."""
    rx: int
    tx: int
    sip_up: int
    drained: int
    commands: int
    drops: dict
    seconds: float
    cpu_s: float  # of the worker's own time
    nodes: dict  # name: (calls, packets, cycles)
    pools: dict = field(default_factory=dict)  # name: (size, bytes)

    def dropped(self):
        return ", ".join(f"{n} {reason}" for reason, n in self.drops.items()) or "none dropped"


class Dataplane:
    """A running sallyport-dataplane: `with Dataplane(machine, setup) as box: box.load(...)`."""

    PORTS = ("bench0", "bench1")

    def __init__(self, machine, setup):
        self.machine, self.setup = machine, setup
        self.socket = machine.path("dataplane.sock")
        self.log = machine.path("dataplane.log")
        self.child = None

    def __enter__(self):
        command = [self.machine.program("dataplane", "sallyport-dataplane"), "-c",
                   self.write_config()]
        with open(self.log, "w", encoding="utf8") as log:
            self.child = self.machine.netns.spawn(command, stderr=log)
        try:
            wait_until(self.listening, 60, "the dataplane's socket")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.machine.netns.stop(self.child)

    def write_config(self):
        path = self.machine.path("bench.yaml")
        setup = self.setup
        with open(path, "w", encoding="ascii") as out:
            out.write(
                f"dataplane:\n  socket: {self.socket}\n  cores: {self.machine.core}\n"
                f"  main_core: {self.machine.main_core}\n  idle: poll\n"
                f"  memory_mib: {setup.memory_mib}\n  mbufs: {setup.mbufs}\n"
                f"  flows: {setup.flows}\n  sources: {setup.sources}\n{setup.config}  ports:\n")
            for port, device in zip(self.PORTS, setup.devices):
                out.write(f'    - {{name: {port}, device: "{device}"}}\n')
        return path

    def listening(self):
        if self.child.poll() is not None:
            with open(self.log, encoding="utf8") as log:
                raise Failed(f"sallyport-dataplane ended: {log.read()[-500:]}")
        return os.path.exists(self.socket)

    def routes_add(self):
        """The remotes lie behind a gateway whose address the kernel knows for good."""
        for port, side in zip(self.PORTS, self.setup.sides):
            device = f"{port}.{side.vlan}" if side.vlan else port
            run = self.machine.netns.run
            if side.vlan and "does not exist" in run("ip", "link", "show", device, check=False):
                raise Skip(f"the dataplane made no interface {device}")
            run("ip", "neigh", "replace", side.gateway, "lladdr", "02:00:00:00:aa:aa",
                "nud", "permanent", "dev", device)
            run("ip", "route", "replace", side.network, "via", side.gateway, "dev", device)

    def loader(self, seconds, *more):
        """Runs the flow loader; its samples, each with the worker's time when it came."""
        command = [self.machine.program("tests", "perf", "flow_loader"), "-s", self.socket]
        for local, remote, vlan, side in zip("ab", "AB", "vV", self.setup.sides):
            command += [f"-{local}", side.local, f"-{remote}", side.remote]
            command += [f"-{vlan}", str(side.vlan)]
        command += [*self.setup.loader, *more, "-t", str(seconds)]
        child = self.machine.netns.spawn(command, self.machine.main_core, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE)
        watchdog = threading.Timer(120 + seconds, child.kill)
        watchdog.start()
        lines = [dict(json.loads(line), cpu=thread_ns(self.child.pid)) for line in child.stdout]
        why = child.stderr.read().strip()
        child.wait()
        watchdog.cancel()
        self.machine.netns.children.remove(child)
        if child.returncode == REFUSED:
            raise Skip(why.split("\n")[0])
        if child.returncode != 0:
            raise Failed(f"the flow loader failed: {why}")
        return [line for line in lines if "tx" in line]

    def load(self):
        """Sets everything up and measures for the machine's seconds."""
        self.loader(0, "-n", "0", "-D", "0", "-c", "0")  # the addresses come with it
        self.routes_add()
        time.sleep(0.3)
        samples = self.loader(int(WARM_UP_S + self.machine.seconds))
        first = next(s for s in samples if s["ns"] >= WARM_UP_S * 1e9)
        return difference(first, samples[-1])


def difference(first, last):
    counts = {key: last[key] - first[key]
              for key in ("rx", "tx", "sip_up", "drained", "commands")}
    drops = {reason: n - first["drops"].get(reason, 0) for reason, n in last["drops"].items()}
    nodes = {name: tuple(b - a for a, b in zip(first["nodes"].get(name, (0, 0, 0)), now))
             for name, now in last["nodes"].items()}
    return Result(**counts, drops={reason: n for reason, n in drops.items() if n},
                  seconds=(last["ns"] - first["ns"]) / 1e9,
                  cpu_s=(last["cpu"] - first["cpu"]) / 1e9, nodes=nodes, pools=last["pools"])


def node_table(result):
    """Lines that say where each cycle went, less those when other programs had the core."""
    own = result.cpu_s / result.seconds
    total = sum(cycles for _, _, cycles in result.nodes.values()) or 1
    rows = sorted(((cycles, name, calls, packets)
                   for name, (calls, packets, cycles) in result.nodes.items() if packets),
                  reverse=True)
    yield f"  {'node':<20} {'packets/call':>12} {'cycles/packet':>14} {'share':>7}"
    for cycles, name, calls, packets in rows:
        name = re.sub(r"^(rx|tx)-", r"\1 ", name)
        yield (f"  {name:<20} {packets / max(calls, 1):>12.1f} {own * cycles / packets:>14.1f} "
               f"{100 * cycles / total:>6.1f}%")
