"""Calls in IPv6, and between IPv4 and IPv6: signalling, sound, and what must not pass."""

import os
import socket
import struct

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from test_media import (CALLEE_SSRC, CALLER_SSRC, PORT, STRANGER_SSRC, drops, hold_and_resume,
                        nothing_arrives, talking)

from sallyport_lab import Endpoint, Sipp, both_families, scenario, wait_until
from sallyport_lab.capture import Capture, checksum_is_right
from sallyport_lab.families import DSCP
from sallyport_lab.net import (ACCESS6, ACCESS6_BOX, ACCESS6_WRONG, CORE, CORE6, CORE6_BOX,
                               ROUTER6)
from sallyport_lab.rtp import packet, receiver_report
from sallyport_lab.sipp import header, media_of

PAIRS = [(6, 6), (4, 6), (6, 4)]
CALLS = 3
SO_NO_CHECK = 11
HOP_LIMIT = 64  # the box ends the path of a packet and begins another


@pytest.fixture(name="sides", params=PAIRS, ids=lambda pair: f"v{pair[0]}-v{pair[1]}")
def sides_of_a_call(request, dual_box):
    """The caller's side and the callee's."""
    access, core = request.param
    return {"access": dual_box.lab.side("access", access), "core": dual_box.lab.side("core", core)}


def total(counts):
    return sum(counts.values())


def test_calls_with_sound(dual_box, sides):
    """Every call answered, every RTP packet at the other end."""
    lab, access, core = dual_box.lab, sides["access"], sides["core"]
    before, dropped = (lab.access.media(), lab.core.media()), total(dual_box.drops())
    with Sipp(lab, lab.core, scenario.answer_and_talk(1500), address=core.address) as server:
        with Sipp(lab, lab.access, scenario.talk_and_hang_up(1500), to=access.sip(), calls=CALLS,
                  address=access.address, service=f"{core.family}000") as phones:
            placed = phones.wait(30)
        taken = server.settle(CALLS)
    errors = phones.errors() + server.errors()
    assert (placed.succeeded, placed.failed) == (CALLS, 0), errors
    assert (taken.succeeded, taken.failed) == (CALLS, 0), errors
    one, other = lab.access.media() - before[0], lab.core.media() - before[1]
    assert one.sent >= CALLS * 60 and other.sent >= CALLS * 60
    assert (other.received, one.received) == (one.sent, other.sent)
    assert total(dual_box.drops()) == dropped


def check_headers(captured, family, dscp):
    """The box's own hop limit and the realm's DSCP, and a checksum that is right."""
    assert captured
    for frame in captured:
        assert checksum_is_right(frame), frame.show(dump=True)
        if family == 6:
            assert (frame[IPv6].hlim, frame[IPv6].tc) == (HOP_LIMIT, dscp << 2)
        else:
            assert (frame[IP].ttl, frame[IP].tos) == (HOP_LIMIT, dscp << 2)


def test_every_packet_unchanged(dual_box, sides):
    """RTP and RTCP both ways, from the address that the box's SDP names; headers on the wire."""
    lab, access, core = dual_box.lab, sides["access"], sides["core"]
    with Capture(lab.access) as at_access, Capture(lab.core) as at_core:
        with talking(dual_box, **sides) as talk:
            talk.both_ways(20)
            assert talk.callee.payloads() == [packet(CALLER_SSRC, i) for i in range(20)]
            assert talk.caller.payloads() == [packet(CALLEE_SSRC, i) for i in range(20)]
            assert talk.callee.sources() == {talk.core}
            assert talk.caller.sources() == {talk.access}
            assert (talk.access[0], talk.core[0]) == (access.box, core.box)
            talk.caller_rtcp.send(receiver_report(CALLER_SSRC), (access.box, talk.access[1] + 1))
            talk.callee_rtcp.send(receiver_report(CALLEE_SSRC), (core.box, talk.core[1] + 1))
            wait_until(lambda: talk.callee_rtcp.payloads() == [receiver_report(CALLER_SSRC)], 3,
                       "RTCP at the callee")
            wait_until(lambda: talk.caller_rtcp.payloads() == [receiver_report(CALLEE_SSRC)], 3,
                       "RTCP at the caller")
    for name, captured in (("access", at_access), ("core", at_core)):
        family, (dscp_sip, dscp_media) = sides[name].family, DSCP[name]
        assert len(captured.udp(PORT)) == 20
        check_headers(captured.udp(PORT) + captured.udp(PORT + 1), family, dscp_media)
        check_headers(captured.udp(5060), family, dscp_sip)


