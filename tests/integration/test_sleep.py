"""A worker that has nothing to do sleeps, and a packet ends that. On net_af_xdp, where the kernel
wakes who waits for a queue; on other devices a worker looks again after half a millisecond."""

import os
import statistics
import time

import pytest

from sallyport_lab import wait_until
from sallyport_lab.rtp import packet
from test_media import CALLER_SSRC, talking

pytestmark = pytest.mark.alone
LONGEST_MS = 10  # of a sleep that nothing ends
PACKETS = 60


@pytest.fixture(name="sleeper")
def box_whose_worker_sleeps(box):
    if box.driver != "net_af_xdp":
        pytest.skip("skipped: no net_af_xdp here: a kernel with CONFIG_XDP_SOCKETS has it")
    wait_until(lambda: box.calls().active == 0, 10, "the box to be quiet")
    return box


def worker_seconds(box):
    """CPU time of the workers' threads."""
    used, tasks = [], f"/proc/{box.dataplane.pid}/task"
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/stat", encoding="ascii") as stat:
            name, numbers = stat.read().rsplit(")", 1)
        if "-worker-" in name:  # lcore- or rte- by the version of DPDK
            used.append(sum(map(int, numbers.split()[11:13])) / os.sysconf("SC_CLK_TCK"))
    assert used, "no thread is a worker"
    return sum(used)


def sleeps(box):
    return sum(worker["sleeps"] for worker in box.show("status")["workers"])


def test_idle_worker_sleeps(sleeper):
    """Less than 2 % of a core; and it sleeps long, instead of looking often."""
    limit = 0.08 if os.environ.get("SALLYPORT_SANITIZED") == "1" else 0.02
    time.sleep(0.5)
    begin, used, slept = time.monotonic(), worker_seconds(sleeper), sleeps(sleeper)
    time.sleep(3)
    used, slept = worker_seconds(sleeper) - used, sleeps(sleeper) - slept
    elapsed = time.monotonic() - begin
    assert used / elapsed < limit
    assert 20 < slept / elapsed < 2 * 1000 / LONGEST_MS


def test_a_packet_ends_the_sleep(sleeper):
    """Each comes when the worker sleeps, at any time of its sleep, and does not wait for its end:
    that would be half of the longest sleep on average."""
    with talking(sleeper) as talk:
        talk.both_ways()
        sent = []
        for number in range(10, 10 + PACKETS):
            time.sleep(0.023)
            sent.append(time.monotonic())
            talk.caller.send(packet(CALLER_SSRC, number), talk.access)
        wait_until(lambda: talk.callee.sequences(CALLER_SSRC)[10:] == list(range(10, 10 + PACKETS)),
                   3, "all packets")
        came = [when for when, _, _ in talk.callee.received[10:]]
    waited_ms = [1000 * (there - here) for here, there in zip(sent, came)]
    assert statistics.median(waited_ms) < LONGEST_MS / 4, sorted(waited_ms)
