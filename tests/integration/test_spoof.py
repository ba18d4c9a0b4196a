"""Somebody else claims the link address of a neighbour (threats row 31), by ARP and by IPv6
neighbour discovery, at rate and during a call: the box goes on sending where it did."""

import contextlib
import socket
import threading
import time

import pytest
from scapy.layers.inet6 import (ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr,
                                ICMPv6NDOptSrcLLAddr, IPv6)
from scapy.layers.l2 import ARP, Ether
from sockets import Phone, sip_request
from test_media import CALLEE_SSRC, CALLER_SSRC, arrived, talking

from sallyport_lab import both_families, wait_until
from sallyport_lab.net import ACCESS, ACCESS6, ACCESS6_BOX, ACCESS_BOX

pytestmark = pytest.mark.waits

FORGER = "02:00:00:00:00:66"
EVERYBODY = "ff:ff:ff:ff:ff:ff"
RATE = 500  # claims a second
VOICE = 250  # packets of the call each way, 5 s
ETH_P_ALL = 0x0003


def claims(box_mac, family):
    """Frames that say that the access peer is at FORGER, whoever that is."""
    to_all, to_box = Ether(src=FORGER, dst=EVERYBODY), Ether(src=FORGER, dst=box_mac)
    if family == 4:
        said = {"hwsrc": FORGER, "psrc": ACCESS}
        return [to_all / ARP(op="who-has", pdst=ACCESS, **said),
                to_all / ARP(op="is-at", pdst=ACCESS, hwdst=EVERYBODY, **said),
                to_box / ARP(op="is-at", pdst=ACCESS_BOX, hwdst=box_mac, **said),
                to_box / ARP(op="who-has", pdst=ACCESS_BOX, **said)]
    own = ICMPv6NDOptDstLLAddr(lladdr=FORGER)
    return [to_box / IPv6(src=ACCESS6, dst=ACCESS6_BOX, hlim=255)
            / ICMPv6ND_NA(tgt=ACCESS6, R=0, S=1, O=1) / own,
            to_box / IPv6(src=ACCESS6, dst=ACCESS6_BOX, hlim=255)
            / ICMPv6ND_NA(tgt=ACCESS6, R=0, S=0, O=1) / own,
            Ether(src=FORGER, dst="33:33:00:00:00:01") / IPv6(src=ACCESS6, dst="ff02::1", hlim=255)
            / ICMPv6ND_NA(tgt=ACCESS6, R=0, S=0, O=1) / own,
            to_box / IPv6(src=ACCESS6, dst=ACCESS6_BOX, hlim=255)
            / ICMPv6ND_NS(tgt=ACCESS6_BOX) / ICMPv6NDOptSrcLLAddr(lladdr=FORGER)]


@contextlib.contextmanager
def claiming(peer, frames, rate=RATE):
    """Send them in turn until the block ends; gives the list of what was sent so far."""
    raw = peer.enter(socket.socket, socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind(("eth0", 0))
    stop, sent = threading.Event(), []

    def run():
        begin = time.monotonic()
        while not stop.is_set():
            raw.send(frames[len(sent) % len(frames)])
            sent.append(1)
            time.sleep(max(0.0, begin + len(sent) / rate - time.monotonic()))
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()
        raw.close()


def drain(sniffer):
    """Link addresses that UDP of the box went to, the call and its SIP: {address: packets}. The
    box's kernel may answer the forger's ARP: those answers say nothing that it did not know."""
    to = {}
    while True:
        try:
            data, source = sniffer.recvfrom(64)
        except BlockingIOError:
            return to
        udp = (data[12:14], data[23:24]) == (b"\x08\x00", b"\x11") or (
            data[12:14], data[20:21]) == (b"\x86\xdd", b"\x11")
        if source[2] != socket.PACKET_OUTGOING and udp:
            to[data[:6]] = to.get(data[:6], 0) + 1


def changes(gateway):
    """Both families; with the access peer as the realm's IPv4 and IPv6 gateway or as nothing but a
    neighbour."""
    edits = both_families()
    if gateway:
        for old in list(edits):
            if old.startswith("addresses: [192.0.2.1"):
                edits[old] += f'\n    gateway: [{ACCESS}, "{ACCESS6}"]'
    return edits


def link_of(text):
    return bytes.fromhex(text.replace(":", ""))


@pytest.mark.parametrize("gateway", [False, True], ids=["neighbour", "gateway"])
@pytest.mark.parametrize("family", [4, 6], ids=["arp", "nd"])
def test_a_claim_moves_nothing(make_box, family, gateway):
    box = make_box(changes(gateway))
    lab = box.lab
    mac = next(port["mac"] for port in box.show("ports") if port["name"] == "access")
    sniffer = lab.access.enter(
        socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sniffer.bind(("eth0", ETH_P_ALL))
    sniffer.setblocking(False)
    true = link_of(lab.access.run("cat", "/sys/class/net/eth0/address").strip())
    frames = [bytes(frame) for frame in claims(mac, family)]
    with sniffer, talking(box, access=lab.side("access", family),
                          core=lab.side("core", family)) as talk:
        talk.both_ways(10)
        drain(sniffer)
        with claiming(lab.access, frames) as sent:
            voices = [threading.Thread(target=end.stream, args=(to, VOICE, ssrc, 10))
                      for end, to, ssrc in ((talk.caller, talk.access, CALLER_SSRC),
                                            (talk.callee, talk.core, CALLEE_SSRC))]
            for voice in voices:
                voice.start()
            for voice in voices:
                voice.join()
        assert len(sent) > RATE
        for end, ssrc in ((talk.callee, CALLER_SSRC), (talk.caller, CALLEE_SSRC)):
            arrived(end, ssrc, list(range(10, 10 + VOICE)))
            assert end.sequences(ssrc) == list(range(10 + VOICE))
        to = drain(sniffer)
        assert to.pop(true) >= VOICE and to == {}


def use(address):
    """A datagram of the kernel's, which makes it look whether the neighbour is there still."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"", (address, 9))


@pytest.mark.parametrize("family", [4, 6], ids=["arp", "nd"])
def test_a_gateway_that_moved_is_found(make_box, family):
    """What is pinned is asked; who has gone does not answer, and then a claim is believed."""
    box = make_box(changes(gateway=True))
    lab, side = box.lab, box.lab.side("access", family)
    host = f"[{side.address}]" if family == 6 else side.address
    mac = next(port["mac"] for port in box.show("ports") if port["name"] == "access")
    # The kernel asks again after 30 s and gives up after 8 more: here within three.
    kind = f"net.ipv{family}.neigh.access"
    lab.box.run("sysctl", "-qw", f"{kind}.base_reachable_time_ms=1000",
                f"{kind}.delay_first_probe_time=1", f"{kind}.retrans_time_ms=200")
    with Phone(lab.access, side.address, 5090) as phone:
        def answered():
            lab.box.enter(use, side.address)
            return phone.ask(sip_request(source=f"{host}:5090"), (side.box, 5060), 0.5) is not None
        assert answered()
        lab.access.ip(f"link set eth0 address {FORGER}")
        lab.access.ip(f"neigh replace {side.box} dev eth0 lladdr {mac}")
        with claiming(lab.access, [bytes(frame) for frame in claims(mac, family)], rate=0.5):
            wait_until(answered, 14, "the new gateway to be taken")
