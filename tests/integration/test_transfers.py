"""Transfers that the box executes: a phone outside calls the softswitch, which refers it to another
server of the core. SIPp plays all three; none of them knows the others but by the box."""

import pytest

from sallyport_lab import LabError, Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, CORE, CORE_BOX
from sallyport_lab.sipp import header, media_of

TO_BOX = f"{ACCESS_BOX}:5060"
EXECUTE = {
    "    nat: never\n": "    nat: never\n    refer: execute\n",
    "  - {name: phones": "  - {name: second, realm: core, address: 198.51.100.2, port: 5070}\n"
                        "  - {name: phones",
    "  - {from: core, to: phones}": "  - {from: core, to: second, user_prefix: \"20\"}\n"
                                    "  - {from: core, to: phones, user_prefix: \"10\"}",
}
CALLS = 3
OK = scenario.answer(200, "OK", tag=False)
NOTIFY = scenario.request("NOTIFY") + OK


@pytest.fixture(name="box")
def box_that_transfers(lend_box):
    box = lend_box(EXECUTE)
    yield box
    wait_until(lambda: box.show("status")["calls"]["active"] == 0, 10, "the calls to be over")


def caller(*steps):
    """The phone: it has media all the time."""
    return scenario.build(
        "caller", scenario.invite(), scenario.progress(), scenario.receive(200), scenario.ack(),
        scenario.stream(), *steps)


def referred(*steps):
    """It is offered another end for them."""
    return [scenario.request("INVITE"),
            scenario.answer(200, "OK", scenario.sdp(version=2), True, tag=False),
            scenario.request("ACK"), *steps]


def transferor(*steps, to="2002"):
    return scenario.build(
        "transferor", scenario.remember_dialog(),
        scenario.answer(200, "OK", scenario.sdp(), True), scenario.request("ACK"),
        scenario.callee_other("REFER", 1, f"Refer-To: <sip:{to}@{CORE_BOX}>\n"
                                          f"Referred-By: <sip:1000@{CORE}>\n"),
        scenario.receive(202), NOTIFY, *steps)


def answered():
    """It answers with an offer of its own, talks, and hangs up."""
    return scenario.build(
        "target", scenario.remember_dialog(), scenario.answer(180, "Ringing"), scenario.pause(300),
        scenario.answer(200, "OK", scenario.sdp(), True), scenario.request("ACK"),
        scenario.stream(), scenario.pause(1000), scenario.stream_stop(), scenario.pause(300),
        scenario.callee_bye(), scenario.receive(200))


def run(box, phone, switch, second):
    """All three must be content. Returns what each received, and the new call records."""
    lab, cdrs = box.lab, len(box.cdrs())
    with Sipp(lab, lab.core, second, port=5070, media_port=30000, trace=True) as there, \
            Sipp(lab, lab.core, switch, trace=True) as middle, \
            Sipp(lab, lab.access, phone, to=TO_BOX, calls=CALLS, trace=True) as here:
        try:
            placed = here.wait(15)
        except LabError as stuck:
            raise AssertionError("\n".join(
                here.received() + ["--- transferor"] + middle.received() + ["--- target"]
                + there.received())) from stuck
        assert (placed.succeeded, placed.failed) == (CALLS, 0), here.errors()
        for callee in (middle, there):
            taken = callee.settle(CALLS)
            assert (taken.succeeded, taken.failed) == (CALLS, 0), callee.errors()
        wait_until(lambda: len(box.cdrs()) == cdrs + 2 * CALLS, 5, "the call records")
        return here.received(), middle.received(), there.received(), box.cdrs()[cdrs:]


def fragments(messages):
    """What the NOTIFYs of each call said, by Call-ID."""
    told = {}
    for message in messages:
        if message.startswith("NOTIFY"):
            last = header(message, "Subscription-State").startswith("terminated;reason=noresource")
            said = message.replace("\r", "").split("\n\n", 1)[1].strip()
            told.setdefault(header(message, "Call-ID"), []).append((said, last))
            assert header(message, "Content-Type") == "message/sipfrag;version=2.0"
            assert header(message, "Event") == "refer"
    assert len(told) == CALLS
    return list(told.values())


WENT_WELL = [("SIP/2.0 100 Trying", False), ("SIP/2.0 180 Ringing", False), ("SIP/2.0 200 OK", True)]


def check_connected(here, there, cdrs):
    """The phone and the target have each other's media, by the box, and a call of their own."""
    offers = [m for m in here if m.startswith("INVITE")]
    invites = [m for m in there if m.startswith("INVITE")]
    acks = [m for m in there if m.startswith("ACK")]
    assert len(offers) == len(invites) == len(acks) == CALLS
    for offer in offers:
        assert media_of(offer)[0] == ACCESS_BOX and "tag=a" in header(offer, "To")
    for invite in invites:
        assert invite.startswith(f"INVITE sip:2002@{CORE}:5070 ")
        assert header(invite, "From").startswith(f"<sip:alice@{CORE_BOX}>")
        assert header(invite, "Referred-By") == f"<sip:1000@{CORE_BOX}>"
        assert header(invite, "Content-Length") == "0"
    assert all(media_of(ack)[0] == CORE_BOX for ack in acks)
    names = {cdr["id"] for cdr in cdrs if "transfer_of" not in cdr}
    second = [cdr for cdr in cdrs if "transfer_of" in cdr]
    assert {cdr["transfer_of"] for cdr in second} == names and len(names) == CALLS
    for cdr in second:
        assert (cdr["from_realm"], cdr["to_peer"]) == ("access", "second"), cdr
        assert (cdr["cause"], cdr["ended_by"]) == ("normal", "callee"), cdr
        (line,) = cdr["media"]
        for side in ("caller", "callee"):
            assert line[side]["packets"] > 20, line


def test_blind(box):
    """The transferor waits until it is told that it went well; the box hangs up with it."""
    bye = scenario.request("BYE") + OK
    here, middle, there, cdrs = run(box, caller(*referred(bye)),
                                    transferor(NOTIFY, NOTIFY, bye), answered())
    assert all(told == WENT_WELL for told in fragments(middle))
    check_connected(here, there, cdrs)


def test_transferor_leaves(box):
    """It hangs up at once, and is told all the same."""
    here, middle, there, cdrs = run(
        box, caller(*referred(scenario.request("BYE") + OK)),
        transferor(NOTIFY, scenario.callee_bye(2), scenario.receive(200), NOTIFY), answered())
    assert all(told == WENT_WELL for told in fragments(middle))
    check_connected(here, there, cdrs)


def test_target_is_busy(box):
    """The first call goes on: the phone hangs up later, with the transferor."""
    here, middle, _, cdrs = run(
        box, caller(scenario.pause(1000), scenario.stream_stop(), scenario.bye(),
                    scenario.receive(200)),
        transferor(NOTIFY, NOTIFY, scenario.request("BYE") + OK),
        scenario.build("target", scenario.request("INVITE"), scenario.answer(180, "Ringing"),
                       scenario.answer(486, "Busy Here"), scenario.request("ACK")))
    assert all(told == [*WENT_WELL[:2], ("SIP/2.0 486 Busy Here", True)]
               for told in fragments(middle))
    assert not [m for m in here if m.startswith("INVITE")]
    assert sorted(cdr["cause"] for cdr in cdrs) == ["busy"] * CALLS + ["normal"] * CALLS
    assert not any(ACCESS in message for message in middle)
