"""The lab's network: namespaces, veth pairs, packet counters and packet loss.

    access 192.0.2.2 ---- sp-access [ box ] sp-core ---- 198.51.100.2 core
           192.0.2.66                 .1      .1

and the same in IPv6, 2001:db8:1::/64 and 2001:db8:2::/64 with the same last numbers (hexadecimal
66). A box that has no IPv6 addresses never sees a packet of that: nothing is sent on the links
unless somebody asks. The peers' interfaces are called eth0. The box's own addresses live on the twins that the
dataplane makes in the box's namespace. With direct=True there is no box: one veth pair
joins the peers, which is how the SIPp scenarios are tried alone.
"""

import contextlib
import ctypes
import json
import os
import shutil
import sys
import tempfile
import threading
from dataclasses import dataclass

from .process import LabError, Process, run, wait_until

ACCESS, ACCESS_WRONG, ACCESS_BOX = "192.0.2.2", "192.0.2.66", "192.0.2.1"
CORE, CORE_BOX = "198.51.100.2", "198.51.100.1"
ACCESS6, ACCESS6_WRONG, ACCESS6_BOX = "2001:db8:1::2", "2001:db8:1::66", "2001:db8:1::1"
CORE6, CORE6_BOX = "2001:db8:2::2", "2001:db8:2::1"
VLAN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vlan.py")
ROUTER6 = "fe80::2"  # of a peer that is a router, on its links
MEDIA_PORTS = (10000, 65535)  # of the peers: all UDP there is media

MARKS = "/run/sallyport-lab"  # a file a namespace: pid and start time of its maker, its folder
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Media:
    """Packets on the media ports of one peer, counted where they leave and enter its kernel."""
    sent: int
    received: int

    def __sub__(self, other):
        return Media(self.sent - other.sent, self.received - other.received)


@dataclass(frozen=True)
class Side:
    """A peer in one address family, and the box as it sees it."""
    peer: "Peer"
    address: str
    box: str

    @property
    def family(self):
        return 6 if ":" in self.address else 4

    def sip(self, port=5060):
        """Where it sends SIP to."""
        return f"[{self.box}]:{port}" if self.family == 6 else f"{self.box}:{port}"


