"""Who is trusted, who is denied, and that nobody's forged address is flooded."""

import contextlib
import itertools
import json
import time

import pytest
from sockets import Phone, sip_request, status_of

from sallyport_lab import LabError, Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, ACCESS_WRONG

SIP = (ACCESS_BOX, 5060)
SOURCE = f"{ACCESS_WRONG}:5090"  # of nobody that the configuration knows
USERS = itertools.count(10)
# The lab's rates are far above what a phone needs, and its patience with them; not here.
PATIENCE = {"limits: {sip_rate: 5000, sip_burst: 10000}":
            "limits: {sip_rate: 5000, sip_burst: 10000, deny_after: 500, deny_s: 300}"}


@pytest.fixture(name="stranger")
def stranger_by_hand(box):
    with Phone(box.lab.access, ACCESS_WRONG, 5090) as phone:
        yield phone


def request(method, **headers):
    return sip_request(method, source=SOURCE, **headers)


SMALL = ("Contact", "Max-Forwards", "Content-Length")
REQUESTS = {
    "OPTIONS": (request("OPTIONS"), 200),
    "small OPTIONS": (request("OPTIONS", drop=SMALL), None),
    "OPTIONS without what it may lack": (request("OPTIONS", drop=("Contact", "Content-Length")), 200),
    "REGISTER": (request("REGISTER"), 405),
    "MESSAGE to a user": (request("MESSAGE", uri="sip:1000@192.0.2.1"), 405),
    "unknown method": (request("FOO"), 501),
    "in no dialog": (request("BYE", to="<sip:x@192.0.2.1>;tag=nobody"), 481),
    "INVITE of a type that is not SDP": (request("INVITE", content_type="text/plain",
                                                 content_length="0"), None),
    "INVITE with no hops left": (request("INVITE", max_forwards="0"), 483),
    "INVITE with Require": (request("INVITE", require="one, two, three"), 420),
    "malformed": (request("OPTIONS", cseq="1 INVITE"), 400),
}


def test_a_stranger_gets_no_more_than_it_sent(box):
    """Bytes of UDP payload out and in, at the peer; the request again brings no more than itself.
    Each kind comes from a port of its own."""
    with Sipp(box.lab, box.lab.core, scenario.refuse(486, "Busy Here")), \
            contextlib.ExitStack() as stack:
        strangers = {kind: stack.enter_context(Phone(box.lab.access, ACCESS_WRONG, 5100 + number))
                     for number, kind in enumerate(REQUESTS)}
        for times in (1, 2):
            for kind, (message, status) in REQUESTS.items():
                answer = strangers[kind].ask(message, SIP, seconds=1)
                assert status is None or status_of(answer) == status, kind
            time.sleep(1.2)  # timer G would have sent it twice more
            for kind, (message, _) in REQUESTS.items():
                got = sum(map(len, strangers[kind].payloads()))
                assert got <= times * len(message), kind


def test_a_call_makes_its_source_trusted(make_box):
    box = make_box(PATIENCE)
    lab = box.lab
    with Sipp(lab, lab.core, scenario.answer_and_talk(300)) as server, \
            Sipp(lab, lab.access, scenario.talk_and_hang_up(300), to=f"{ACCESS_BOX}:5060",
                 address=ACCESS_WRONG, calls=3) as phone:
        assert phone.wait(20).succeeded == 3, phone.errors()
        server.settle(3)
    stats = box.show("stats")
    # Three calls, one source, said once; and the dataplane took it.
    assert (stats["sources_trusted"], stats["sources_refused"]) == (1, 0)
    limits = {realm["realm"]: realm for realm in box.show("limits")}
    passed = {row["class"]: row for row in limits["access"]["classes"]}
    assert passed["untrusted"]["new"] == 1
    assert passed["trusted"]["new"] == 2
    # Their ACKs and BYEs brought our tags back.
    assert passed["untrusted"]["lane"] + passed["trusted"]["lane"] >= 6
    assert passed["untrusted"]["dialog"] + passed["trusted"]["dialog"] == 0


def scan(phone, users, seconds=2.0):
    """OPTIONS to so many users, none of them asked for before. How many were answered within so
    many seconds each."""
    return sum(phone.ask(sip_request("OPTIONS", uri=f"sip:9{next(USERS)}@192.0.2.1", source=SOURCE),
                         SIP, seconds=seconds) is not None for _ in range(users))


