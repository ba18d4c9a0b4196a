"""Messages that cross on their way (RFC 3261 sections 9.1, 13.3.1.4, 14.1, RFC 3311 section 5.2,
RFC 5407): each side does what it may, at the same time as the other or a moment too late. Both
sides by hand, since no SIPp scenario sends what it does not yet know to be wrong."""

import pytest
from agent import Agent
from sockets import status_of

from sallyport_lab import wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, CORE, CORE_BOX
from sallyport_lab.sipp import header, media_of


@pytest.fixture(name="sides")
def both_by_hand(box):
    """(box, phone, server); no call stays."""
    with Agent(box.lab.access, ACCESS, ACCESS_BOX) as phone, \
            Agent(box.lab.core, CORE, CORE_BOX) as server:
        yield box, phone, server
        wait_until(lambda: box.calls().active == 0, 5, "the calls to be over")


def got(agent, start):
    """What came to this agent and begins so, repetitions too."""
    texts = [data.decode().replace("\r\n", "\n") for data in agent.payloads()]
    return [text for text in texts if text.startswith(start)]


def sdp(agent, direction, version=2):
    text = agent.sdp(40000 if agent.address == ACCESS else 50000)
    return text.replace("o=- 1 1", f"o=- 1 {version}") + f"a={direction}\r\n"


def refused(agent, dialog, method, number):
    """491 to the request that this agent has just sent."""
    answer = agent.wait("SIP/2.0 491")
    assert header(answer, "CSeq") == f"{number} {method}"
    if method == "INVITE":
        dialog.request("ACK", cseq=number, branch=dialog.branch)


def is_new(agent, start):
    """Has something come that begins so, and that nobody waited for?"""
    return any(data.startswith(start.encode()) and i not in agent.taken
               for i, data in enumerate(agent.payloads()))


def offered(agent, dialog, method, other):
    """An offer, and again as long as the one before it is not over for the box, whose ACK may be
    under way; returns its number and what came of it at the far side."""
    for _ in range(10):
        number = dialog.request(method, sdp(agent, "sendonly", 3))
        wait_until(lambda: is_new(other, method) or is_new(agent, "SIP/2.0 491"), 5, "the offer")
        if is_new(other, method):
            return number, other.wait(method)
        refused(agent, dialog, method, number)
    raise AssertionError(f"the {method} never passed")


def agreed(agent, dialog, method, other, answer):
    """A request with an offer that the far side answers; returns the offer and the answer as they
    came."""
    number, request = offered(agent, dialog, method, other)
    other.answer(request, 200, body=answer)
    response = agent.wait("SIP/2.0 200")
    assert header(response, "CSeq") == f"{number} {method}"
    if method == "INVITE":
        dialog.request("ACK", cseq=number)
        other.wait("ACK")
    assert "a=sendonly" in request and "a=recvonly" in response
    return request, response


@pytest.mark.parametrize("theirs_is", ["INVITE", "UPDATE"])
def test_glare(sides, theirs_is):
    """Both sides offer at once: each gets 491, the one of the box, the other of the far side; and
    each one's second try passes."""
    _, phone, server = sides
    ours, theirs, _ = phone.call("1000", server)
    mine, its = [dialog.request(method, sdp(agent, "sendonly")) for agent, dialog, method in (
        (phone, ours, "INVITE"), (server, theirs, theirs_is))]
    # One of them passed: whoever gets it has one under way itself.
    offers = {phone: theirs_is, server: "INVITE"}
    wait_until(lambda: any(got(agent, method)[1 if agent is server else 0:]
                           for agent, method in offers.items()), 5, "one of the offers")
    first = server if got(server, "INVITE")[1:] else phone
    first.answer(first.wait(offers[first]), 491)
    refused(phone, ours, "INVITE", mine)
    refused(server, theirs, theirs_is, its)
    if offers[first] == "INVITE":
        first.wait("ACK")
    request, response = agreed(server, theirs, theirs_is, phone, sdp(phone, "recvonly", 3))
    assert media_of(request)[0] == ACCESS_BOX and media_of(response)[0] == CORE_BOX
    request, response = agreed(phone, ours, "INVITE", server, sdp(server, "recvonly", 4))
    assert media_of(request)[0] == CORE_BOX and media_of(response)[0] == ACCESS_BOX
    assert not got(phone, "BYE") and not got(server, "BYE")
    phone.hang_up(ours, server)


