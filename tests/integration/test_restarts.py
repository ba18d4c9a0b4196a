"""Either process dies, by SIGKILL: what goes on, and how the other finds it again."""

import signal
import time

import pytest

from sallyport_lab import LabError, Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS_BOX

pytestmark = pytest.mark.waits

TO_BOX = f"{ACCESS_BOX}:5060"


def new_calls_work(box, calls=5):
    lab = box.lab
    access, core = lab.access.media(), lab.core.media()
    with Sipp(lab, lab.core, scenario.answer_and_talk(800), port=5061) as server:
        with Sipp(lab, lab.access, scenario.talk_and_hang_up(800), to=TO_BOX, calls=calls,
                  port=5062, media_port=40000) as phones:
            placed = phones.wait(30)
        assert placed.succeeded == calls, phones.errors() + server.errors()
        server.settle(calls)
    access, core = lab.access.media() - access, lab.core.media() - core
    assert access.sent == core.received > 0 and core.sent == access.received > 0


def test_control_killed_media_flows_on(make_box):
    """20 calls with sound; control dies and comes back: no RTP packet is lost."""
    box = make_box()
    lab = box.lab
    calls, talk_ms = 20, 6000
    # The callers talk for six seconds and fall silent together, whatever becomes of signalling.
    caller = scenario.build(
        "caller", scenario.invite(), scenario.progress(), scenario.receive(200), scenario.ack(),
        scenario.stream(), scenario.pause(talk_ms), scenario.stream_stop(), scenario.pause(60000))
    callee = scenario.build(
        "callee", scenario.request("INVITE"),
        scenario.answer(200, "OK", scenario.sdp(), final_invite=True), scenario.request("ACK"),
        scenario.stream(), scenario.pause(talk_ms), scenario.stream_stop(), scenario.pause(60000))
    access, core = lab.access.media(), lab.core.media()
    with Sipp(lab, lab.core, callee) as server, \
            Sipp(lab, lab.access, caller, to=TO_BOX, calls=calls, rate=20) as phones:
        wait_until(lambda: box.calls().answered >= calls, 10, "all calls to be answered")
        time.sleep(1)
        box.control.kill()
        during = lab.core.media()
        time.sleep(1)
        assert lab.core.media().received > during.received, "no media without control"
        box.start_control()
        time.sleep(talk_ms / 1000)
        wait_until(lambda: lab.access.media() == (time.sleep(0.3), lab.access.media())[1], 10,
                   "the phones to fall silent")
        server.process.kill()
        phones.process.kill()
    access, core = lab.access.media() - access, lab.core.media() - core
    assert access.sent >= calls * 250
    assert (core.received, access.received) == (access.sent, core.sent)


def test_new_calls_after_control_came_back(make_box):
    box = make_box()
    lab = box.lab
    with Sipp(lab, lab.core, scenario.answer_and_talk(20000)) as server, \
            Sipp(lab, lab.access, scenario.talk_and_hang_up(20000), to=TO_BOX, calls=5) as phones:
        wait_until(lambda: box.calls().answered >= 5, 10, "the calls to be answered")
        box.control.kill()
        box.start_control()
        server.process.kill()
        phones.process.kill()
    attaches = box.show("status")["dataplane"]["attaches"]
    assert attaches == 2
    with Sipp(lab, lab.core, scenario.answer_and_talk(500)) as server:
        with Sipp(lab, lab.access, scenario.talk_and_hang_up(500), to=TO_BOX, calls=5) as phones:
            assert phones.wait(20).succeeded == 5, phones.errors()
        assert server.settle(5).succeeded == 5


