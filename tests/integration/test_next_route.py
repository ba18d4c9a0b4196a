"""Requests whose peer does not take them, and the next one that the routes name. Nothing of either
is seen by whoever asked."""

import time

import pytest
from agent import Agent

from sallyport_lab.net import ACCESS, ACCESS_BOX, CORE, CORE_BOX
from sallyport_lab.sipp import header

PHONES = "{name: phones, realm: access, address: 192.0.2.2"
TO_SOFTSWITCH = "  - {from: access, to: softswitch}"
CHANGES = {
    PHONES: f"{PHONES}, methods: [INVITE, MESSAGE, SUBSCRIBE]",
    f"address: {CORE}, no_answer_s: 180}}":
        f"address: {CORE}, no_answer_s: 180}}\n"
        f"  - {{name: spare, realm: core, address: {CORE}, port: 5070}}",
    TO_SOFTSWITCH: f"{TO_SOFTSWITCH}\n  - {{from: access, to: spare}}",
}


@pytest.fixture(name="agents")
def three_agents(lend_box):
    """(phone, softswitch, spare)"""
    lab = lend_box(CHANGES).lab
    with Agent(lab.access, ACCESS, ACCESS_BOX) as phone, \
            Agent(lab.core, CORE, CORE_BOX) as softswitch, \
            Agent(lab.core, CORE, CORE_BOX, 5070) as spare:
        yield phone, softswitch, spare


@pytest.mark.parametrize("method, headers", [
    ("MESSAGE", {}), ("SUBSCRIBE", {"Event": "presence", "Expires": "0"})])
def test_refused(agents, method, headers):
    """503: at once."""
    phone, softswitch, spare = agents
    phone.dialog("1000").request(method, **headers)
    softswitch.answer(softswitch.wait(method), 503, Retry_After="60")
    request = spare.wait(method)
    spare.answer(request, 202, spare.accepted(request), Expires="0")
    phone.wait("SIP/2.0 202")
    assert phone.messages(b"SIP/2.0 503") == []


@pytest.mark.waits
def test_silent(agents):
    """Not a word for 8 s; what the first one says then is too late, and the answer is one."""
    phone, softswitch, spare = agents
    begin = time.monotonic()
    phone.dialog("1000").request("MESSAGE")
    asked = softswitch.wait("MESSAGE")
    request = spare.wait("MESSAGE", seconds=15)
    assert 7 < time.monotonic() - begin < 15
    softswitch.answer(asked, 200)
    spare.answer(request, 202)
    phone.wait("SIP/2.0 202")
    assert phone.messages(b"SIP/2.0 200") == []
    assert header(request, "Call-ID") != header(asked, "Call-ID")


def test_a_call_refused(agents):
    phone, softswitch, spare = agents
    call = phone.dialog("1000")
    number = call.request("INVITE", phone.sdp())
    softswitch.answer(softswitch.wait("INVITE"), 503)
    softswitch.wait("ACK")
    invite = spare.wait("INVITE")
    there = spare.accepted(invite)
    spare.answer(invite, 200, there, spare.sdp(50000))
    call.learn(phone.wait("SIP/2.0 200"))
    call.request("ACK", cseq=number)
    spare.wait("ACK")
    assert phone.messages(b"SIP/2.0 503") == []
    phone.hang_up(call, spare)
