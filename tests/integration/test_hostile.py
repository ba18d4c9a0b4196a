"""What came from outside: refused by name, counted, bounded; calls go on."""

import os
import threading
import time

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.sendrecv import sendp
from sockets import Phone, files, sip_request, status_of

from sallyport_lab import Endpoint, Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, ACCESS_WRONG, CORE_BOX

SIP = (ACCESS_BOX, 5060)


def a_call_works(box):
    lab = box.lab
    with Sipp(lab, lab.core, scenario.answer_and_talk(500)) as server:
        with Sipp(lab, lab.access, scenario.talk_and_hang_up(500), to=f"{ACCESS_BOX}:5060",
                  calls=2) as phones:
            assert phones.wait(20).succeeded == 2, phones.errors() + server.errors()
        assert server.settle(2).succeeded == 2


@pytest.fixture(name="phone")
def phone_by_hand(box):
    with Phone(box.lab.access, ACCESS, 5090) as phone:
        yield phone


# What is wrong, and the reason that it is counted under.
BAD_REQUESTS = {
    "CSeq of another method": (sip_request(cseq="1 INVITE"), "cseq"),
    "CSeq beyond 2^31": (sip_request(cseq="4294967296 OPTIONS"), "cseq"),
    "From is no address": (sip_request(**{"from": "<sip:a@b"}), "from_to"),
    "longer than the datagram": (sip_request(content_length="100"), "content_length"),
    "negative Content-Length": (sip_request(content_length="-1"), "content_length"),
}


@pytest.mark.parametrize("kind", BAD_REQUESTS)
def test_malformed_is_answered_400(box, phone, kind):
    """RFC 3261 section 8.2 and RFC 4475: a request that can be answered gets 400."""
    request, reason = BAD_REQUESTS[kind]
    before = malformed(box, reason)
    assert status_of(phone.ask(request, SIP)) == 400
    assert malformed(box, reason) == before + 1


@pytest.mark.parametrize("header", ["Via", "Call-ID", "From", "To", "CSeq"])
def test_unanswerable_is_dropped(box, phone, header):
    """RFC 3261 section 8.2.6.2 builds an answer from these five: without one there is none."""
    before = box.drops().get("sip_malformed", 0), malformed(box, "missing")
    phone.send(sip_request(drop=(header,)), SIP)
    wait_until(lambda: box.drops().get("sip_malformed", 0) - before[0] == 1, 3, "it to be counted")
    assert malformed(box, "missing") == before[1] + 1
    assert phone.payloads() == []


def malformed(box, reason):
    """Messages that the scan found wrong for this reason, in either of its halves."""
    stats = box.show("stats")
    return stats[f"dataplane_sip_error_{reason}"] + stats[f"shard_sip_error_{reason}"]


ANSWERS = {
    "unknown method": (sip_request("FOO"), (405, 501)),
    "too many hops": (sip_request("INVITE", max_forwards="0"), (483,)),
    "unknown Require": (sip_request(require="nothing-we-know"), (420,)),
    "unknown URI scheme": (sip_request("INVITE", uri="soap.beep://192.0.2.1"), (416,)),
    "in no dialog": (sip_request("BYE", to="<sip:x@192.0.2.1>;tag=nobody"), (481,)),
    "CANCEL of nothing": (sip_request("CANCEL"), (481,)),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_refused_by_the_rules(phone, kind):
    message, statuses = ANSWERS[kind]
    assert status_of(phone.ask(message, SIP)) in statuses


def test_not_sip_is_counted(box, phone):
    before = box.drops().get("sip_malformed", 0)
    for junk in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 100, b"\xff" * 1400, b"INVITE"):
        phone.send(junk, SIP)
    wait_until(lambda: box.drops().get("sip_malformed", 0) - before == 4, 3, "4 malformed counted")


def test_keepalive_is_no_error(box, phone):
    before = box.drops().get("sip_keepalive", 0)
    phone.send(b"\r\n\r\n", SIP)
    phone.send(b"", SIP)
    wait_until(lambda: box.drops().get("sip_keepalive", 0) - before == 2, 3, "keep-alives counted")


@pytest.mark.unwatched("callers of the corpus put the box's address into their names, which may cross")
@pytest.mark.waits
def test_corpus_to_the_sip_port(box, phone):
    """Every message of the corpus as one datagram; afterwards a call works and nothing is left."""
    names = []
    for folder in ("rfc4475", "rfc5118", "messages", "attacks"):
        found = files(folder)
        assert found, folder
        names += found
    # The INVITEs among them become calls; the server refuses them.
    with Sipp(box.lab, box.lab.core, scenario.refuse(486, "Busy Here")) as server:
        for name in names:
            with open(name, "rb") as message:
                data = message.read()
            if len(data) <= 65507:
                phone.send(data, SIP)
                time.sleep(0.002)  # below the rate limit of one source
        assert status_of(phone.ask(sip_request(), SIP)) == 200
        # Those that came with a To tag or as CANCEL end by timer at the latest.
        wait_until(lambda: box.calls().active == 0, 75, "the calls of the corpus to end")
        # So do requests that were passed on, which the server does not answer.
        wait_until(lambda: box.show("stats")["requests_open"] == 0, 75, "the requests to end")
        server.process.kill()
    a_call_works(box)


