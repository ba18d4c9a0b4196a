"""Threat 12 with two real boxes, each of which has the other behind it: neither can know a call as
its own, since each writes all of it anew. Its hops come to an end, and nothing of it stays."""

import pytest
from agent import Agent
from sockets import status_of

from sallyport_lab import Lab, account, hop, wait_until
from sallyport_lab.box import start_box
from sallyport_lab.net import ACCESS, ACCESS_BOX, CORE, CORE_BOX
from sallyport_lab.sipp import header

pytestmark = pytest.mark.unwatched("what is inside of one box is outside of the other")
HOPS = 70  # RFC 3261 section 8.1.1.6: with which a caller begins
TURNS = 3
METHODS = "methods: [INVITE, OPTIONS, MESSAGE]"
ONWARDS = {"{from: core, to: phones}": "{from: core, to: softswitch}",
           "hugepages: auto": "hugepages: never",
           "address: 192.0.2.2}": f"address: 192.0.2.2, {METHODS}}}",
           "no_answer_s: 180": f"no_answer_s: 180, {METHODS}"}
OTHER = {**ONWARDS, "addresses: [198.51.100.1/24]": f"addresses: [{CORE}/24]",
         "sip: [\"198.51.100.1:5060\"]": f"sip: [\"{CORE}:5060\"]",
         "{address: 198.51.100.1, ports": f"{{address: {CORE}, ports",
         "address: 198.51.100.2, no_answer": f"address: {CORE_BOX}, no_answer"}


@pytest.fixture(name="ring")
def two_boxes(lab):
    """(boxes, the wire between them); the phones are the first one's."""
    with Lab() as far:
        wire, boxes = hop.facing(lab, far), []
        try:
            boxes += [start_box(lab, changes=ONWARDS)]
            boxes += [start_box(far, changes=OTHER)]
            yield boxes, wire
            for box in boxes:
                account.at_rest(box, box.buffers)
        finally:
            for box in boxes:
                box.stop_at_once()


def hops_left(wire, method):
    """What each request of this method between the boxes said, a repetition once."""
    texts = {text.decode() for end in (0, 1) for text in wire.datagrams(end, (5060, 5060))}
    return sorted(int(header(text, "Max-Forwards")) for text in texts if text.startswith(method))


def refused(phone, method, body=""):
    """Status of the final answer to a request outside a dialog; INVITE's is acknowledged."""
    dialog = phone.dialog("1000")
    number = dialog.request(method, body)
    while status_of(answer := phone.wait("SIP/2.0")) < 200:
        pass
    if method == "INVITE":
        dialog.learn(answer)
        dialog.request("ACK", cseq=number, branch=dialog.branch)
    return status_of(answer)


def test_two_boxes_in_a_ring(ring):
    """A call goes round until it has no hops left; so does a MESSAGE. No more comes of many than of
    one, and after them both boxes are as they were."""
    boxes, wire = ring
    lab = boxes[0].lab
    with Agent(lab.access, ACCESS, ACCESS_BOX) as phone:
        before = [box.show("memory")["heap"]["allocated"] for box in boxes]
        for turn in range(1, TURNS + 1):
            for method, body in (("INVITE", phone.sdp()), ("MESSAGE", "")):
                assert refused(phone, method, body) in (482, 483)
                wait_until(lambda: not any(box.calls().active for box in boxes), 5, "their end")
                # Each hop is one fewer; the last one, with none left, is refused, not sent.
                assert hops_left(wire, method) == sorted(turn * list(range(HOPS)))
        wait_until(lambda: not any(box.show("stats")["media_ports_used"] for box in boxes), 5,
                   "media ports to be free")
        assert not hops_left(wire, "CANCEL") and not hops_left(wire, "BYE")
    assert not any(box.calls().answered for box in boxes)
    # Transactions that failed stay for 32 s (timer D), the memory of a call does not.
    after = [box.show("memory")["heap"]["allocated"] for box in boxes]
    assert all(now - then < TURNS * HOPS * 8192 for now, then in zip(after, before)), after
