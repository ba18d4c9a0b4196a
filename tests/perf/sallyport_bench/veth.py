"""relay_af_xdp_veth: through two veth pairs, beside a plain recvmmsg/sendmmsg relay there.

One way, as many packets as a sender on the other core can make. Packets count where they arrive:
at the far peer's interface. Sender, kernel and relay share two cores, so this is what the whole
place carries and not what a worker could.
"""

import json
import os
import subprocess
import time
from dataclasses import replace

from .dataplane import Dataplane
from .frames import pcap_write
from .relay import FIRST_PORT, REMOTE_PORT, V4, Load
from .rows import Figure, Row
from .system import Failed, Namespace, Skip

MEMORY_MIB = 256
WARM_UP_S = 1
LOAD = Load("veth", flows=100)
PEERS = ("peer0", "peer1")
BOX_MAC = "02:70:63:61:70:0{}"  # as the frames of net_pcap's devices


class Veths:
    """Two pairs: box side veth0 and veth1 in the machine's namespace, peers in two others."""

    def __init__(self, machine):
        self.machine = machine
        self.peers = [Namespace(f"{machine.netns.name}-{name}") for name in PEERS]
        run = machine.netns.run
        for i, peer in enumerate(self.peers):
            run("ip", "link", "add", f"veth{i}", "address", BOX_MAC.format(i), "type", "veth",
                "peer", "name", "eth0", "address", "02:00:00:00:aa:aa", "netns", peer.name)
            run("ip", "link", "set", f"veth{i}", "up")
            # Nothing of the peers' kernels belongs into the count.
            peer.run("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
            peer.run("ip", "link", "set", "eth0", "up")

    def received(self):
        links = json.loads(self.peers[1].run("ip", "-json", "-s", "link", "show", "dev", "eth0"))
        return links[0]["stats64"]["rx"]["packets"]

    def relayed(self, cpu_ns):
        """Packets a second while the load lasts, and per second of the relay's CPU time."""
        machine, seconds = self.machine, self.machine.seconds
        path = machine.path("veth.pcap")
        if not os.path.exists(path):
            pcap_write(path, LOAD.frames(0))
        load = self.peers[0].spawn(
            [machine.program("tests", "perf", "packet_load"), "eth0", path,
             str(WARM_UP_S + seconds + 1)], machine.main_core, stdout=subprocess.PIPE)
        time.sleep(WARM_UP_S)
        n0, t0, c0 = self.received(), time.monotonic(), cpu_ns()
        time.sleep(seconds)
        n1, t1, c1 = self.received(), time.monotonic(), cpu_ns()
        sent = json.loads(load.communicate(timeout=30)[0])["sent"]
        self.peers[0].children.remove(load)
        if n1 == n0:
            raise Failed("nothing was relayed")
        return {"value": (n1 - n0) / (t1 - t0), "a CPU second": (n1 - n0) / ((c1 - c0) / 1e9),
                "offered": sent / (WARM_UP_S + seconds + 1)}

    def close(self):
        for i, peer in enumerate(self.peers):
            self.machine.netns.run("ip", "link", "del", f"veth{i}", check=False)
            peer.close()


def process_ns(pid):
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total


def ours(machine):
    devices = tuple(f"net_af_xdp{i},iface=veth{i}" for i in range(2))
    setup = Load("veth", V4, flows=LOAD.flows).setup(machine)
    setup = replace(setup, devices=devices, memory_mib=MEMORY_MIB, mbufs=32768)
    veths = Veths(machine)
    try:
        try:
            box = Dataplane(machine, setup).__enter__()
        except Failed as why:
            raise Skip(f"net_af_xdp does not start here: {why}") from why
        try:
            box.loader(0, "-n", "0")
            box.routes_add()
            time.sleep(0.3)
            box.loader(0)
            return veths.relayed(lambda: process_ns(box.child.pid))
        finally:
            box.__exit__()
    finally:
        veths.close()


def plain(machine):
    veths = Veths(machine)
    run = machine.netns.run
    child = None
    try:
        for i, side in enumerate(V4):
            run("ip", "addr", "add", side.local, "dev", f"veth{i}")
            run("ip", "neigh", "replace", side.gateway, "lladdr", "02:00:00:00:aa:aa",
                "nud", "permanent", "dev", f"veth{i}")
            run("ip", "route", "replace", side.network, "via", side.gateway)
        ends = [text for side in V4 for text in (side.local.split("/")[0], side.remote)]
        child = machine.netns.spawn(
            [machine.program("tests", "perf", "plain_relay"), *ends, str(FIRST_PORT),
             str(REMOTE_PORT), str(LOAD.flows)], machine.core, stdout=subprocess.PIPE)
        if child.stdout.readline().strip() != "ready":
            raise Failed("plain_relay does not start")
        return veths.relayed(lambda: process_ns(child.pid))
    finally:
        if child is not None:
            machine.netns.stop(child)
        veths.close()


OURS = Figure("veth, net_af_xdp", ours, MEMORY_MIB)
PLAIN = Figure("veth, plain relay", plain)

ROWS = [
    Row("relay_af_xdp_veth", "packets/s", OURS, base=PLAIN, base_name="recvmmsg/sendmmsg relay"),
    Row("relay_af_xdp_veth_cpu", "packets/CPU s", OURS, key="a CPU second", base=PLAIN,
        base_name="recvmmsg/sendmmsg relay", base_key="a CPU second"),
]
