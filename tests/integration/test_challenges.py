"""Servers that challenge: what SIPp answers as a phone gets through and is right at the server; the
box itself answers no challenge (threat 9)."""

import hashlib
import re

import pytest
from agent import Agent

from sallyport_lab import Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, CORE, CORE_BOX
from sallyport_lab.scenario import ack, ack_failure, answer, bye, extra, receive, request
from sallyport_lab.sipp import header

TO_BOX = f"{ACCESS_BOX}:5060"
PHONES = "{name: phones, realm: access, address: 192.0.2.2"
MESSAGES = {PHONES: PHONES + ", methods: [INVITE, OPTIONS, MESSAGE]"}
SECRET = "sesame"
# A digest covers the address that it is for, so the box cannot hide one; these name none.
DIGEST_URI = ("-auth_uri", "1000")
CHALLENGES = {401: ("WWW-Authenticate", "Authorization"),
              407: ("Proxy-Authenticate", "Proxy-Authorization")}
CALLS = 3


@pytest.fixture(name="box")
def box_that_takes_messages(lend_box):
    box = lend_box(MESSAGES)
    yield box
    wait_until(lambda: box.calls().active == 0, 5, "the calls to be over")


def challenged(status):
    return receive(status).replace("<recv ", '<recv auth="true" ')


def with_password(message):
    """The message with the header that answers the challenge."""
    return extra(message, f"[authentication username=alice password={SECRET}]")


def challenge(status, method, *otherwise):
    """A callee that answers a request without digest with a challenge; with one, otherwise so. By
    way of the box each of the two is the first of its dialog."""
    return [
        request(method).replace("/>", '><action><ereg regexp="Authorization: Digest" '
                                'search_in="msg" assign_to="digest"/></action></recv>'),
        '<nop test="digest" next="known"/>\n',
        extra(answer(status, "Who are you", final_invite=method == "INVITE"),
              f'{CHALLENGES[status][0]}: Digest realm="core.example", nonce="[call_number]a7", '
              'algorithm=MD5, qop="auth"'),
        request("ACK") if method == "INVITE" else "",
        '<nop next="over"/>\n<label id="known"/>\n', *otherwise, '<label id="over"/>\n']


def run(box, caller, callee):
    """SIPp on both sides; each must be content."""
    lab = box.lab
    with Sipp(lab, lab.core, scenario.build("callee", *callee), trace=True) as server, \
            Sipp(lab, lab.access, scenario.build("caller", *caller), to=TO_BOX, calls=CALLS,
                 trace=True, arguments=DIGEST_URI) as phones:
        placed = phones.wait(8)
        assert (placed.succeeded, placed.failed) == (CALLS, 0), phones.errors() + server.errors()
        taken = server.settle(2 * CALLS)
        assert (taken.succeeded, taken.failed) == (2 * CALLS, 0), server.errors()
        return server


def is_right(digest, method):
    """RFC 7616 section 3.4.1, by what stands in the header and by the password."""
    said = {name: value.strip('"')
            for name, value in re.findall(r'(\w+)=("[^"]*"|[^,\s]+)', digest)}

    def md5(*parts):
        return hashlib.md5(":".join(parts).encode()).hexdigest()
    return said["response"] == md5(
        md5(said["username"], "core.example", SECRET), said["nonce"], said["nc"], said["cnonce"],
        "auth", md5(method, said["uri"]))


def judge(server, method, status):
    """Each request came twice, the second time with an answer to the challenge as SIPp gave it."""
    name = CHALLENGES[status][1]
    digests = [header(message, name) for message in server.received(method)]
    assert len(digests) == 2 * CALLS and digests.count("") == CALLS
    assert all(is_right(digest, method) for digest in digests if digest)
    other = CHALLENGES[808 - status][1]
    assert not any(header(message, other) for message in server.received())


@pytest.mark.parametrize("status", CHALLENGES)
def test_invite(box, status):
    """The challenge ends the INVITE, on both sides; the second one makes the call."""
    before = box.calls()
    server = run(box, [
        scenario.invite(), receive(100, optional=True), challenged(status), ack_failure(),
        with_password(scenario.invite(cseq=2)), scenario.progress(), receive(200), ack(cseq=2),
        bye(cseq=3), receive(200)], challenge(
            status, "INVITE", answer(200, "OK", scenario.sdp(), final_invite=True),
            request("ACK"), request("BYE"), answer(200, "OK", tag=False)))
    judge(server, "INVITE", status)
    assert box.calls().answered - before.answered == CALLS
    # The digest is for what was challenged, and for nothing else.
    for message in server.received("BYE") + server.received("ACK"):
        assert not header(message, CHALLENGES[status][1])


@pytest.mark.parametrize("status", CHALLENGES)
def test_message(box, status):
    server = run(box, [
        scenario.other("MESSAGE", body="tea"), challenged(status),
        with_password(scenario.other("MESSAGE", 2, body="tea")), receive(200)], challenge(
            status, "MESSAGE", answer(200, "OK")))
    judge(server, "MESSAGE", status)


def test_nobody_challenges_the_box(box):
    """Either side answers our BYE with a challenge: it gets no digest and no second BYE, and the
    other side hears nothing of it."""
    for status, (name, _) in CHALLENGES.items():
        with Agent(box.lab.access, ACCESS, ACCESS_BOX) as phone, \
                Agent(box.lab.core, CORE, CORE_BOX) as server:
            for ends, asks in ((phone, server), (server, phone)):
                ours, theirs, _ = phone.call("1000", server)
                (ours if ends is phone else theirs).request(
                    "BYE", **{own: 'Digest username="a"' for _, own in CHALLENGES.values()})
                ends.wait("SIP/2.0 200")
                asks.answer(asks.wait("BYE"), status,
                            **{name.replace("-", "_"): 'Digest realm="r", nonce="n"'})
            # A call later, nothing else has come.
            phone.hang_up(phone.call("1000", server)[0], server)
            for agent in (phone, server):
                text = b"".join(agent.payloads())
                assert b"Authorization:" not in text and b"Authenticate:" not in text
                assert len(agent.messages(rb"BYE ")) == (1 if agent is phone else 2)