def test_overlapping(sides):
    """While a re-INVITE waits for its answer, requests of both sides go through and are answered in
    another order than they came; then the re-INVITE is."""
    _, phone, server = sides
    ours, theirs, _ = phone.call("1000", server)
    number = ours.request("INVITE", sdp(phone, "sendonly"))
    invite = server.wait("INVITE")
    infos = [ours.request("INFO", f"{tone}", "application/dtmf-relay") for tone in range(3)]
    came = [server.wait("INFO") for _ in infos]
    back = theirs.request("INFO", "9", "application/dtmf-relay")
    phone.answer(phone.wait("INFO"), 200)
    assert header(server.wait("SIP/2.0 200"), "CSeq") == f"{back} INFO"
    assert [info.split("\n\n")[1] for info in came] == ["0", "1", "2"]
    for status, info, sent in zip((200, 415, 200), reversed(came), reversed(infos)):
        server.answer(info, status)
        assert header(phone.wait(f"SIP/2.0 {status}"), "CSeq") == f"{sent} INFO"
    server.answer(invite, 200, body=sdp(server, "recvonly"))
    assert header(phone.wait("SIP/2.0 200"), "CSeq") == f"{number} INVITE"
    ours.request("ACK", cseq=number)
    server.wait("ACK")
    phone.hang_up(ours, server)


def ringing(phone, server):
    """A call that rings: the caller's dialog, its INVITE's number, the callee's dialog, INVITE."""
    ours = phone.dialog("1000")
    number = ours.request("INVITE", phone.sdp())
    invite = server.wait("INVITE")
    theirs = server.accepted(invite)
    server.answer(invite, 180, theirs)
    phone.wait("SIP/2.0 180")
    return ours, number, theirs, invite


def cancel(dialog, number):
    dialog.request("CANCEL", cseq=number, branch=dialog.branch)


def ended_by_box(server, theirs, invite):
    """The callee answers a call that is over: its 200 is acknowledged and hung up."""
    server.answer(invite, 200, theirs, server.sdp(50000))
    server.wait("ACK")
    server.answer(server.wait("BYE"), 200)


def cancelled(phone, dialog, number):
    """The caller's INVITE is over by 487."""
    final = phone.wait("SIP/2.0 487")
    assert header(final, "CSeq") == f"{number} INVITE"
    dialog.learn(final)
    dialog.request("ACK", cseq=number, branch=dialog.branch)
    assert header(phone.wait("SIP/2.0 200"), "CSeq") == f"{number} CANCEL"


def test_cancel_before_the_answer(sides):
    """The callee has answered before CANCEL is there; a late 200 the caller never hears of."""
    box, phone, server = sides
    ours, number, theirs, invite = ringing(phone, server)
    cancel(ours, number)
    server.answer(server.wait("CANCEL"), 200)
    cancelled(phone, ours, number)
    ended_by_box(server, theirs, invite)
    # And once more, as if our ACK had been lost.
    server.answer(invite, 200, theirs, server.sdp(50000))
    server.wait("ACK")
    assert len(got(phone, "SIP/2.0 200")) == 1 and len(got(server, "BYE")) == 1
    assert box.calls().active == 0


