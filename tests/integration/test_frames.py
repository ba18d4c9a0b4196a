"""Frames and headers that lie (threats row 30): each counted by exactly its reason, none forwarded,
and the call beside them loses nothing."""

import socket
import threading
import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw
from test_media import CALLEE_SSRC, CALLER_SSRC, arrived, talking

from sallyport_lab import drivers_here, wait_until
from sallyport_lab.net import ACCESS6, ACCESS6_BOX, ACCESS_BOX, ACCESS_WRONG, CORE_BOX

EACH = 25  # of each kind
VOICE = 150  # packets of the call each way, 3 s
MARK = b"row thirty"  # in everything that has room for it
DATA = Raw(MARK * 4)
UNKNOWN_VLAN = 300
JUMBO = 9000
ETH_P_ALL = 0x0003


def ip(**fields):
    return IP(**{"src": ACCESS_WRONG, "dst": ACCESS_BOX, **fields})


RTP, SIP = UDP(sport=45000, dport=20000), UDP(sport=5090, dport=5060)
GOOD = ip() / RTP / DATA
# What is wrong: the frame behind its addresses, and the reason that it is counted under.
KINDS = {
    "IP checksum": (ip(chksum=1) / RTP / DATA, "ip_checksum"),
    "UDP checksum": (ip() / UDP(sport=5090, dport=5060, chksum=0x1234) / DATA, "udp_checksum"),
    "UDP checksum of IPv6": (IPv6(src=ACCESS6, dst=ACCESS6_BOX) / UDP(
        sport=45000, dport=20000, chksum=0) / DATA, "udp_checksum"),
    "UDP length short": (ip() / UDP(sport=45000, dport=20000, len=7) / DATA, "udp_header"),
    "UDP length long": (ip() / UDP(sport=45000, dport=20000, len=900) / DATA, "udp_header"),
    "UDP header cut": (ip(proto="udp") / Raw(b"\xaf\xc8\x4e\x20"), "udp_header"),
    "IP total length long": (ip(len=2000) / RTP / DATA, "ip_header"),
    "IP total length short": (ip(len=19) / RTP / DATA, "ip_header"),
    "IP payload length long": (IPv6(src=ACCESS6, dst=ACCESS6_BOX, plen=900) / RTP / DATA,
                               "ip_header"),
    "IP header length": (ip(ihl=4) / RTP / DATA, "ip_header"),
    "IP version": (ip(version=5) / RTP / DATA, "ip_header"),
    "source of this network": (ip(src="0.0.0.0") / RTP / DATA, "ip_source"),
    "source loopback": (ip(src="127.0.0.1") / RTP / DATA, "ip_source"),
    "source multicast": (ip(src="224.0.0.9") / RTP / DATA, "ip_source"),
    "source broadcast": (ip(src="255.255.255.255") / RTP / DATA, "ip_source"),
    "source our own": (ip(src=ACCESS_BOX) / RTP / DATA, "ip_source"),
    "source loopback of IPv6": (IPv6(src="::1", dst=ACCESS6_BOX) / RTP / DATA, "ip_source"),
    "source multicast of IPv6": (IPv6(src="ff02::1", dst=ACCESS6_BOX) / RTP / DATA, "ip_source"),
    "TTL ran out": (ip(ttl=0) / RTP / DATA, "ip_ttl"),
    "address of the other realm": (ip(dst=CORE_BOX) / RTP / DATA, "ip_not_local"),
    "unknown VLAN": (Dot1Q(vlan=UNKNOWN_VLAN) / GOOD, "eth_vlan"),
    # The outer tag has no VLAN: a packet socket's kernel takes it off and says only its number.
    "two VLAN tags": (Dot1Q(vlan=0) / Dot1Q(vlan=UNKNOWN_VLAN) / GOOD, "eth_qinq"),
    "service tag": (Dot1AD(vlan=0) / Dot1Q(vlan=UNKNOWN_VLAN) / GOOD, "eth_qinq"),
    "EtherType": (Raw(b"\x88\xcc") / DATA, "eth_type"),
    "runt": (Raw(b"\x08\x00") / Raw(b"\x45"), "eth_short"),
    "runt of IPv6": (Raw(b"\x86\xdd") / Raw(b"\x60"), "eth_short"),
}


