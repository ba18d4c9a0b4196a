"""Lost and repeated messages: SIP over UDP as it is."""

import os

import pytest

from sallyport_lab import Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS_BOX

TO_BOX = f"{ACCESS_BOX}:5060"


def lossy_calls(box, calls, rate):
    """So many calls while 5 % of the SIP packets are lost on both sides, in both directions."""
    lab = box.lab
    cdrs, before = len(box.cdrs()), box.calls()
    callee = scenario.answer_and_talk(0, rtp=False, linger_ms=8000)
    caller = scenario.talk_and_hang_up(300, rtp=False, settle_ms=3000, linger_ms=1000)
    with Sipp(lab, lab.core, callee) as server:
        lab.access.lose(5)
        lab.core.lose(5)
        try:
            with Sipp(lab, lab.access, caller, to=TO_BOX, calls=calls, rate=rate) as phones:
                placed = phones.wait(calls / rate + 60)
            # No packet was spared: about 5 % of some 14 messages a call.
            assert lab.access.lost() + lab.core.lost() > calls / 10
            taken = server.settle(calls, 50)
        finally:
            lab.access.lose(0)
            lab.core.lose(0)
        errors = phones.errors() + server.errors()
        assert (placed.succeeded, placed.failed) == (calls, 0), errors
        # One dialog a call: a repeated INVITE never became a second call.
        assert (taken.created, taken.succeeded, taken.failed) == (calls, calls, 0), errors
        assert placed.retransmissions + taken.retransmissions > 0
    wait_until(lambda: box.calls().active == 0, 40, "the box's calls to be over")
    now = box.calls()
    assert now.total - before.total == calls
    assert now.answered - before.answered == calls
    assert len(box.cdrs()) - cdrs == calls


@pytest.mark.waits
def test_no_call_is_lost_and_none_doubled(box):
    lossy_calls(box, 500, 50)


@pytest.mark.soak
@pytest.mark.parametrize("_round", range(int(os.environ.get("SALLYPORT_SOAK_ROUNDS", "20"))))
def test_loss_again_and_again(box, _round):
    lossy_calls(box, 500, 50)
