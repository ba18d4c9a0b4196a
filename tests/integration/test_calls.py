"""Calls as phones make them, judged at both peers."""

import pytest

from sallyport_lab import Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, CORE, CORE_BOX
from sallyport_lab.sipp import header, media_of

TO_BOX = f"{ACCESS_BOX}:5060"


def run_calls(box, caller, callee, calls, rate=10, **options):
    """Let SIPp place the calls; returns (caller's counts, callee's counts, errors)."""
    lab = box.lab
    with Sipp(lab, lab.core, callee, **options) as server:
        with Sipp(lab, lab.access, caller, to=TO_BOX, calls=calls, rate=rate, **options) as phones:
            placed = phones.wait(60)
            taken = server.settle(placed.created)
            return placed, taken, phones.errors() + server.errors()


def no_calls_left(box):
    wait_until(lambda: box.calls().active == 0, 5, "the box's calls to be over")


def assert_all_good(calls, placed, taken, errors):
    assert (placed.succeeded, placed.failed) == (calls, 0), errors
    assert (taken.created, taken.succeeded, taken.failed) == (calls, calls, 0), errors


def test_answered_with_rtp_both_ways(box):
    calls = 20
    access, core, cdrs = box.lab.access.media(), box.lab.core.media(), len(box.cdrs())
    result = run_calls(box, scenario.talk_and_hang_up(2000), scenario.answer_and_talk(2000), calls)
    assert_all_good(calls, *result)
    access, core = box.lab.access.media() - access, box.lab.core.media() - core
    assert access.sent >= calls * 90 and core.sent >= calls * 90
    assert (core.received, access.received) == (access.sent, core.sent)
    no_calls_left(box)
    assert len(box.cdrs()) - cdrs == calls


@pytest.mark.parametrize("status, reason", [
    (486, "Busy Here"), (404, "Not Found"), (503, "Service Unavailable"), (603, "Decline")])
def test_refused(box, status, reason):
    """The callee's answer reaches the caller; SIPp checks the status."""
    result = run_calls(box, scenario.call_refused(status), scenario.refuse(status, reason), 5)
    assert_all_good(5, *result)
    no_calls_left(box)


def test_cancel(box):
    result = run_calls(box, scenario.call_and_cancel(), scenario.ring_until_cancelled(), 5)
    assert_all_good(5, *result)
    no_calls_left(box)


def test_callee_hangs_up(box):
    access, core = box.lab.access.media(), box.lab.core.media()
    result = run_calls(box, scenario.call_until_callee_hangs_up(1000),
                       scenario.answer_and_hang_up(1000), 5)
    assert_all_good(5, *result)
    access, core = box.lab.access.media() - access, box.lab.core.media() - core
    assert core.received == access.sent > 0 and access.received == core.sent > 0
    no_calls_left(box)


def test_no_answer(make_box):
    """Rings until the peer's no_answer_s: the callee is cancelled, the caller gets 408."""
    box = make_box({"no_answer_s: 180": "no_answer_s: 2"})
    result = run_calls(box, scenario.call_refused(408), scenario.ring_until_cancelled(), 3)
    assert_all_good(3, *result)
    no_calls_left(box)


def test_callee_silent(make_box):
    """Nothing answers on the other side at all: 408 after no_answer_s; what was sent there ends by
    timer B (64*T1), since a CANCEL may not be sent before a provisional answer."""
    box = make_box({"no_answer_s: 180": "no_answer_s: 2"})
    lab = box.lab
    with Sipp(lab, lab.access, scenario.call_refused(408), to=TO_BOX, calls=2) as phones:
        placed = phones.wait(50)
    assert (placed.succeeded, placed.failed) == (2, 0), phones.errors()
    wait_until(lambda: box.calls().active == 0, 35, "timer B")


def test_hold_and_resume(box):
    result = run_calls(box, scenario.hold_and_resume(300), scenario.be_held_and_resumed(), 5)
    assert_all_good(5, *result)
    no_calls_left(box)