def test_checksum_where_the_sender_made_none(dual_box):
    """IPv4 allows a UDP packet without a checksum, IPv6 does not (RFC 8200 section 8.1)."""
    lab = dual_box.lab
    with Capture(lab.access, outgoing=True) as sent, Capture(lab.core) as at_core, \
            talking(dual_box, access=lab.side("access", 4), core=lab.side("core", 6)) as talk:
        talk.caller.socket.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        talk.both_ways(10)
        check_headers(at_core.udp(PORT), 6, DSCP["core"][1])
        assert [frame[UDP].chksum for frame in sent.udp(talk.access[1])] == [0] * 10


def test_headers_of_each_side(dual_box, sides):
    """Each side sees addresses of its own side and family, in brackets where they are IPv6."""
    with talking(dual_box, **sides) as talk:
        talk.both_ways(3)
        for side, message, other in (
                (sides["core"], talk.server.wait_received("INVITE"), "access"),
                (sides["access"], talk.phones.wait_received("SIP/2.0 200"), "core")):
            box = f"[{side.box}]" if side.family == 6 else side.box
            assert header(message, "Contact") == f"<sip:{box}:5060>"
            for family in (4, 6):
                hidden = dual_box.lab.side(other, family)
                assert hidden.box not in message and hidden.address not in message
        invite = talk.server.wait_received("INVITE")
        box = f"[{sides['core'].box}]" if sides["core"].family == 6 else sides["core"].box
        assert header(invite, "Via").startswith(f"SIP/2.0/UDP {box}:5060;branch=")
        assert f"@{box}>" in header(invite, "From")


def test_wrong_source_is_dropped_and_counted(dual_box):
    """Another address, and another port of the right one, before and after the latch locks."""
    lab = dual_box.lab
    sides = {"access": lab.side("access", 6), "core": lab.side("core", 4)}

    def refused():
        return drops(dual_box, "media_source") + drops(dual_box, "media_locked")
    with talking(dual_box, **sides) as talk, \
            Endpoint(lab.access, ACCESS6_WRONG, PORT) as stranger, \
            Endpoint(lab.access, ACCESS6, PORT + 100) as neighbour:
        before = refused()
        stranger.stream(talk.access, 20, STRANGER_SSRC, interval=0.002)
        talk.both_ways()
        stranger.stream(talk.access, 20, STRANGER_SSRC, first=20, interval=0.002)
        neighbour.stream(talk.access, 20, STRANGER_SSRC, first=40, interval=0.002)
        talk.both_ways(first=10)
        nothing_arrives(talk.callee, STRANGER_SSRC)
        wait_until(lambda: refused() - before == 60, 3, "60 packets counted")
        assert stranger.payloads() == [] and neighbour.payloads() == []


def test_hold_and_resume(dual_box, sides):
    hold_and_resume(dual_box, **sides)


def test_reinvite_moves_the_media(dual_box):
    """The caller's re-INVITE names another port: sound follows, the old port is heard no more."""
    lab = dual_box.lab
    moved = scenario.build(
        "caller", scenario.invite(scenario.sdp(PORT)), scenario.progress(), scenario.receive(200),
        scenario.ack(), scenario.pause(1500),
        scenario.invite(scenario.sdp(PORT + 50, version=2), cseq=2, inside=True),
        scenario.receive(100, optional=True), scenario.receive(200), scenario.ack(cseq=2),
        scenario.until_told(), scenario.bye(cseq=3), scenario.receive(200))
    callee = scenario.build(
        "callee", scenario.request("INVITE"),
        scenario.answer(200, "OK", scenario.sdp(PORT), final_invite=True), scenario.request("ACK"),
        scenario.request("INVITE"),
        scenario.answer(200, "OK", scenario.sdp(PORT, version=2), final_invite=True, tag=False),
        scenario.request("ACK"), scenario.request("BYE"), scenario.answer(200, "OK", tag=False))
    sides = {"access": lab.side("access", 6), "core": lab.side("core", 6)}
    with talking(dual_box, moved, callee, **sides) as talk, \
            Endpoint(lab.access, ACCESS6, PORT + 50) as new:
        talk.both_ways()
        talk.server.wait_received("ACK", 2)
        wait_until(lambda: media_of(talk.phones.received("SIP/2.0 200")[-1]) == talk.access, 3,
                   "the second answer")
        talk.caller, old = new, talk.caller
        talk.both_ways(first=10)
        assert old.sequences(CALLEE_SSRC) == list(range(10))