def test_dataplane_killed_and_back(make_box):
    """Control says so, keeps trying, and puts the flows of its calls back."""
    box = make_box()
    lab = box.lab
    callee = scenario.answer_and_talk(30000)
    with Sipp(lab, lab.core, callee) as server, \
            Sipp(lab, lab.access, scenario.talk_and_hang_up(30000), to=TO_BOX, calls=5) as phones:
        wait_until(lambda: box.calls().answered >= 5, 10, "the calls to be answered")
        box.dataplane.kill()
        wait_until(lambda: not box.attached(), 5, "control to notice")
        assert box.control.alive()
        assert "dataplane" in box.control.output()
        time.sleep(1.5)  # more than one attempt
        assert box.control.alive() and not box.attached()
        box.start_dataplane()
        box.wait_ready()
        access, core = lab.access.media(), lab.core.media()

        def both_ways():
            up, down = lab.core.media() - core, lab.access.media() - access
            return up.received > 5 * 25 and down.received > 5 * 25
        wait_until(both_ways, 10, "media of the calls in progress")
        assert box.calls().active == 5
        server.process.kill()
        phones.process.kill()


def test_dialogs_outlive_the_dataplane(make_box):
    """Messages of a call come to the shard that has it, by the new dataplane too."""
    box = make_box({"shards: 1": "shards: 4"})
    lab, calls = box.lab, 20
    with Sipp(lab, lab.core, scenario.answer_and_talk(0, rtp=False)) as server, \
            Sipp(lab, lab.access, scenario.talk_and_hang_up(6000, rtp=False), to=TO_BOX,
                 calls=calls, rate=20) as phones:
        wait_until(lambda: box.calls().answered_active >= calls, 10, "the calls to be answered")
        box.dataplane.kill()
        wait_until(lambda: not box.attached(), 5, "control to notice")
        box.start_dataplane()
        box.wait_ready()
        assert phones.wait(30).succeeded == calls, phones.errors()
        assert server.settle(calls).succeeded == calls, server.errors()
    wait_until(lambda: box.calls().active == 0, 5, "the box's calls to be over")


def test_calls_after_the_dataplane_came_back(make_box):
    box = make_box()
    lab = box.lab
    box.dataplane.kill()
    wait_until(lambda: not box.attached(), 5, "control to notice")
    box.start_dataplane()
    box.wait_ready()
    with Sipp(lab, lab.core, scenario.answer_and_talk(500)) as server:
        with Sipp(lab, lab.access, scenario.talk_and_hang_up(500), to=TO_BOX, calls=3) as phones:
            assert phones.wait(20).succeeded == 3, phones.errors()
        assert server.settle(3).succeeded == 3


def test_control_waits_for_the_dataplane(lab):
    """Started first, control says what it waits for and does not give up."""
    from sallyport_lab import Box, drivers_here  # pylint: disable=import-outside-toplevel
    box = Box(lab, drivers_here()[-1])
    try:
        box.start_control(ready=False)
        wait_until(lambda: box.dataplane_socket in box.control.output(), 5, "its log line")
        assert box.control.alive()
        box.start_dataplane()
        box.wait_ready()
    finally:
        box.stop()


def test_sigterm_ends_calls_cleanly(make_box):
    """BYE to both sides, a CDR a call, exit status 0, sockets and twins gone."""
    box = make_box()
    lab = box.lab
    caller = scenario.build(
        "caller", scenario.invite(), scenario.progress(), scenario.receive(200), scenario.ack(),
        scenario.request("BYE", timeout_ms=20000), scenario.answer(200, "OK", tag=False))
    callee = scenario.answer_and_talk(0, rtp=False)
    with Sipp(lab, lab.core, callee) as server, \
            Sipp(lab, lab.access, caller, to=TO_BOX, calls=5) as phones:
        wait_until(lambda: box.calls().answered >= 5, 10, "the calls to be answered")
        box.control.signal(signal.SIGTERM)
        assert box.control.wait(15) == 0, box.control.tail()
        assert phones.wait(5).succeeded == 5, phones.errors()
        assert server.settle(5).succeeded == 5, server.errors()
    assert len(box.cdrs()) == 5
    assert box.dataplane.alive()
    box.dataplane.signal(signal.SIGTERM)
    assert box.dataplane.wait(15) == 0, box.dataplane.tail()
    links = lab.box.run("ip", "-o", "link")
    assert " access:" not in links and " core:" not in links
    try:
        box.show("status")
    except LabError:
        return
    raise AssertionError("the control socket still answers")