def test_corpus_to_a_media_port(box, phone):
    for name in files("attacks", "binary"):
        with open(name, "rb") as datagram:
            data = datagram.read()
        if len(data) <= 65507:
            phone.send(data, (ACCESS_BOX, 20000))
            phone.send(data, (ACCESS_BOX, 20001))
    a_call_works(box)


@pytest.mark.unwatched("a flood: more than the capture keeps up with")
def test_flood_of_one_source_leaves_others_alone(make_box):
    """One source sends far above its rate: policed and counted, a second one's calls all work."""
    box = make_box({"limits: {sip_rate: 5000, sip_burst: 10000}":
                    "limits: {sip_rate: 200, sip_burst: 400, options_rate: 0, deny_after: 0}"})
    lab = box.lab
    with Endpoint(lab.access, ACCESS_WRONG, 5090) as attacker:
        stop = threading.Event()
        sent = []

        def flood():
            while not stop.is_set():
                attacker.send(sip_request(source=f"{ACCESS_WRONG}:5090"), SIP)
                sent.append(1)
                if len(sent) % 20 == 0:
                    time.sleep(0.004)
        thread = threading.Thread(target=flood)
        thread.start()
        try:
            wait_until(lambda: box.drops().get("sip_rate", 0) > 100, 10, "policing")
            with Sipp(lab, lab.core, scenario.answer_and_talk(500)) as server:
                with Sipp(lab, lab.access, scenario.talk_and_hang_up(500), to=f"{ACCESS_BOX}:5060",
                          calls=20, rate=10) as phones:
                    placed = phones.wait(30)
                assert (placed.succeeded, placed.failed) == (20, 0), phones.errors()
                assert server.settle(20).succeeded == 20
        finally:
            stop.set()
            thread.join()
        answered = len(attacker.received)
        wait_until(lambda: len(sent) - box.drops().get("sip_rate", 0) <= answered + 1000, 5,
                   "the drops to be counted")
        assert box.drops()["sip_rate"] > len(sent) / 3


def test_frames_that_make_no_sense(box):
    """Short, lying and alien frames, straight onto the wire."""
    lab = box.lab
    mac = next(p["mac"] for p in box.show("ports") if p["name"] == "access")
    ether = Ether(dst=mac, src="02:00:00:00:00:66")
    ip = IP(src=ACCESS, dst=ACCESS_BOX)
    rtp = UDP(sport=45000, dport=20000)
    frames = [
        ether / Raw(b"\x45"),
        ether / ip / Raw(b""),
        ether / IP(src=ACCESS, dst=ACCESS_BOX, ihl=15) / Raw(b"x"),
        ether / IP(src=ACCESS, dst=ACCESS_BOX, len=2000) / rtp / Raw(b"x" * 20),
        ether / IP(src=ACCESS, dst=ACCESS_BOX, chksum=1) / rtp / Raw(b"x" * 20),
        ether / IP(src=ACCESS, dst=ACCESS_BOX, ttl=0) / rtp / Raw(b"x" * 20),
        ether / IP(src="127.0.0.1", dst=ACCESS_BOX) / rtp / Raw(b"x" * 20),
        ether / IP(src=ACCESS, dst=CORE_BOX) / rtp / Raw(b"x" * 20),
        ether / IP(src=ACCESS, dst=ACCESS_BOX, flags="MF") / rtp / Raw(b"x" * 20),
        ether / IP(src=ACCESS, dst=ACCESS_BOX, proto="udp", frag=100) / Raw(b"x" * 20),
        ether / ip / UDP(sport=45000, dport=20000, len=4) / Raw(b"x" * 20),
        ether / ip / UDP(sport=45000, dport=5060, chksum=0x1234) / Raw(b"x" * 20),
        Ether(dst="02:00:00:00:00:99", src="02:00:00:00:00:66") / ip / rtp,
        Ether(dst=mac, type=0x88cc) / Raw(b"x" * 60),
    ]
    before = box.drops()
    lab.access.enter(lambda: [sendp(f, iface="eth0", verbose=False) for f in frames])

    def new():
        return {reason: count - before.get(reason, 0) for reason, count in box.drops().items()}
    reasons = ["ip_header", "ip_checksum", "ip_source", "udp_header", "udp_checksum",
               "eth_not_ours", "eth_type"]
    if box.driver == "net_af_xdp":  # the other one's sockets see no fragments: test_fragments.py
        reasons += ["frag_shape", "frag_timeout"]
    for reason in reasons:
        wait_until(lambda r=reason: new().get(r, 0) >= 1, 3, f"a drop {reason}: {new()}")
    a_call_works(box)


def test_ping_of_every_size(box):
    """ICMP is the kernel's, through the twin."""
    lab = box.lab
    mac = next(p["mac"] for p in box.show("ports") if p["name"] == "access")

    def ping(size):
        from scapy.sendrecv import srp1  # pylint: disable=import-outside-toplevel
        request = (Ether(dst=mac) / IP(src=ACCESS, dst=ACCESS_BOX) / ICMP(id=os.getpid() & 0xffff)
                   / Raw(b"p" * size))
        return srp1(request, iface="eth0", timeout=2, verbose=False)
    for size in (0, 56, 1472):
        answer = lab.access.enter(ping, size)
        assert answer is not None and answer[ICMP].type == 0, f"no echo reply to {size} bytes"