def ping6(peer, address, size):
    """An ICMPv6 echo request; True when the reply comes back."""
    def ask():
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as icmp:
            icmp.settimeout(2)
            body = os.urandom(8) + bytes(size)
            icmp.sendto(struct.pack("!BBHHH", 128, 0, 0, os.getpid() & 0xffff, 1) + body,
                        (address, 0))
            while True:
                try:
                    reply = icmp.recv(65535)
                except socket.timeout:
                    return False
                if reply[0] == 129 and reply[8:] == body:
                    return True
    return peer.enter(ask)


@pytest.mark.parametrize("name", ["access", "core"])
def test_neighbours_and_ping(dual_box, name):
    """The peer finds the box by neighbour discovery, and the box the peer."""
    side = dual_box.lab.side(name, 6)
    side.peer.ip("-6 neigh flush dev eth0")
    for size in (0, 56, 1400):
        assert ping6(side.peer, side.box, size), f"no echo reply to {size} bytes"
    assert "lladdr" in side.peer.run("ip", "-6", "neigh", "show", side.box, "dev", "eth0")


def test_several_media_addresses(make_box, lab):
    """Two addresses of a realm take turns, and sound passes at both."""
    second = "2001:db8:1::3"
    changes = both_families()
    for piece, text in changes.items():
        if piece.startswith("addresses: [192"):
            changes[piece] = text.replace("]", f', "{second}/64"]')
        if piece.startswith("media: {address: 192"):
            changes[piece] = text + f'\n      - {{address: "{second}", ports: 30000-65535}}'
    box = make_box(changes)
    used = []
    for _ in range(2):
        with talking(box, access=lab.side("access", 6),
                     core=lab.side("core", 6)) as talk:
            talk.both_ways()
            assert talk.caller.sources() == {talk.access}
            used.append(talk.access)
    assert {address for address, _ in used} == {ACCESS6_BOX, second}
    assert all(port >= 30000 for address, port in used if address == second)


FAR_PHONE, FAR_SERVER = "2001:db8:11::2", "2001:db8:12::2"


def test_peers_behind_routers(make_box, lab):
    """A realm's IPv6 router, link-local in one and global in the other; sound all the way."""
    phone = lab.behind(lab.access, "10.1.0.2", "10.1.0.1", FAR_PHONE, "2001:db8:11::1")
    server = lab.behind(lab.core, "10.2.0.2", "10.2.0.1", FAR_SERVER, "2001:db8:12::1")
    changes = both_families()
    for piece, text in changes.items():
        if piece.startswith("addresses: [192"):
            changes[piece] = text + f'\n    gateway: ["{ROUTER6}"]'
        if piece.startswith("addresses: [198"):
            changes[piece] = text + f'\n    gateway: ["{CORE6}", {CORE}]'
        if "softswitch6" in text and "address" in text:
            changes[piece] = text.replace(CORE6, FAR_SERVER).replace(ACCESS6, FAR_PHONE)
    box = make_box(changes)
    for caller, callee, to in ((phone, server, ACCESS6_BOX), (server, phone, CORE6_BOX)):
        before = caller.media(), callee.media()
        with Sipp(lab, callee, scenario.answer_and_talk(1000), address=callee.address6) as answers:
            with Sipp(lab, caller, scenario.talk_and_hang_up(1000), to=f"[{to}]:5060", calls=2,
                      address=caller.address6, service="6000") as calls:
                placed = calls.wait(30)
            answers.settle(2)
        assert (placed.succeeded, placed.failed) == (2, 0), calls.errors() + answers.errors()
        one, other = caller.media() - before[0], callee.media() - before[1]
        assert one.sent >= 80 and other.sent >= 80
        assert (other.received, one.received) == (one.sent, other.sent)
    assert box.drops().get("out_no_route", 0) == 0
