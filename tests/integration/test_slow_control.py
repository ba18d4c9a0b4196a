"""Control stands still while calls talk and new SIP arrives (threats row 33): media goes on, the
rings refuse the least needed first, and what they took goes on when control does."""

import os
import signal
import time

import pytest
from sockets import Phone, sip_request, status_of

from sallyport_lab import Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, ACCESS_WRONG

pytestmark = pytest.mark.alone

SIP = (ACCESS_BOX, 5060)
TO_BOX = f"{ACCESS_BOX}:5060"
CALLS = 10  # of each kind
STOP_S = 10
SHORT_MS, LONG_MS = 2500, 12500  # calls that end inside the stop, and behind it
INVITES, OPTIONS = 3000, 1500  # more than the ring to control takes of strangers
RECOVERY_S = 5 if os.environ.get("SALLYPORT_SANITIZED") == "1" else 1
# Nobody is denied here: it is the rings that are tried.
LIMITS = {"limits: {sip_rate: 5000, sip_burst: 10000}":
          "limits: {sip_rate: 20000, sip_burst: 20000, address_rate: 20000, prefix_rate: 20000, "
          "untrusted_rate: 20000, options_rate: 0, invite_rate: 0, deny_after: 0}"}


def pour(phone, count, method, **headers):
    """So many new requests of a stranger, about 5,000 a second."""
    begin = time.monotonic()
    for i in range(count):
        phone.send(sip_request(method, source=f"{ACCESS_WRONG}:5090", x_pad="p" * 700,
                               **headers), SIP)
        if i % 20 == 0:
            time.sleep(max(0.0, begin + i / 5000 - time.monotonic()))


def taken(box, kind):
    """Messages of strangers on the access side that the rings took."""
    realm = next(realm for realm in box.show("limits") if realm["realm"] == "access")
    return next(row for row in realm["classes"] if row["class"] == "untrusted")[kind]


def calls(lab, talk_ms, count, port, media_port):
    """Both sides of them talk so long."""
    return Sipp(lab, lab.access, scenario.talk_and_hang_up(talk_ms), to=TO_BOX, calls=count,
                rate=50, port=port, media_port=media_port, service=str(talk_ms), trace=True)


def test_nothing_stops_with_control(make_box):
    box = make_box(LIMITS)
    lab = box.lab
    media = lab.access.media(), lab.core.media()
    attaches = box.show("status")["dataplane"]["attaches"]
    before, new, out = box.drops(), taken(box, "new"), taken(box, "out_of_dialog")
    with Sipp(lab, lab.core, scenario.answer_by_number()) as server, \
            calls(lab, SHORT_MS, CALLS, 5062, 20000) as short, \
            calls(lab, LONG_MS, CALLS, 5064, 40000) as long, \
            Phone(lab.access, ACCESS_WRONG, 5090) as stranger, \
            Phone(lab.access, ACCESS, 5091) as peer:
        wait_until(lambda: box.calls().answered_active == 2 * CALLS, 5, "the calls to talk")
        box.control.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            # Refused for their Max-Forwards, were they looked at.
            pour(stranger, INVITES, "INVITE", max_forwards="0")
            pour(stranger, OPTIONS, "OPTIONS")
            during = lab.access.media(), lab.core.media()
            time.sleep(max(0.0, stopped + STOP_S - 1 - time.monotonic()))
            for side, then in zip((lab.access, lab.core), during):
                # The long calls' packets for eight of ten seconds, and some time to look.
                assert side.media().received - then.received > CALLS * 50 * (STOP_S - 2) * 0.9
            waiting = calls(lab, SHORT_MS, 3, 5066, 50000)
            time.sleep(max(0.0, stopped + STOP_S - time.monotonic()))
        finally:
            box.control.signal(signal.SIGCONT)
        go_on = time.monotonic()
        # Who called meanwhile is answered, and who calls now.
        waiting.wait_received("SIP/2.0 200", 3, RECOVERY_S)
        assert status_of(peer.ask(sip_request(source=f"{ACCESS}:5091"), SIP, RECOVERY_S)) == 200
        with calls(lab, SHORT_MS, 5, 5068, 55000) as late:
            late.wait_received("SIP/2.0 200", 1, RECOVERY_S)
            recovered_s = time.monotonic() - go_on
            assert recovered_s < RECOVERY_S
            print(f"a new call was answered {recovered_s:.2f} s after control went on")
            for phones, count in ((short, CALLS), (long, CALLS), (waiting, 3), (late, 5)):
                counts = phones.wait(20)
                assert (counts.succeeded, counts.failed) == (count, 0), phones.errors()
        assert server.settle(2 * CALLS + 8).succeeded == 2 * CALLS + 8, server.errors()
    status = box.show("status")
    assert status["attached"] and status["dataplane"]["attaches"] == attaches
    dropped = {reason: count - before.get(reason, 0) for reason, count in box.drops().items()
               if reason.startswith("up_full") and count > before.get(reason, 0)}
    assert set(dropped) == {"up_full_new", "up_full_out"}
    assert dropped["up_full_new"] == INVITES - (taken(box, "new") - new)
    assert dropped["up_full_out"] == OPTIONS - (taken(box, "out_of_dialog") - out)
    access, core = lab.access.media() - media[0], lab.core.media() - media[1]
    for side in (access, core):
        assert side.sent >= CALLS * (SHORT_MS + LONG_MS) / 20 * 0.9
    assert (core.received, access.received) == (access.sent, core.sent)