def test_cancel_behind_the_answer(sides):
    """The 200 has gone to the caller when its CANCEL comes: that changes nothing."""
    _, phone, server = sides
    ours, number, theirs, invite = ringing(phone, server)
    server.answer(invite, 200, theirs, server.sdp(50000))
    final = phone.wait("SIP/2.0 200")
    cancel(ours, number)
    assert header(phone.wait("SIP/2.0 200"), "CSeq") == f"{number} CANCEL"
    ours.learn(final)
    ours.request("ACK", cseq=number)
    server.wait("ACK")
    phone.hang_up(ours, server)
    assert not got(server, "CANCEL") and not got(phone, "SIP/2.0 487")


def test_cancel_and_answer_at_once(sides):
    """Whichever is first at the box: both sides end with the same, a call or none."""
    _, phone, server = sides
    for turn in range(6):
        ours, number, theirs, invite = ringing(phone, server)
        cancels, answers = len(got(phone, "SIP/2.0 487")), len(got(phone, "SIP/2.0 200"))
        for do in ((server.answer, invite, 200, theirs, server.sdp(50000)),
                   (cancel, ours, number))[::1 if turn % 2 else -1]:
            do[0](*do[1:])
        wait_until(lambda: len(got(phone, "SIP/2.0 200") + got(phone, "SIP/2.0 487"))
                   == cancels + answers + 2, 5, "both answers")
        if len(got(phone, "SIP/2.0 487")) > cancels:
            cancelled(phone, ours, number)
            server.wait("ACK")
            server.answer(server.wait("BYE"), 200)
            continue
        both = {header(answer, "CSeq"): answer for answer in
                (phone.wait("SIP/2.0 200"), phone.wait("SIP/2.0 200"))}
        assert set(both) == {f"{number} INVITE", f"{number} CANCEL"}
        ours.learn(both[f"{number} INVITE"])
        ours.request("ACK", cseq=number)
        server.wait("ACK")
        phone.hang_up(ours, server)


def test_both_hang_up(sides):
    """Each BYE is answered, by the box; who gets one more has nothing left to hang up."""
    box, phone, server = sides
    cdrs = len(box.cdrs())
    for turn in range(4):
        ours, theirs, _ = phone.call("1000", server)
        for dialog in (ours, theirs)[::1 if turn % 2 else -1]:
            dialog.request("BYE")
        for agent in (phone, server):
            assert header(agent.wait("SIP/2.0 200"), "CSeq").endswith("BYE")
        # The box passed on the first that it got: it could not know of the second.
        wait_until(lambda n=turn: len(got(phone, "BYE") + got(server, "BYE")) == n + 1, 5, "BYE")
        for agent in (phone, server):
            for bye in got(agent, "BYE"):
                agent.answer(bye, 481)
    wait_until(lambda: len(box.cdrs()) == cdrs + 4, 5, "the CDRs")
    assert all(cdr["ended_by"] in ("caller", "callee") for cdr in box.cdrs()[cdrs:])


def test_the_callers_ack_is_lost(sides):
    """The box repeats its 200 until the ACK comes; the callee has long had one."""
    _, phone, server = sides
    ours, number, theirs, invite = ringing(phone, server)
    server.answer(invite, 200, theirs, server.sdp(50000))
    ours.learn(phone.wait("SIP/2.0 200"))
    again = phone.wait("SIP/2.0 200", 2)
    assert header(again, "CSeq") == f"{number} INVITE" and again == got(phone, "SIP/2.0 200")[0]
    ours.request("ACK", cseq=number)
    server.wait("ACK")
    phone.hang_up(ours, server)
    assert len(got(server, "ACK")) == 1


def test_the_boxs_ack_is_lost(sides):
    """The callee repeats its 200: each gets an ACK, and the caller hears the first alone."""
    _, phone, server = sides
    ours, theirs, invite = phone.call("1000", server)
    for _ in range(3):
        server.answer(invite, 200, theirs, server.sdp(50000))
        server.wait("ACK")
    assert len({header(ack, "CSeq") for ack in got(server, "ACK")}) == 1
    assert len(got(phone, "SIP/2.0 200")) == 1
    phone.hang_up(ours, server)
    assert status_of(got(phone, "SIP/2.0")[-1]) == 200
