"""SIP in IP fragments (threats row 29): what is whole gets through in any order, overlaps do not, a
flood of pieces keeps nobody out, and every buffer comes back. What we send is cut to the MTU."""

import random
import socket
import time

import pytest
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from sockets import CALL_ID, Phone, sip_request

from sallyport_lab import Sipp, account, both_families, drivers_here, scenario, wait_until
from sallyport_lab.net import ACCESS_WRONG

pytestmark = pytest.mark.waits

PORT = 5090
COUNT = 20
MTU = 1500
ETH_P_ALL = 0x0003


class Wire:
    """Frames of the access peer, sent as they are, beside a phone that hears the answers."""

    def __init__(self, box, family):
        self.box, self.side = box, box.lab.side("access", family)
        mac = next(p["mac"] for p in box.show("ports") if p["name"] == "access")
        self.ether = Ether(dst=mac, src="02:00:00:00:00:66")
        self.raw = box.lab.access.enter(socket.socket, socket.AF_PACKET, socket.SOCK_RAW)
        self.raw.bind(("eth0", 0))
        self.phone = Phone(box.lab.access, self.side.address, PORT)
        self.drops, self.reassembled = box.drops(), self._reassembled()
        self.buffers = box.pools()["mbuf"]
        self.ident = 0

    def pieces(self, message, size=1400, source=None):
        """Fragments of one datagram, of so many bytes of data at most."""
        self.ident += 1
        source, to = source or self.side.address, self.side.box
        datagram = UDP(sport=PORT, dport=5060) / Raw(message)
        if self.side.family == 6:
            return fragment6(IPv6(src=source, dst=to) / IPv6ExtHdrFragment(id=self.ident)
                             / datagram, size + 48)
        return fragment(IP(src=source, dst=to, id=self.ident) / datagram, fragsize=size)

    def request(self, **headers):
        host = f"[{self.side.address}]" if self.side.family == 6 else self.side.address
        return sip_request(source=f"{host}:{PORT}", **headers)

    def big_options(self, size):
        """An OPTIONS of about that many bytes; the answer to it is short."""
        return self.request(**{f"X-Pad-{i}": "p" * 600 for i in range(size // 610)})

    def send(self, pieces):
        for piece in pieces:
            self.raw.send(bytes(self.ether / piece))

    def answered(self, messages):
        """How many of these requests got a 200."""
        text = b"\n".join(p for p in self.phone.payloads() if p.startswith(b"SIP/2.0 200"))
        return sum(CALL_ID.search(message).group(1) in text for message in messages)

    def all_answered(self, messages):
        wait_until(lambda: self.answered(messages) == len(messages), 5,
                   f"{len(messages)} answers, when there were {self.answered(messages)}")

    def dropped(self, reason):
        return self.box.drops().get(reason, 0) - self.drops.get(reason, 0)

    def _reassembled(self):
        return sum(p["reassembled"] for p in self.box.show("ports"))

    def used_up(self):
        return self._reassembled() - self.reassembled

    def at_rest(self):
        """Nothing waits, every packet is counted, and the buffers are back."""
        account.at_rest(self.box, self.buffers, 10)

    def close(self):
        self.phone.close()
        self.raw.close()


@pytest.fixture(name="wire", params=[4, 6], ids=["v4", "v6"])
def wire_of_a_box(request, make_box):
    """IPv4 on net_af_xdp: AF_PACKET sockets in a fanout group, as net_af_packet's are, get IPv4
    datagrams put together by the kernel (packet(7), PACKET_FANOUT_FLAG_DEFRAG), and those are
    longer than its frames."""
    driver = "net_af_xdp" if request.param == 4 else "net_af_packet"
    if driver not in drivers_here():
        pytest.skip(f"skipped: no {driver}: SALLYPORT_DRIVER forbids it")
    wire = Wire(make_box(both_families(), driver=driver), request.param)
    yield wire
    wire.close()


def each_twice(pieces):
    """A copy of the last one would begin anew: it has none."""
    return [p for piece in pieces[:-1] for p in (piece, piece)] + pieces[-1:]


ORDERS = {
    "in order": list,
    "reversed": lambda pieces: pieces[::-1],
    "shuffled": lambda pieces: random.Random(1).sample(pieces, len(pieces)),
    "duplicated": each_twice,
}


def test_whole_in_any_order(wire):
    """2.5 to 60 KB in pieces of an MTU, and in small ones: all are answered."""
    sent = copies = 0
    for order in ORDERS.values():
        messages = [wire.big_options((2500, 8000, 8000, 60000)[i % 4]) for i in range(COUNT)]
        for i, message in enumerate(messages):
            pieces = wire.pieces(message, 400 if i % 4 == 2 else 1400)
            sent += len(pieces) - 1
            copies += len(order(pieces)) - len(pieces)
            wire.send(order(pieces))
            time.sleep(0.02)
        wire.all_answered(messages)
    assert (wire.used_up(), wire.dropped("frag_duplicate")) == (sent, copies)
    wire.at_rest()


def test_what_is_no_datagram(wire):
    """Overlaps, ends that never come, and pieces that cannot be."""
    overlapping = [wire.big_options(4000) for _ in range(COUNT)]
    for i, message in enumerate(overlapping):
        pieces = wire.pieces(message, 1000)
        bad = pieces[1].copy()
        if IP in bad:
            bad[IP].frag -= 1
        else:
            bad[IPv6ExtHdrFragment].offset -= 1
        pieces.insert((0, 1, 2, len(pieces) - 1)[i % 4], bad)
        wire.send(pieces)
        time.sleep(0.01)
    wait_until(lambda: wire.dropped("frag_overlap") >= COUNT * 2, 3, "overlaps to be counted")
    lost = [wire.big_options(4000) for _ in range(COUNT)]
    for message in lost:
        wire.send(wire.pieces(message)[:-1])
    wire.send(p for p in wire.pieces(wire.big_options(2000), 8)[:60])
    wait_until(lambda: wire.dropped("frag_shape") == 60, 3, "too many of a datagram")
    wait_until(lambda: wire.dropped("frag_timeout") == COUNT * 2, 5,
               "what waits to be given up")
    assert wire.answered(overlapping + lost) == 0
    assert wire.used_up() == 0
    good = [wire.big_options(4000)]
    wire.send(wire.pieces(good[0]))
    wire.all_answered(good)
    wire.at_rest()


@pytest.mark.parametrize("wire", [4], indirect=True)
def test_flood_of_pieces(wire):
    """20,000 first fragments of one source, and of everybody: who comes whole is answered."""
    messages = []
    sources = [ACCESS_WRONG] + [f"203.0.113.{i}" for i in range(1, 251)]
    first = [bytes(wire.ether / wire.pieces(b"x" * 64, 32, source)[0]) for source in sources]
    for i in range(20000):
        frame = bytearray(first[0 if i % 2 else i // 2 % 250 + 1])
        frame[18:20] = i.to_bytes(2, "big")  # the identification, and the checksum to match
        frame[24:26] = b"\0\0"
        total = sum(int.from_bytes(frame[k:k + 2], "big") for k in range(14, 34, 2))
        total = (total & 0xffff) + (total >> 16)
        frame[24:26] = (~(total + (total >> 16)) & 0xffff).to_bytes(2, "big")
        wire.raw.send(frame)
        if i % 1000 == 0:
            messages.append(wire.big_options(4000))
            wire.send(wire.pieces(messages[-1]))
    wire.all_answered(messages)
    assert wire.dropped("frag_rate") > 1000
    wait_until(lambda: wire.dropped("frag_rate") + wire.dropped("frag_timeout")
               + wire.dropped("frag_evicted") == 20000, 5,
               "the flood to be counted")
    wire.at_rest()


def fragments_heard(sniffer, box, seconds):
    """Datagrams by identification, as the wire brought them: [(offset, more, length)]."""
    sniffer.settimeout(0.2)
    heard, deadline = {}, time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            data = sniffer.recv(65535)
        except socket.timeout:
            continue
        frame = Ether(data)
        if IP in frame and frame[IP].src == box and (frame[IP].frag or frame[IP].flags.MF):
            ip = frame[IP]
            heard.setdefault(ip.id, []).append((ip.frag * 8, bool(ip.flags.MF), ip.len))
        elif IPv6ExtHdrFragment in frame and frame[IPv6].src == box:
            part = frame[IPv6ExtHdrFragment]
            heard.setdefault(part.id, []).append(
                (part.offset * 8, bool(part.m), frame[IPv6].plen + 40))
    return heard


def test_long_answers_are_cut(wire):
    """An answer repeats the Vias, so it is as long as they are; the peer's kernel puts it together."""
    sniffer = wire.box.lab.access.enter(
        socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sniffer.bind(("eth0", ETH_P_ALL))
    vias = ", ".join(f"SIP/2.0/UDP 192.0.2.9:{5000 + i};branch=z9hG4bK{'v' * 80}{i}"
                     for i in range(60))
    with sniffer:
        for _ in range(5):
            message = wire.request()
            first = message.index(b"\r\n", message.index(b"Via: "))
            message = message[:first] + b", " + vias.encode() + message[first:]
            answer = wire.phone.ask(message, (wire.side.box, 5060))
            assert answer is not None and answer.startswith("SIP/2.0 200")
            assert vias in answer and len(answer) > 4 * MTU
        heard = fragments_heard(sniffer, wire.side.box, 1)
    assert len(heard) == 5
    for pieces in heard.values():
        assert max(length for _, _, length in pieces) <= MTU
        assert [more for _, more, _ in sorted(pieces)] == [True] * (len(pieces) - 1) + [False]
    wire.at_rest()


def test_long_calls(wire):
    """INVITEs of 9 KB both ways, cut by the caller's kernel and by us; around the MTU too. To the
    other family, from here."""
    lab, there = wire.box.lab, wire.box.lab.side("core", 10 - wire.side.family)
    for lines in (0, 9, 100):
        caller = scenario.talk_and_hang_up(200, rtp=False, quiet_ms=0)
        plain = scenario.sdp()
        assert plain in caller
        longer = plain + f"a=fmtp:101 0-15,{'x' * 75}\n" * lines
        with Sipp(lab, lab.core, scenario.answer_and_talk(200, rtp=False),
                  address=there.address) as server:
            for fill in range(20, 100, 20):
                text = caller.replace(plain, f"{longer}a=fmtp:8 {'y' * fill}\n")
                with Sipp(lab, lab.access, text, to=wire.side.sip(), calls=1,
                          address=wire.side.address, service=f"{there.family}000") as phone:
                    assert phone.wait(10).succeeded == 1, phone.errors() + server.errors()
            assert server.settle(4).succeeded == 4, server.errors()
