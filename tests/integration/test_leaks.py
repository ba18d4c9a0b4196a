"""After many calls everything is exactly where it was."""

import os
import time

import pytest

from sallyport_lab import Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS_BOX

# The traces of calls that are over are kept on purpose.
NO_TRACES = {"log_level: info": "log_level: info\n  trace_calls: 0"}
# Packets of the kernel (ARP refreshes) may be on their way while we look.
SETTLE_S = 40


def place(box, calls, rate):
    """Short calls of every ending: hung up by the caller, refused, cancelled."""
    lab = box.lab
    flows = ((scenario.talk_and_hang_up(300, quiet_ms=100), scenario.answer_and_talk(300), 6),
             (scenario.call_refused(486), scenario.refuse(486, "Busy Here"), 2),
             (scenario.call_and_cancel(100), scenario.ring_until_cancelled(), 2))
    for caller, callee, tenths in flows:
        count = max(1, calls * tenths // 10)
        with Sipp(lab, lab.core, callee) as server:
            with Sipp(lab, lab.access, caller, to=f"{ACCESS_BOX}:5060", calls=count,
                      rate=rate) as phones:
                placed = phones.wait(count / rate + 60)
            taken = server.settle(count)
        errors = phones.errors() + server.errors()
        assert (placed.succeeded, taken.succeeded) == (count, count), errors


def state(box):
    """What has to be the same before and after."""
    memory = box.show("memory")
    pools = {pool["name"]: pool["used"] for pool in memory["pools"]}
    return {"mbuf": pools["mbuf"], "flow": pools["flow"], "heap": heap(memory)}


def heap(memory):
    return memory["heap"]["allocated"]


@pytest.mark.waits
def test_nothing_is_kept(make_box):
    """1,000 calls. On net_af_packet, whose driver holds no packet buffers of its own.

    A table steps up when a load's peak is a little higher than ever before, and a few bytes come and
    go with the questions asked of the control socket. Hence up to three rounds, until one leaves
    everything exactly where an earlier one began; what calls leave behind never goes back."""
    box = make_box(NO_TRACES, driver="net_af_packet")
    place(box, 1000, 50)
    seen = [settled(box)]
    for _ in range(3):
        place(box, 1000, 50)
        now = back(box, seen)
        if now in seen:
            return
        seen.append(now)
    raise AssertionError(f"grows with the calls: {seen}")


def settled(box):
    """The state when all calls and their transactions (32 s: 64*T1) are gone: long unchanged."""
    wait_until(lambda: box.calls().active == 0, 10, "the box's calls to be over")
    deadline = time.monotonic() + SETTLE_S
    last, since = state(box), time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < 34:
        time.sleep(0.5)
        now = state(box)
        if now != last:
            last, since = now, time.monotonic()
    return last


def back(box, seen):
    """One of the states seen, as soon as the box is in it again; else the one it settled in."""
    deadline = time.monotonic() + SETTLE_S
    while (now := state(box)) not in seen and time.monotonic() < deadline:
        time.sleep(0.5)
    return now


@pytest.mark.soak
def test_nothing_is_kept_for_long(make_box):
    box = make_box(NO_TRACES, driver="net_af_packet")
    before = []
    for _ in range(2):
        place(box, 1000, 50)
        before.append(settled(box))
    for _ in range(int(os.environ.get("SALLYPORT_SOAK_ROUNDS", "20"))):
        place(box, 1000, 50)
    assert back(box, before) in before