def test_other_direction(box):
    """The server calls a phone."""
    lab = box.lab
    with Sipp(lab, lab.access, scenario.answer_and_talk(1000)) as phone:
        with Sipp(lab, lab.core, scenario.talk_and_hang_up(1000), to=f"{CORE_BOX}:5060",
                  calls=3) as server:
            placed = server.wait(30)
            assert (placed.succeeded, placed.failed) == (3, 0), server.errors()
        assert phone.settle(3).succeeded == 3, phone.errors()
    no_calls_left(box)


def test_options_is_answered(box):
    lab = box.lab
    ping = scenario.build("ping", scenario.options(), scenario.receive(200))
    with Sipp(lab, lab.access, ping, to=TO_BOX, calls=3) as phones:
        placed = phones.wait(15)
    assert (placed.succeeded, placed.failed) == (3, 0), phones.errors()


def test_topology_is_hidden(box):
    """Nothing of one leg is seen on the other: new Call-ID, tags, Via, Contact, CSeq, media."""
    lab = box.lab
    with Sipp(lab, lab.core, scenario.answer_and_talk(200), trace=True) as server:
        with Sipp(lab, lab.access, scenario.talk_and_hang_up(200), to=TO_BOX, calls=1,
                  trace=True) as phones:
            placed = phones.wait(20)
        assert placed.succeeded == 1, phones.errors()
        server.settle(1)
        invite, answer = server.received("INVITE")[0], phones.received("SIP/2.0 200")[0]
        for message in server.received():
            assert ACCESS not in message and ACCESS_BOX not in message, message
        for message in phones.received():
            assert CORE_BOX not in message, message
            assert CORE not in message, message
    assert header(invite, "Call-ID") != header(answer, "Call-ID")
    assert invite.count("\nVia:") == 1 and CORE_BOX in header(invite, "Via")
    assert CORE_BOX in header(invite, "Contact") and ACCESS_BOX in header(answer, "Contact")
    assert media_of(invite)[0] == CORE_BOX and media_of(answer)[0] == ACCESS_BOX
    assert media_of(invite)[1] % 2 == 0 and media_of(answer)[1] % 2 == 0
    caller_tag = header(answer, "From").split("tag=")[1]
    assert caller_tag not in invite


def test_cdr_of_a_call(box):
    cdrs = len(box.cdrs())
    result = run_calls(box, scenario.talk_and_hang_up(1000), scenario.answer_and_talk(1000), 1)
    assert_all_good(1, *result)
    no_calls_left(box)
    new = box.cdrs()[cdrs:]
    assert len(new) == 1
    assert all(key in new[0] for key in (
        "id", "from", "to", "start", "answer", "end", "duration_ms", "sip_status")), new[0]
    assert new[0]["duration_ms"] >= 1000 and new[0]["ended_by"] == "caller"


def test_cdr_of_a_refused_call(box):
    cdrs = len(box.cdrs())
    result = run_calls(box, scenario.call_refused(486), scenario.refuse(486, "Busy Here"), 1)
    assert_all_good(1, *result)
    no_calls_left(box)
    new = box.cdrs()[cdrs:]
    assert len(new) == 1
    assert new[0]["sip_status"] == 486 and new[0]["answer"] is None


def test_limit_counts_over_all_shards(make_box):
    """A realm's limit is one number, whichever shards have its calls."""
    box = make_box({"shards: 1": "shards: 4",
                    "trust: trusted": "trust: trusted\n    limits: {calls: 6}"})
    lab = box.lab
    with Sipp(lab, lab.core, scenario.answer_and_talk(0, rtp=False)), \
            Sipp(lab, lab.access, scenario.talk_and_hang_up(2000, rtp=False), to=TO_BOX, calls=20,
                 rate=50):
        wait_until(lambda: box.show("status")["calls"]["refused"] >= 14, 10, "refusals")
        calls = box.show("status")["calls"]
        assert (calls["active"], calls["refused"]) == (6, 14)
