"""relay_*: packets a second of one worker core, net_pcap to net_pcap, beside testpmd 5tswap."""

import ipaddress
import os
from dataclasses import dataclass, replace

from . import testpmd
from .dataplane import Dataplane, Setup, Side
from .frames import address_plus, pcap_write, port_mac, rtp_payload, udp_frame
from .rows import Figure, Row
from .system import PACKET_BYTES, Failed, memory_mib

FIRST_PORT = 10000
REMOTE_PORT = 4000
FLOWS = 20000  # a port
FLOWS_MANY = 200000
MBUFS_FREE = 16384  # beside those that net_pcap keeps

V4 = (Side("10.1.0.1/24", "10.1.0.254", "100.64.0.1", "100.64.0.0/12"),
      Side("10.2.0.1/24", "10.2.0.254", "100.80.0.1", "100.80.0.0/12"))
V6 = (Side("2001:db8:1::1/64", "2001:db8:1::fe", "2001:db8:6400::1", "2001:db8:6400::/48"),
      Side("2001:db8:2::1/64", "2001:db8:2::fe", "2001:db8:6500::1", "2001:db8:6500::/48"))
VLANS = tuple(replace(side, vlan=vlan) for side, vlan in zip(V4, (100, 200)))


@dataclass(frozen=True)
class Load:
    """Flows of each port, and what the ports replay."""
    name: str
    sides: tuple = V4
    flows: int = FLOWS
    addresses: int = 1
    def mbufs(self):
        return 2 * self.flows + MBUFS_FREE

    def memory_mib(self):
        return memory_mib(self.mbufs(), 96 + (4 * self.flows * 192 >> 20))

    def huge_mib(self):
        """Hugepages that are worth having."""
        return (self.mbufs() * PACKET_BYTES + 4 * self.flows * 192 >> 20) + 512

    def frames(self, index):
        side = self.sides[index]
        local = ipaddress.ip_interface(side.local).ip
        share = self.flows // self.addresses
        for flow in range(self.flows):
            yield udp_frame(
                port_mac(index), address_plus(side.remote, flow), REMOTE_PORT,
                address_plus(local, flow // share), FIRST_PORT + 2 * (flow % share),
                rtp_payload(flow, flow), side.vlan)

    def pcaps(self, machine):
        paths = [machine.path(f"{self.name}-{index}.pcap") for index in range(2)]
        for index, path in enumerate(paths):
            if not os.path.exists(path):
                pcap_write(path, self.frames(index))
        return paths

    def setup(self, machine):
        loader = ("-n", str(self.flows), "-l", str(self.addresses), "-p", str(FIRST_PORT),
                  "-P", str(REMOTE_PORT))
        return Setup(self.sides, tuple(testpmd.devices(self.pcaps(machine))), self.memory_mib(),
                     self.mbufs(), flows=max(65536, 4 * self.flows), loader=loader)


def relay(load):
    def measure(machine):
        with Dataplane(machine, load.setup(machine)) as box:
            result = box.load()
        if result.tx < 0.99 * result.rx or result.rx == 0:
            raise Failed(f"only {result.tx} of {result.rx} packets were relayed: "
                         f"{result.dropped()}")
        machine.notes[load.name] = result
        return {"value": result.tx / result.cpu_s}
    return Figure(f"relay, {load.name}", measure, load.huge_mib())


def baseline(load):
    def measure(machine):
        return {"value": testpmd.measure(machine, load.pcaps(machine), "5tswap",
                                         load.memory_mib(), load.mbufs())}
    return Figure(f"testpmd, {load.name}", measure, load.huge_mib())


IPV4 = Load("ipv4")
MANY = Load("ipv4_400k", flows=FLOWS_MANY, addresses=10)
ours_ipv4 = relay(IPV4)

ROWS = [
    Row("relay_ipv4", "packets/s", ours_ipv4, base=baseline(IPV4), base_name="testpmd 5tswap",
        target=0.6),
    Row("relay_ipv4_400k", "packets/s", relay(MANY), base=ours_ipv4, base_name="relay_ipv4",
        target=0.75),
    Row("relay_ipv6", "packets/s", relay(Load("ipv6", V6)), base=ours_ipv4,
        base_name="relay_ipv4", target=0.8),
    Row("relay_4to6", "packets/s", relay(Load("4to6", (V4[0], V6[1]))), base=ours_ipv4,
        base_name="relay_ipv4", target=0.8),
    Row("relay_vlan", "packets/s", relay(Load("vlan", VLANS)), base=ours_ipv4,
        base_name="relay_ipv4", target=0.8),
]
