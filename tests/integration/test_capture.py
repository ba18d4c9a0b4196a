"""sally capture: what crosses the ports, in a file, while everything runs."""

import os
import stat
import subprocess

import pytest
from scapy.layers.inet import UDP
from scapy.utils import PcapNgReader

from sallyport_lab import Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS_BOX

TO_BOX = f"{ACCESS_BOX}:5060"


def sally(box, *words):
    return subprocess.run([box.program("control", "cli", "sally"), "-s", box.socket, *words],
                          capture_output=True, text=True, check=False, timeout=20,
                          stdin=subprocess.DEVNULL)


@pytest.fixture
def capture(box):
    """capture(FILTER..., FILE) starts one and gives the file's path; it is ended and removed."""
    files = []

    def start(*words):
        done = sally(box, "capture", "start", *words)
        assert done.returncode == 0, done.stderr
        files.append(box.show("capture")["file"])
        return files[-1]
    yield start
    if box.show("capture").get("running"):
        box.sally("capture", "stop")
    for path in files:
        os.unlink(path)


def call(box, talk_ms):
    lab = box.lab
    access, core = lab.access.media(), lab.core.media()
    with Sipp(lab, lab.core, scenario.answer_and_talk(talk_ms)) as server:
        with Sipp(lab, lab.access, scenario.talk_and_hang_up(talk_ms), to=TO_BOX,
                  calls=1) as phones:
            assert phones.wait(30).succeeded == 1, phones.errors() + server.errors()
        server.settle(1)
    access, core = lab.access.media() - access, lab.core.media() - core
    assert (core.received, access.received) == (access.sent, core.sent)
    return access.sent + core.sent


def datagrams(path):
    with PcapNgReader(path) as packets:
        return [packet[UDP] for packet in packets if UDP in packet]


def is_sip(udp):
    return 5060 in (udp.sport, udp.dport)


def test_everything(box, capture):
    """Each RTP packet and SIP message is there twice: as it came and as it left."""
    path = capture("all.pcapng")
    media = call(box, 1000)
    box.sally("capture", "stop")
    state = box.show("capture")
    assert not state["running"] and state["missed"] == 0 and state["ended"] == "stopped"
    seen = datagrams(path)
    assert sum(not is_sip(udp) for udp in seen) >= 2 * media > 0
    messages = [bytes(udp.payload) for udp in seen if is_sip(udp)]
    assert sum(message.startswith(b"INVITE ") for message in messages) == 2
    assert sum(message.startswith(b"BYE ") for message in messages) == 2
    mode = os.stat(path).st_mode
    assert stat.S_IMODE(mode) == 0o600 and os.path.getsize(path) == state["bytes"]


def test_filter(box, capture):
    path = capture("udp", "port", "5060", "and", "host", ACCESS_BOX, "sip.pcapng")
    call(box, 500)
    box.sally("capture", "stop")
    seen = datagrams(path)
    assert seen and all(is_sip(udp) for udp in seen)
    # One side only.
    assert sum(bytes(udp.payload).startswith(b"INVITE ") for udp in seen) == 1


def test_refusals(box, capture):
    """Each with a sentence; none disturbs the capture that runs."""
    assert sally(box, "capture", "stop").returncode == 1
    capture("one.pcapng")
    for words, status, text in (
            (("two.pcapng",), 1, "capture stop"),
            (("udp", "prot", "5060", "two.pcapng"), 2, "filter"),
            ((), 2, "capture start")):
        done = sally(box, "capture", "start", *words)
        assert done.returncode == status and text in done.stderr, done.stderr
    assert box.show("capture")["running"]
    box.sally("capture", "stop")
    for name, text in (("one.pcapng", "already"), ("../two.pcapng", "no folder"),
                       (".hidden", "no folder"), ("x" * 80, "characters")):
        done = sally(box, "capture", "start", name)
        assert done.returncode == 1 and text in done.stderr, done.stderr


def test_leaves_nothing_behind(box, capture):
    """Packet buffers are as before, and the queues have no callbacks any more."""
    def used():
        return {pool["name"]: pool["used"] for pool in box.show("memory")["pools"]}["mbuf"]
    call(box, 200)
    before = used()
    for number in range(3):
        capture(f"again{number}.pcapng")
        call(box, 200)
        box.sally("capture", "stop")
    packets = box.show("capture")["packets"]
    call(box, 200)
    assert box.show("capture")["packets"] == packets > 0
    wait_until(lambda: used() == before, 5, "the packet buffers to be back")
