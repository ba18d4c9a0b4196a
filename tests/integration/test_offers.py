"""What comes between INVITE and BYE: PRACK, UPDATE, early media, forks, 3xx, late offers, session
timers. SIPp plays both peers step by step, and what each of them got is looked at."""

import pytest
from sockets import Phone

from sallyport_lab import Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS_BOX, CORE, CORE_BOX
from sallyport_lab.scenario import (
    ack, answer, answer_invite, extra, inside, invite, receive, remember_invite, request, sdp)
from sallyport_lab.sipp import header, media_of

TO_BOX = f"{ACCESS_BOX}:5060"
RELIABLE = ("Require: 100rel", "RSeq: 71")
OK = answer(200, "OK", tag=False)


def call(box, caller, callee):
    """One call by these steps; returns both SIPps."""
    lab = box.lab
    with Sipp(lab, lab.core, scenario.build("callee", *callee), trace=True) as server:
        with Sipp(lab, lab.access, scenario.build("caller", *caller), to=TO_BOX, calls=1,
                  trace=True) as phone:
            placed = phone.wait(30)
            assert (placed.succeeded, placed.failed) == (1, 0), phone.errors() + server.errors()
            taken = server.settle(1)
    assert (taken.succeeded, taken.failed) == (1, 0), phone.errors() + server.errors()
    wait_until(lambda: box.calls().active == 0, 5, "the box's call to be over")
    return phone, server


def receive_reliable(status):
    """A reliable 18x; keeps its RSeq."""
    return (f'<recv response="{status}" rrs="true"><action><ereg regexp="[0-9]+" search_in="hdr" '
            'header="RSeq:" check_it="true" assign_to="rseq"/></action></recv>\n')


def prack(cseq, body=None):
    return extra(inside("PRACK", cseq, body), "RAck: [$rseq] 1 INVITE")


def tag_of(message):
    return header(message, "To").split("tag=")[1]


def test_prack_crosses(box):
    """Both sides do 100rel: the 183 has the answer, the PRACK an offer, its 200 the answer."""
    phone, server = call(box, [
        extra(invite(), "Supported: 100rel"), receive(100, optional=True), receive_reliable(183),
        prack(2, sdp(version=2)), receive(200), receive(200), ack(), inside("BYE", 3),
        receive(200)], [
        remember_invite(), extra(answer_invite(183, "Session Progress", sdp()), *RELIABLE),
        request("PRACK"), answer(200, "OK", sdp(version=2), tag=False),
        answer_invite(200, "OK", final=True), request("ACK"), request("BYE"), OK])
    got = server.received("PRACK")[0]
    assert header(got, "RAck") == f"71 {header(server.received('INVITE')[0], 'CSeq')}"
    assert media_of(got)[0] == CORE_BOX
    progress = phone.received("SIP/2.0 183")[0]
    assert header(progress, "Require") == "100rel" and header(progress, "RSeq") != "71"
    answers = {header(m, "CSeq"): m for m in phone.received("SIP/2.0 200")}
    assert media_of(answers["2 PRACK"])[0] == ACCESS_BOX
    assert header(answers["1 INVITE"], "Content-Length") == "0", "its answer was in the 183"


def test_prack_by_the_box(box):
    """The callee's 18x is reliable, and the caller has never heard of that."""
    phone, server = call(box, [
        invite(), receive(100, optional=True), receive(183), receive(200), ack(), inside("BYE", 2),
        receive(200)], [
        remember_invite(), extra(answer_invite(183, "Session Progress", sdp()), *RELIABLE),
        request("PRACK"), OK, answer_invite(200, "OK", final=True), request("ACK"),
        request("BYE"), OK])
    progress, final = phone.received("SIP/2.0 183")[0], phone.received("SIP/2.0 200")[0]
    assert not header(progress, "RSeq") and not header(progress, "Require")
    assert media_of(final) == media_of(progress)
    assert header(server.received("PRACK")[0], "Content-Length") == "0"