def denied(box, source, reason):
    """What the box shows of a source that it denies; to be waited for, since an answer that does
    not come in time looks like denial."""
    return wait_until(lambda: next((row for row in box.show("sources") if (
        row["source"], row["class"], row["reason"]) == (source, "denied", reason)), None), 5,
                      f"{source} to be denied: {reason}")


def test_a_scanner_is_denied_and_nobody_else(make_box):
    box = make_box(PATIENCE)
    lab = box.lab
    with Phone(lab.access, ACCESS_WRONG, 5090) as scanner, \
            Phone(lab.access, ACCESS_WRONG, 5091) as neighbour, Phone(lab.access, ACCESS, 5090) as peer:
        # Also, the box learns where that address is.
        options = sip_request("OPTIONS", source=f"{ACCESS_WRONG}:5091")
        assert status_of(neighbour.ask(options, SIP)) == 200
        assert scan(scanner, 10) == 10
        # The ten are enough, but for one start in 2,600 when too many of them look alike: users are
        # counted by a hash under a key of this start.
        if box.show("stats")["sources_denied"] == 0:
            scan(scanner, 5, 0.3)
        row = denied(box, SOURCE, "scan")
        assert row["realm"] == "access" and 290 <= row["left_s"] <= 300
        assert scan(scanner, 2, 0.3) == 0
        assert [row["source"] for row in box.show("sources")
                if row["class"] == "denied"] == [SOURCE]
        # Its neighbour behind the same address, and a peer that does the same.
        options = sip_request("OPTIONS", source=f"{ACCESS_WRONG}:5091")
        assert status_of(neighbour.ask(options, SIP)) == 200
        for user in range(20):
            assert status_of(peer.ask(sip_request("FOO", uri=f"sip:9{user}@192.0.2.1"),
                                      SIP)) in (405, 501)
        assert box.drops()["sip_denied"] > 0
        # The operator forgives it.
        box.sally("source", "forget", SOURCE)
        wait_until(lambda: scan(scanner, 1, 0.3) == 1, 5, "the scanner to be forgotten")


def test_the_operator_denies_and_permits(make_box):
    box = make_box()
    lab = box.lab
    with Phone(lab.access, ACCESS_WRONG, 5090) as phone:
        assert status_of(phone.ask(sip_request("OPTIONS", source=SOURCE), SIP)) == 200
        said = json.loads(box.sally("--json", "source", "deny", ACCESS_WRONG, "60", "access"))
        assert said == {"source": ACCESS_WRONG, "class": "denied", "seconds": 60, "realms": 1}
        wait_until(lambda: scan(phone, 1, 0.3) == 0, 5, "it to be denied")
        denied(box, ACCESS_WRONG, "operator")
        box.sally("source", "permit", SOURCE, "60")
        box.sally("source", "forget", ACCESS_WRONG)
        wait_until(lambda: scan(phone, 1, 0.3) == 1, 5, "it to be permitted")
    with pytest.raises(LabError, match="an address, or ADDRESS:PORT"):
        box.sally("source", "deny", "nonsense")


def test_the_account_of_ports_is_even(box, stranger):
    """in = out + dropped, exactly, when nothing is under way."""
    for kind, (message, _) in REQUESTS.items():
        # That one becomes a call, whose INVITE would come again to the callee below.
        if "not SDP" not in kind:
            stranger.ask(message, SIP, seconds=0.2)
        stranger.send(kind.encode(), (ACCESS_BOX, 20000))
    with Sipp(box.lab, box.lab.core, scenario.answer_and_talk(300)) as server, \
            Sipp(box.lab, box.lab.access, scenario.talk_and_hang_up(300), to=f"{ACCESS_BOX}:5060",
                 calls=2) as phones:
        assert phones.wait(20).succeeded == 2, phones.errors()
        server.settle(2)
    wait_until(lambda: all(port["difference"] == 0 for port in box.show("ports")), 5, "the account")
    assert all(port["in"] == port["out"] + port["dropped"] for port in box.show("ports"))
    assert "+ DIFFERENCE" in box.sally("show", "ports")