def frames_to(mac, stranger):
    """(frame, reason) of every kind; stranger: a MAC address that is not the box's."""
    made = []
    for packet, reason in KINDS.values():
        ether = Ether(dst=mac, src="02:00:00:00:00:66")
        if isinstance(packet, Raw):  # with the EtherType
            frame = bytes(ether)[:12] + bytes(packet)
        else:
            frame = bytes(ether / packet)
        made.append((frame, reason))
    made.append((bytes(Ether(dst=stranger, src="02:00:00:00:00:66") / GOOD), "eth_not_ours"))
    return made


def wire(peer, protocol=0):
    raw = peer.enter(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    raw.bind(("eth0", protocol))
    raw.setblocking(False)
    return raw


def heard_marks(sniffer):
    """How many frames with the mark came to this wire since it was opened; not what was sent."""
    marks = 0
    while True:
        try:
            data, source = sniffer.recvfrom(65535)
        except BlockingIOError:
            return marks
        marks += source[2] != socket.PACKET_OUTGOING and MARK in data


def port_named(box, name="access"):
    return next(port for port in box.show("ports") if port["name"] == name)


def test_each_counted_by_its_reason(dual_box):
    box, lab = dual_box, dual_box.lab
    kinds = frames_to(port_named(box)["mac"], "02:00:00:00:00:99")
    expected = {}
    for _, reason in kinds:
        expected[reason] = expected.get(reason, 0) + EACH
    with talking(box) as talk, wire(lab.access) as out, \
            wire(lab.core, ETH_P_ALL) as core, wire(lab.access, ETH_P_ALL) as access:
        talk.both_ways(10)
        before, punted = box.drops(), port_named(box)["punted"]
        voices = [threading.Thread(target=end.stream, args=(to, VOICE, ssrc, 10))
                  for end, to, ssrc in ((talk.caller, talk.access, CALLER_SSRC),
                                        (talk.callee, talk.core, CALLEE_SSRC))]
        for voice in voices:
            voice.start()
        for _ in range(EACH):
            for frame, _ in kinds:
                out.send(frame)
            time.sleep(0.1)
        for voice in voices:
            voice.join()

        def new():
            return {reason: count - before.get(reason, 0) for reason, count in box.drops().items()
                    if count != before.get(reason, 0)}
        wait_until(lambda: sum(new().values()) >= sum(expected.values()), 3, "them to be counted")
        assert new() == expected
        for end, ssrc in ((talk.callee, CALLER_SSRC), (talk.caller, CALLEE_SSRC)):
            arrived(end, ssrc, list(range(10, 10 + VOICE)))
            assert end.sequences(ssrc) == list(range(10 + VOICE))
        assert heard_marks(core) == heard_marks(access) == 0
    # The kernel got none of them: neighbours of its own may have asked meanwhile.
    assert port_named(box)["punted"] - punted < EACH


def test_longer_than_the_mtu(make_box):
    """A wire that carries jumbo frames to a port that was not told of them: what does not fit its
    frames is cut, and a cut packet is longer than its frame. On net_af_xdp the kernel allows no
    such wire."""
    if "net_af_packet" not in drivers_here():
        pytest.skip("skipped: no net_af_packet: SALLYPORT_DRIVER forbids it")
    box = make_box(driver="net_af_packet")
    lab = box.lab
    lab.access.ip(f"link set eth0 mtu {JUMBO}")
    lab.box.ip(f"link set sp-access mtu {JUMBO}")
    frame = bytes(Ether(dst=port_named(box)["mac"], src="02:00:00:00:00:66") / ip() / RTP
                  / Raw((MARK * JUMBO)[:JUMBO - 28]))
    with talking(box) as talk, wire(lab.access) as out, \
            wire(lab.core, ETH_P_ALL) as core:
        talk.both_ways(10)
        before = box.drops().get("ip_header", 0)
        for _ in range(EACH):
            out.send(frame)
        talk.both_ways(40, first=10)
        wait_until(lambda: box.drops().get("ip_header", 0) - before == EACH, 3,
                   "the frames counted as ip_header")
        assert talk.callee.sequences(CALLER_SSRC) == list(range(50))
        assert heard_marks(core) == 0