def test_repeated_until_prack(box):
    """The caller requires 100rel, the callee does not do it: the box repeats its 183 by itself."""
    phone, server = call(box, [
        extra(invite(), "Require: 100rel"), receive(100, optional=True),
        receive_reliable(183), scenario.pause(1200), prack(2), receive(200), receive(200), ack(),
        inside("BYE", 3), receive(200)], [
        remember_invite(), answer_invite(183, "Session Progress", sdp()), scenario.pause(2500),
        answer_invite(200, "OK", sdp(), final=True), request("ACK"), request("BYE"), OK])
    assert len({header(m, "RSeq") for m in phone.received("SIP/2.0 183")}) == 1
    assert len(phone.received("SIP/2.0 183")) >= 2
    assert not server.received("PRACK")


def test_update(box):
    """Each side's offer in an UPDATE reaches the other; one without SDP ends at the box."""
    phone, server = call(box, [
        invite(), scenario.progress(), receive(200), ack(),
        inside("UPDATE", 2, sdp(direction="sendonly", version=2)), receive(200),
        inside("UPDATE", 3), receive(200), inside("BYE", 4), receive(200)], [
        request("INVITE"), answer(200, "OK", sdp(), final_invite=True), request("ACK"),
        request("UPDATE"), answer(200, "OK", sdp(direction="recvonly", version=2), tag=False),
        request("BYE"), OK])
    updates = server.received("UPDATE")
    assert len(updates) == 1
    assert media_of(updates[0])[0] == CORE_BOX and "a=sendonly" in updates[0]
    answers = {header(m, "CSeq"): m for m in phone.received("SIP/2.0 200")}
    assert "a=recvonly" in answers["2 UPDATE"] and header(answers["2 UPDATE"], "Contact")
    assert header(answers["3 UPDATE"], "Content-Length") == "0"


def test_early_media(box):
    """Rings, announces, rings, announces again, all of one dialog: each 18x is heard in its order,
    the sound that was agreed first stays, and the 200 says nothing new."""
    phone, server = call(box, [
        invite(), receive(100, optional=True), receive(180), receive(183), receive(180),
        receive(183), receive(200), ack(), inside("BYE", 2), receive(200)], [
        remember_invite(), answer_invite(180, "Ringing"),
        answer_invite(183, "Session Progress", sdp()), answer_invite(180, "Ringing"),
        answer_invite(183, "Session Progress", sdp()), answer_invite(200, "OK", sdp(), final=True),
        request("ACK"), request("BYE"), OK])
    heard = [message for message in phone.received("SIP/2.0") if " 100 " not in message[:13]]
    assert [message[8:11] for message in heard] == ["180", "183", "180", "183", "200", "200"]
    assert len({tag_of(message) for message in heard[:5]}) == 1
    described = [media_of(message) for message in heard if "m=audio" in message]
    assert len(described) >= 2 and len(set(described)) == 1, "one answer to one offer"
    assert "m=audio" in heard[1] and described[0][0] == ACCESS_BOX
    assert [header(m, "CSeq").split()[1] for m in server.received()] == ["INVITE", "ACK", "BYE"]


def test_forks(box):
    """Two phones ring behind the core; the second answers first, the other a moment later."""
    phone, server = call(box, [
        invite(), receive(100, optional=True), receive(180), receive(183), receive(200), ack(),
        scenario.pause(1000), inside("BYE", 2), receive(200)], [
        remember_invite(), answer_invite(180, "Ringing", tag="one"),
        answer_invite(183, "Session Progress", sdp(), tag="two"),
        answer_invite(200, "OK", sdp(), tag="two", final=True), request("ACK"),
        answer_invite(200, "OK", sdp(), tag="one", final=True), request("ACK"), request("BYE"),
        OK, request("BYE"), OK])
    ringing, progress = phone.received("SIP/2.0 180")[0], phone.received("SIP/2.0 183")[0]
    final = phone.received("SIP/2.0 200")[0]
    assert tag_of(ringing) != tag_of(progress) == tag_of(final)
    assert [tag_of(m)[:3] for m in server.received("ACK")] == ["two", "one"]
    assert [tag_of(m)[:3] for m in server.received("BYE")] == ["one", "two"]


def test_late_offer(box):
    """INVITE without SDP: the callee's 200 offers, the caller's ACK answers."""
    phone, server = call(box, [
        invite(body=""), scenario.progress(), receive(200), ack(body=sdp()), inside("BYE", 2),
        receive(200)], [
        request("INVITE"), answer(180, "Ringing"), answer(200, "OK", sdp(), final_invite=True),
        request("ACK"), request("BYE"), OK])
    assert header(server.received("INVITE")[0], "Content-Length") == "0"
    assert media_of(phone.received("SIP/2.0 200")[0])[0] == ACCESS_BOX
    assert media_of(server.received("ACK")[0])[0] == CORE_BOX


