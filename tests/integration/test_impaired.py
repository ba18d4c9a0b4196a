"""Threat 42: a wire to each side that loses, doubles and reorders SIP, and one that does so to RTP.
Every call completes and is one call; and of the sound the box loses nothing by itself."""

import pytest
from topology import Topology

from sallyport_lab import Sipp, hop, scenario, wait_until
from sallyport_lab.net import ACCESS_BOX
from sallyport_lab.rtp import packet
from sallyport_lab.sipp import header
from test_media import CALLER_SSRC, silent_call, talking
from test_media_quality import UNKNOWN, answered_with, cdr_after

pytestmark = pytest.mark.unwatched("before the wires are joined; then they are")
TO_BOX = f"{ACCESS_BOX}:5060"
SHARE = 0.05  # lost, and doubled, and late: each of them
SIP, MEDIA = (5060, 5060), (10000, 65535)
CALLS, RATE, PACKETS = 150, 50, 800


@pytest.fixture(name="wires")
def hops_on_both_sides(lab):
    """The wires of the access and of the core side; the box comes after them."""
    wires = hop.between(lab, "access"), hop.between(lab, "core")
    with Topology(lab):
        yield wires


@pytest.mark.waits
def test_signalling(wires, make_box):
    """Lost, doubled and late in both directions on both sides: no call fails, none becomes two."""
    box = make_box()
    lab = box.lab
    callee = scenario.answer_and_talk(500, linger_ms=3000)
    caller = scenario.talk_and_hang_up(500, settle_ms=1500)
    with Sipp(lab, lab.core, callee) as server:
        for seed, wire in enumerate(wires):
            wire.impair(seed, SIP, lose=SHARE, double=SHARE, delay=SHARE)
        with Sipp(lab, lab.access, caller, to=TO_BOX, calls=CALLS, rate=RATE) as phones:
            placed = phones.wait(30)
            taken = server.settle(CALLS, 20)
        errors = phones.errors() + server.errors()
    assert (placed.succeeded, placed.failed) == (CALLS, 0), errors
    assert (taken.created, taken.succeeded, taken.failed) == (CALLS, CALLS, 0), errors
    for wire in wires:  # of some 14 messages a call
        assert min(wire.lost, wire.doubled, wire.late) > CALLS / 4
    invites = {header(data.decode(), "Call-ID") for data in wires[1].datagrams(1, SIP)
               if data.startswith(b"INVITE")}
    assert len(invites) == CALLS
    for near, far in (wires, wires[::-1]):
        came, went = near.datagrams(0, MEDIA), far.datagrams(1, MEDIA)
        assert CALLS * 20 < len(came) == len(went)
    wait_until(lambda: box.calls().active == 0, 20, "the box's calls to be over")
    assert (box.calls().total, box.calls().answered, len(box.cdrs())) == (CALLS, CALLS, CALLS)


def test_sound(wires, make_box):
    """RTP goes on as it comes, late and doubled packets too: to put them in order is for the far
    end. What was lost before the box is in the call's record, to the packet."""
    box = make_box()
    with talking(box, silent_call(UNKNOWN), answered_with(UNKNOWN)) as talk:
        wires[0].impair(1, MEDIA, lose=SHARE, double=SHARE, delay=SHARE)
        talk.caller.stream(talk.access, PACKETS, CALLER_SSRC, interval=0.003)
        wires[0].impair(1, MEDIA)
        talk.caller.send(packet(CALLER_SSRC, PACKETS), talk.access)  # the end of it is seen
        wait_until(lambda: PACKETS in talk.callee.sequences(CALLER_SSRC), 3, "the last packet")
        assert talk.callee.payloads() == wires[0].datagrams(0, MEDIA)
        got = talk.callee.sequences(CALLER_SSRC)
    assert min(wires[0].lost, wires[0].doubled, wires[0].late) > PACKETS * SHARE / 2
    side = cdr_after(box, 0)["caller"]
    assert side["lost"] == wires[0].lost == PACKETS + 1 - len(set(got))
    assert side["duplicates"] == wires[0].doubled and side["packets"] == len(got)
    assert side["reordered"] > 0