def _started(pid):
    """Start time of a process in clock ticks; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None


def _mark(name, folder):
    """Note who made a namespace."""
    while True:
        os.makedirs(MARKS, exist_ok=True)
        try:
            with open(os.path.join(MARKS, name), "w", encoding="ascii") as mark:
                mark.write(f"{os.getpid()} {_started(os.getpid())} {folder}\n")
            return
        except FileNotFoundError:
            pass  # another lab has just removed the empty folder


def _unmark(name):
    """The folder goes with its last mark: rmdir refuses while others have some."""
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(MARKS, name))
        os.rmdir(MARKS)


def _sweep():
    """Remove what a lab left behind whose process is gone (SIGKILL, power)."""
    if not os.path.isdir(MARKS):
        return
    for name in os.listdir(MARKS):
        mark = os.path.join(MARKS, name)
        try:
            with open(mark, encoding="ascii") as text:
                pid, start, folder = text.read().split()
        except (OSError, ValueError):
            continue
        if _started(pid) != start:
            run("ip", "netns", "del", name, check=False)
            shutil.rmtree(folder, ignore_errors=True)
            _unmark(name)


class Namespace:
    """One network namespace with processes and sockets in it."""

    def __init__(self, name, folder):
        self.name, self.folder = name, folder
        self.processes = []
        run("ip", "netns", "add", name)
        _mark(name, folder)
        self.ip("link set lo up")
        self.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                 "net.ipv6.conf.default.disable_ipv6=1")

    def ip(self, command):
        run("ip", "-n", self.name, *command.split())

    def run(self, *command, check=True, stdin=None):
        return run("ip", "netns", "exec", self.name, *command, check=check, stdin=stdin)

    def start(self, name, command, log, env=None, cwd=None):
        process = Process(name, ["ip", "netns", "exec", self.name, *command], log, env, cwd)
        self.processes.append(process)
        return process

    def enter(self, function, *args):
        """Call a function in a thread in this namespace: the sockets that it opens live here."""
        result = []

        def inside():
            try:
                with open(f"/run/netns/{self.name}", "rb") as net:
                    if _libc.setns(net.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                result.append((function(*args), None))
            except BaseException as error:  # pylint: disable=broad-except
                result.append((None, error))

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        value, error = result[0]
        if error is not None:
            raise error
        return value

    def nft(self, rules):
        self.run("nft", "-f", "-", stdin=rules)

    def close(self):
        for process in self.processes:
            process.kill()
        run("ip", "netns", "del", self.name, check=False)
        _unmark(self.name)


class Peer(Namespace):
    """The namespace of the phones or of the server."""

    def __init__(self, name, folder, address, gateway, address6=None, gateway6=None):
        super().__init__(name, folder)
        self.address, self.gateway = address, gateway
        self.address6, self.gateway6 = address6, gateway6

    def quiet_ipv6(self, interface):
        """IPv6 on, but nothing that the kernel says by itself: no duplicate address detection, no
        link-local address, no router solicitation (and no group reports, see connected())."""
        base = f"net.ipv6.conf.{interface}"
        self.run("sysctl", "-qw", f"{base}.accept_dad=0", f"{base}.accept_ra=0",
                 f"{base}.router_solicitations=0", f"{base}.addr_gen_mode=1",
                 f"{base}.disable_ipv6=0", "net.ipv6.conf.lo.disable_ipv6=0")

    def move_to_vlan(self, number, carrier=None):
        """All addresses and routes from eth0 to a VLAN on it, or on the eth0 of another peer."""
        name, wire = f"vlan{number}", carrier or self
        wire.start(name, [sys.executable, VLAN, "eth0", name, str(number)],
                   os.path.join(wire.folder, f"{wire.name}.{name}.log"))
        wait_until(lambda: name in wire.run("ip", "-o", "link"), 5, f"interface {name}")
        if carrier:
            carrier.ip(f"link set {name} netns {self.name}")
        self.ip("addr flush dev eth0")
        self.quiet_ipv6(name)
        self.ip(f"addr add {self.address}/24 dev {name}")
        self.ip(f"addr add {self.address6}/64 dev {name} nodad")
        self.ip(f"link set {name} up")
        self._default_routes(name)

    def _default_routes(self, interface):
        """By the box; where there is none, everybody is on the link."""
        self.ip("route replace default " + (
            f"via {self.gateway}" if self.gateway else f"dev {interface}"))
        if self.address6:
            self.ip("-6 route replace default " + (
                f"via {self.gateway6}" if self.gateway6 else f"dev {interface}"))

    def connected(self):
        """eth0 is here: addresses, route, counters."""
        no_offloads(self, "eth0")
        self._count()
        self.ip(f"addr add {self.address}/24 dev eth0")
        if self.address6:
            self.quiet_ipv6("eth0")
            self.ip(f"addr add {self.address6}/64 dev eth0 nodad")
        self.ip("link set eth0 up")
        self._default_routes("eth0")

    def _count(self):
        low, high = MEDIA_PORTS
        self.nft(f"""table inet lab {{
            counter received {{ }}
            counter sent {{ }}
            chain input {{
                type filter hook input priority 0
                udp dport {low}-{high} counter name received
            }}
            chain output {{
                type filter hook output priority 0
                udp sport {low}-{high} counter name sent
                icmpv6 type {{ mld-listener-report, mld2-listener-report }} drop
            }}
        }}""")

    def media(self):
        counts = {}
        for entry in json.loads(self.run("nft", "-j", "list", "counters"))["nftables"]:
            if "counter" in entry:
                counts[entry["counter"]["name"]] = entry["counter"]["packets"]
        return Media(counts["sent"], counts["received"])

    def lose(self, percent, ports="5060-5099"):
        """Lose about so many percent of the SIP packets in each direction; 0 ends it.
        Of other packets by their destination ports.

        Every nth packet: what is lost depends on no luck, and a repeated message comes
        through. n is odd, so that it meets every message of calls that are alike.
        nftables instead of tc netem: it is in every Debian kernel configuration, netem is not,
        and it works on both directions at the peer. Dropping at the device, the sender sees no
        error."""
        self.run("nft", "delete", "table", "netdev", "loss", check=False)
        if percent == 0:
            return
        every = 100 // percent - 1 | 1
        drop = f"udp dport {ports} numgen inc mod {every} 0 counter drop"
        self.nft(f"""table netdev loss {{
            chain in {{
                type filter hook ingress device "eth0" priority 0
                {drop}
            }}
            chain out {{
                type filter hook egress device "eth0" priority 0
                {drop}
            }}
        }}""")

    def lost(self):
        """Packets that lose() dropped so far."""
        rules = json.loads(self.run("nft", "-j", "list", "table", "netdev", "loss"))["nftables"]
        return sum(part["counter"]["packets"] for entry in rules if "rule" in entry
                   for part in entry["rule"]["expr"] if "counter" in part)


def no_offloads(namespace, interface):
    """Frames as on a real wire: whole checksums, no coalescing, VLAN tags in their place."""
    run("ip", "netns", "exec", namespace.name, "ethtool", "-K", interface, "tx", "off", "rx", "off",
        "gro", "off", "gso", "off", "tso", "off", "txvlan", "off", "rxvlan", "off")


class Lab:
    """All of it; a context manager that leaves nothing behind."""

    def __init__(self, plain_names=False, direct=False):
        self.direct = direct
        self.closers = []
        self.spaces = []
        _sweep()
        self.dir = tempfile.mkdtemp(prefix="sallyport-lab-")
        try:
            names = self._names(plain_names)
            self.access = self._add(
                Peer(names["access"], self.dir, ACCESS, None if direct else ACCESS_BOX,
                     ACCESS6, None if direct else ACCESS6_BOX))
            self.core = self._add(
                Peer(names["core"], self.dir, CORE, None if direct else CORE_BOX,
                     CORE6, None if direct else CORE6_BOX))
            if direct:
                self.join(self.access, "eth0", self.core, "eth0")
            else:
                self.box = self._add(Namespace(names["sallyport"], self.dir))
                self.join(self.access, "eth0", self.box, "sp-access")
                self.join(self.core, "eth0", self.box, "sp-core")
                self.box_side("sp-access")
                self.box_side("sp-core")
            self.access.connected()
            self.access.ip(f"addr add {ACCESS_WRONG}/24 dev eth0")
            self.access.ip(f"addr add {ACCESS6_WRONG}/64 dev eth0 nodad")
            self.core.connected()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _names(plain):
        roles = ("access", "core", "sallyport")
        if plain and not any(os.path.exists(f"/run/netns/{r}") for r in roles):
            return {r: r for r in roles}
        number = 0
        while os.path.exists(f"/run/netns/sp{os.getpid()}.{number}-access"):
            number += 1
        return {r: f"sp{os.getpid()}.{number}-{r}" for r in roles}

    def side(self, name, family=4):
        """"access" or "core" in this address family, 4 or 6."""
        addresses = {("access", 4): (ACCESS, ACCESS_BOX), ("access", 6): (ACCESS6, ACCESS6_BOX),
                     ("core", 4): (CORE, CORE_BOX), ("core", 6): (CORE6, CORE6_BOX)}
        return Side(getattr(self, name), *addresses[name, family])

    def _add(self, space):
        self.spaces.append(space)
        return space

    @staticmethod
    def join(one, one_name, other, other_name):
        """A wire between two namespaces; the interface names at its ends."""
        run("ip", "link", "add", one_name, "netns", one.name, "type", "veth",
            "peer", "name", other_name, "netns", other.name)

    def behind(self, router, address, router_address, address6=None, router6=None):
        """A peer off the box's links: `router`, a peer on one, forwards for it."""
        peer = self._add(Peer(f"{router.name}-far", self.dir, address, router_address, address6,
                              router6))
        self.join(peer, "eth0", router, "eth1")
        no_offloads(router, "eth1")
        router.ip(f"addr add {router_address}/24 dev eth1")
        router.ip("link set eth1 up")
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        if router6:
            router.quiet_ipv6("eth1")
            router.ip(f"addr add {router6}/64 dev eth1 nodad")
            # Who forwards asks for neighbours from its link-local address.
            for interface in ("eth0", "eth1"):
                router.ip(f"addr add {ROUTER6}/64 dev {interface} nodad")
            router.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        peer.connected()
        return peer

    def box_side(self, interface):
        """This new interface is the dataplane's, and no one else's."""
        self.box.run("nft", "delete", "table", "netdev", interface, check=False)
        no_offloads(self.box, interface)
        # The dataplane takes the frames from the device itself. Without this the kernel of the
        # box's namespace would see them too, and the twin carries the same MAC address.
        self.box.nft(f"""table netdev {interface} {{
            chain in {{
                type filter hook ingress device "{interface}" priority 0
                policy drop
            }}
        }}""")
        self.box.ip(f"link set {interface} up")

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def at_close(self, function):
        """Call this before the namespaces go; the last one added first."""
        self.closers.append(function)

    def close(self):
        while self.closers:
            self.closers.pop()()
        while self.spaces:
            self.spaces.pop().close()
        if os.environ.get("SALLYPORT_KEEP"):
            print(f"kept: {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def require_root():
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces: run it as root")