def test_session_timers(box):
    """Each side has its own: the callee wants a longer one, the caller a shorter one."""
    phone, server = call(box, [
        extra(invite(), "Supported: timer", "Session-Expires: 300"), scenario.progress(),
        receive(200), ack(),
        extra(inside("UPDATE", 2), "Supported: timer", "Session-Expires: 30"), receive(422),
        extra(inside("UPDATE", 3), "Supported: timer", "Session-Expires: 300;refresher=uac"),
        receive(200), inside("BYE", 4), receive(200)], [
        request("INVITE"),
        extra(answer(422, "Session Interval Too Small", final_invite=True), "Min-SE: 2000"),
        request("ACK"), request("INVITE"),
        extra(answer(200, "OK", sdp(), final_invite=True), "Require: timer",
              "Session-Expires: 2000;refresher=uas"),
        request("ACK"), request("BYE"), OK])
    first, second = server.received("INVITE")
    assert header(first, "Session-Expires") == "1800"
    assert (header(second, "Session-Expires"), header(second, "Min-SE")) == ("2000", "2000")
    answers = {header(m, "CSeq"): m for m in phone.received("SIP/2.0 200")}
    assert header(answers["1 INVITE"], "Session-Expires") == "300;refresher=uac"
    assert header(answers["1 INVITE"], "Require") == "timer"
    assert header(answers["3 UPDATE"], "Session-Expires") == "300;refresher=uac"
    assert header(phone.received("SIP/2.0 422")[0], "Min-SE") == "90"
    assert not server.received("UPDATE")


@pytest.mark.parametrize("status", [300, 302, 305])
def test_redirect_passes(box, status):
    """Of a peer that may not say where calls go: the caller gets its 3xx, by which it finds the
    other user at the box and not in the core; nobody else is called."""
    lab = box.lab
    moved = answer(status, "Elsewhere", final_invite=True).replace(
        "<sip:bob@[local_ip]:[local_port]>", f"<sip:carol@{CORE}:5070>")
    with Sipp(lab, lab.core, scenario.build("callee", request("INVITE"), moved, request("ACK")),
              trace=True) as server, \
            Phone(lab.core, CORE, 5070) as carol, \
            Sipp(lab, lab.access, scenario.call_refused(status), to=TO_BOX, calls=1,
                 trace=True) as phone:
        placed = phone.wait(10)
        assert (placed.succeeded, placed.failed) == (1, 0), phone.errors()
        assert server.settle(1).succeeded == 1, server.errors()
        final = phone.received(f"SIP/2.0 {status}")
        assert len(final) == 1 and CORE not in final[0] and CORE_BOX not in final[0]
        # Section 21.3: of these three a Contact is where to ask next.
        assert header(final[0], "Contact") == (
            f"<sip:carol@{ACCESS_BOX}>" if status <= 302 else "")
        assert not carol.payloads()
    wait_until(lambda: box.calls().active == 0, 5, "the box's call to be over")


def test_redirected(make_box):
    """A 302 of a peer that may redirect goes to the other peer of its realm."""
    box = make_box({"no_answer_s: 180}": "no_answer_s: 180, redirect: follow}\n"
                    "  - {name: second, realm: core, address: 198.51.100.2, port: 5070}"})
    lab = box.lab
    moved = extra(answer(302, "Moved Temporarily", final_invite=True)
                  .replace("<sip:bob@[local_ip]:[local_port]>", "<sip:carol@[local_ip]:5070>"))
    with Sipp(lab, lab.core, scenario.build("first", request("INVITE"), moved, request("ACK"))), \
            Sipp(lab, lab.core, scenario.answer_and_talk(0, rtp=False), port=5070,
                 media_port=24000, trace=True) as second, \
            Sipp(lab, lab.access, scenario.talk_and_hang_up(100, rtp=False), to=TO_BOX,
                 calls=1) as phone:
        placed = phone.wait(30)
        assert (placed.succeeded, placed.failed) == (1, 0), phone.errors()
        assert second.settle(1).succeeded == 1, second.errors()
        assert second.received("INVITE sip:carol@")
