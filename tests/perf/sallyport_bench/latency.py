"""relay_latency_*: from one memif port to the other, one packet at a time, beside testpmd io.

Probe and forwarder poll both ends of the memifs, no kernel between them: the figure is the
worker (loop, graph, receive and transmit) and two memif copies; the baseline has the latter too.
"""

import ipaddress
import json
import subprocess
import time
from dataclasses import replace

from . import testpmd
from .dataplane import Dataplane
from .frames import address_plus, port_mac, rtp_payload, udp_frame
from .relay import FIRST_PORT, IPV4, REMOTE_PORT, V4
from .rows import Figure, Row
from .system import Failed, huge_free_mib

RATE = 100_000  # packets a second
MEMORY_MIB = 256
PERCENTILES = ("p50", "p99", "p99_99")


def memifs(machine, role):
    """One device string a port."""
    return [f"net_memif{i},role={role},id={i},socket={machine.path(f'memif{i}.sock')},"
            f"socket-abstract=no,rsize=10,mac={port_mac(i).hex(':')}" for i in range(2)]


def probe(machine):
    local = ipaddress.ip_interface(V4[0].local).ip.packed
    frame = udp_frame(port_mac(0), address_plus(V4[0].remote, 0), REMOTE_PORT, local, FIRST_PORT,
                      rtp_payload(1, 1))
    memory = (["--in-memory"] if huge_free_mib() >= MEMORY_MIB else ["--no-huge", "--no-shconf"])
    command = [machine.program("tests", "perf", "latency_probe"), "--no-pci", "--no-telemetry",
               "-m", str(MEMORY_MIB), *memory, "--lcores", f"0@{machine.main_core}",
               f"--file-prefix={machine.netns.name}-probe"]
    for device in memifs(machine, "client"):
        command += ["--vdev", device]
    command += ["--", frame.hex(), str(RATE), str(machine.seconds)]
    lines, status, err = machine.netns.lines(command, 30 + machine.seconds)
    if status != 0:
        raise Failed(f"latency_probe: {err[-300:]}")
    result = json.loads(lines[-1])
    if result["received"] < 0.999 * result["sent"]:
        raise Failed(f"{result['received']} of {result['sent']} packets came back")
    return {name: result[name] for name in PERCENTILES}


def ours(machine):
    setup = replace(IPV4.setup(machine), devices=tuple(memifs(machine, "server")),
                    mbufs=IPV4.mbufs() // 2)
    with Dataplane(machine, replace(setup, memory_mib=MEMORY_MIB)) as box:
        box.loader(0, "-n", "0")
        box.routes_add()
        time.sleep(0.3)
        box.loader(0, "-n", "1")
        return probe(machine)


def io(machine):
    command = ["dpdk-testpmd"] + testpmd.eal_arguments(machine, MEMORY_MIB)
    for device in memifs(machine, "server"):
        command += ["--vdev", device]
    command += ["--", "--no-mlockall", "--nb-cores=1", "--forward-mode=io",
                f"--burst={testpmd.BURST}", "--total-num-mbufs=16384", "--stats-period=1"]
    child = machine.netns.spawn(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(2)
        return probe(machine)
    finally:
        machine.netns.stop(child)


OURS = Figure("latency", ours, 2 * MEMORY_MIB)
IO = Figure("latency, testpmd io", io, 2 * MEMORY_MIB)

ROWS = [Row(f"relay_latency_{name}", "us", OURS, key=name, base=IO, base_name="testpmd io",
            base_key=name) for name in PERCENTILES]
