"""A wire that somebody sits in: it shows every frame, and loses, doubles and delays what it is told.
By hand, since Debian's smallest kernels have no netem."""

import errno
import heapq
import itertools
import random
import select
import socket
import threading
import time

from .capture import ETH_P_ALL, SO_RCVBUFFORCE
from .net import Namespace, no_offloads

_OUTGOING = 4  # PACKET_OUTGOING
LATE_S = (0.01, 0.04)  # what is delayed; others overtake it


def udp_of(frame):
    """(source port, destination port, payload) of an IPv4 datagram without options, or None."""
    if frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_UDP:
        return None
    length = int.from_bytes(frame[38:40], "big")
    return (int.from_bytes(frame[34:36], "big"), int.from_bytes(frame[36:38], "big"),
            frame[42:34 + length])


class Hop:
    """Between the ends `one` and `other`, each a namespace and the name of its interface there.

    carried: (0 from `one` or 1 from `other`, frame) of everything that went on, as often as it did.
    """

    def __init__(self, lab, one, other):
        self.space = Namespace(f"{lab.box.name}-hop{len(lab.spaces)}", lab.dir)
        lab.spaces.append(self.space)
        self.sockets = []
        for number, (space, interface) in enumerate((one, other)):
            name = f"end{number}"
            lab.join(space, interface, self.space, name)
            no_offloads(self.space, name)
            self.space.ip(f"link set {name} up")
            self.sockets.append(self.space.enter(self._open, name))
        self.carried, self.lost, self.doubled, self.late = [], 0, 0, 0
        self._random, self._ports, self._shares, self._seen = None, (1, 0), (), set()
        self._queue, self._numbers = [], itertools.count()
        self._stop = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        lab.at_close(self.close)

    @staticmethod
    def _open(interface):
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        packets.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        packets.bind((interface, ETH_P_ALL))
        return packets

    def impair(self, seed, ports, lose=0.0, double=0.0, delay=0.0):
        """Of UDP to these ports (first, last) such shares, both ways. The same datagram is lost
        once at most: what is repeated comes through, so that no test depends on luck."""
        self._random, self._ports = random.Random(seed), ports
        self._shares = (lose, lose + double, lose + double + delay)

    def datagrams(self, end, ports):
        """Payloads of UDP to these ports that this end sent, as they went on."""
        found = [udp_of(frame) for sender, frame in list(self.carried) if sender == end]
        return [udp[2] for udp in found if udp and ports[0] <= udp[1] <= ports[1]]

    def _due(self, frame):
        """When it goes on: times, none or one or two."""
        now = time.monotonic()
        udp = udp_of(frame)
        if udp is None or not self._ports[0] <= udp[1] <= self._ports[1]:
            return (now,)
        lose, double, delay = self._shares
        drawn = self._random.random()
        if drawn < lose and udp not in self._seen:
            self._seen.add(udp)
            self.lost += 1
            return ()
        if lose <= drawn < double:
            self.doubled += 1
            return (now, now)
        if double <= drawn < delay:
            self.late += 1
            return (now + self._random.uniform(*LATE_S),)
        return (now,)

    def _run(self):
        try:
            while not self._stop:
                self._carry()
        except OSError:
            pass  # an end is gone, and with it the wire

    def _carry(self):
        wait = max(0, self._queue[0][0] - time.monotonic()) if self._queue else 0.1
        for ready in select.select(self.sockets, (), (), wait)[0]:
            frame, source = ready.recvfrom(65535)
            if source[2] == _OUTGOING:
                continue
            for due in self._due(frame):
                heapq.heappush(self._queue, (due, next(self._numbers),
                                             self.sockets.index(ready), frame))
        while self._queue and self._queue[0][0] <= time.monotonic():
            _, _, end, frame = heapq.heappop(self._queue)
            try:
                self.sockets[1 - end].send(frame)
                self.carried.append((end, frame))
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # the far end is full: lost, as on any wire
                    raise

    def close(self):
        self._stop = True
        self._thread.join()
        for packets in self.sockets:
            packets.close()


def between(lab, name):
    """Into the wire of this peer, "access" or "core", before the box starts; its end 0 is the
    peer's."""
    peer, interface = getattr(lab, name), f"sp-{name}"
    peer.ip("link del eth0")
    hop = Hop(lab, (peer, "eth0"), (lab.box, interface))
    lab.box_side(interface)
    peer.run("nft", "delete", "table", "inet", "lab")
    peer.connected()
    return hop


def facing(lab, other):
    """From this box's core to that of another lab's box, each of whom is the other's core; neither
    lab has a core peer any more."""
    for each in (lab, other):
        each.core.ip("link del eth0")
    hop = Hop(lab, (lab.box, "sp-core"), (other.box, "sp-core"))
    for each in (lab, other):
        each.box_side("sp-core")
    return hop
