"""Threat 6: more calls than the box can do. It goes on doing what it can, refuses the rest at once,
and ends every call that it has. Judged by what SIPp saw on both sides."""

import contextlib
import os
import time
from dataclasses import dataclass

import pytest

from sallyport_lab import Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS_BOX
from sallyport_lab.sipp import header

CPU = "/sys/fs/cgroup/cpu"  # cgroup v1
UNIFIED = "/sys/fs/cgroup"  # v2
PERIOD_US = 40000
QUOTA_US = range(1000, 30000)  # a kernel grants no less; SIPp and the fast path need the rest
WANTED = 150  # calls a second that control shall be able to do, for SIPp to do four times as many
SECONDS = 4
TALK_MS = 500
RATE = 40


def call_or_be_refused(talk_ms):
    """Caller who takes 503 for an answer: either way the call is complete."""
    refused = scenario.receive(503, optional=True).replace("/>", ' next="1"/>')
    over = scenario.receive(200).replace("/>", ' next="2"/>')
    return scenario.build(
        "caller", scenario.invite(), scenario.receive(100, optional=True),
        scenario.receive(180, optional=True), refused, scenario.receive(200), scenario.ack(),
        scenario.pause(talk_ms), scenario.bye(), over,
        '<label id="1"/>\n', scenario.ack_failure(), '<label id="2"/>\n', scenario.linger(1))


@contextlib.contextmanager
def little_cpu(process, quota_us):
    """The process gets so much of each PERIOD_US, whatever else the machine has."""
    first = os.path.exists(os.path.join(CPU, "cpu.cfs_quota_us"))
    root = CPU if first else UNIFIED
    group = os.path.join(root, f"sallyport-test-{process.pid}")

    def write(folder, name, value):
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write(str(value))
    try:
        if not first:
            write(root, "cgroup.subtree_control", "+cpu")
        os.mkdir(group)
    except OSError as error:
        pytest.skip(f"skipped: no cgroup for the CPU here: {error}")
    try:
        if first:
            write(group, "cpu.cfs_period_us", PERIOD_US)
            write(group, "cpu.cfs_quota_us", quota_us)
        else:
            write(group, "cpu.max", f"{quota_us} {PERIOD_US}")
        write(group, "cgroup.procs", process.pid)
        yield
    finally:
        write(root, "cgroup.procs", process.pid)
        os.rmdir(group)


@dataclass
class Outcome:
    """Of one load: calls a second, and what became of them."""
    offered: float
    goodput: float
    refused: int
    took_s: float  # all of it


def load(box, rate, seconds=SECONDS, **options):
    """So many calls a second for so long. Each of them is answered or refused, and of those
    answered each one ends by a BYE that both sides saw."""
    lab, calls, begin = box.lab, int(rate * seconds), time.monotonic()
    with Sipp(lab, lab.core, scenario.answer_and_talk(0, rtp=False)) as server, \
            Sipp(lab, lab.access, call_or_be_refused(TALK_MS), to=f"{ACCESS_BOX}:5060",
                 calls=calls, rate=rate, **options) as phones:
        placed = phones.wait(seconds + 40)
        assert (placed.succeeded, placed.failed) == (calls, 0), phones.errors()[-2000:]
        taken = server.settle(1)
        assert (taken.succeeded, taken.failed) == (taken.created, 0), server.errors()[-2000:]
    wait_until(lambda: box.calls().active == 0, 10, "the calls to be over")
    for refusal in phones.received("SIP/2.0 503"):
        assert 1 <= int(header(refusal, "Retry-After")) <= 60, refusal
    return Outcome(rate, taken.succeeded / seconds, calls - taken.succeeded,
                   time.monotonic() - begin)


def cpu_us(process):
    """CPU time of all its threads."""
    total = 0
    for thread in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{thread}/schedstat", encoding="ascii") as stat:
            total += int(stat.read().split()[0]) // 1000
    return total


def quota_for(box, rate):
    """CPU time a period that makes about so many calls a second possible."""
    load(box, 100, 1)
    before = cpu_us(box.control)
    load(box, 100, 2)
    call_us = (cpu_us(box.control) - before) / 200 / 2  # of a busy one: each wake-up does more
    return min(max(int(rate * call_us * PERIOD_US / 1e6), QUOTA_US.start), QUOTA_US.stop)


def peak_of(box):
    """The most calls a second that it can do, and how that was found."""
    loads = [load(box, WANTED)]
    while loads[-1].refused < loads[-1].offered * SECONDS / 4:
        loads.append(load(box, 2 * loads[-1].offered))
    loads += [load(box, times * loads[-1].goodput) for times in (1, 1.2)]
    return max(outcome.goodput for outcome in loads), loads


@pytest.mark.alone
@pytest.mark.soak
def test_more_than_the_cpu_can_do(make_box):
    """Twice and four times the calls that control has CPU for: that wants a machine without
    neighbours."""
    box = make_box()
    quota_us = quota_for(box, WANTED)
    with little_cpu(box.control, quota_us):
        peak, loads = peak_of(box)
        for times in (2, 4):
            # What overload costs it costs each time, what else the machine does it does once.
            tries = []
            while len(tries) < 3 and (not tries or tries[-1].goodput < 0.9 * peak):
                tries.append(load(box, times * peak))
            assert tries[-1].refused > 0
            assert tries[-1].goodput >= 0.9 * peak, (quota_us, loads, tries)
    assert box.show("stats")["overload_refused_delay"] > 0
    # Nothing of it stays.
    assert load(box, 100, 2).refused == 0


def test_more_calls_than_allowed(make_box):
    """Its capacity is a number of the configuration: of twice and four times as many calls it does
    at least 90 % of its peak, and all emergency calls. A machine that is slow only gives time, in
    which more calls may begin."""
    limits = f'{{delay_ms: 0, call_rate: {RATE}, emergency: ["112"]}}'
    box = make_box({"shards: 1": f"shards: 2\n  overload: {limits}"})
    peak = load(box, RATE)
    assert peak.goodput >= 0.9 * RATE, peak
    for times in (2, 4):
        outcome = load(box, times * RATE, trace=True)
        assert outcome.goodput >= 0.9 * peak.goodput, (peak, outcome)
        # No more than its share each second, and the bucket of one second that is full at first.
        assert outcome.goodput * SECONDS <= RATE * (outcome.took_s + 1), outcome
        assert outcome.refused > 0
    assert load(box, 2 * RATE, service="112").refused == 0
    stats = box.show("stats")
    assert stats["overload_refused_rate"] > 0 and stats["overload_refused_delay"] == 0
    assert stats["overload_emergency"] == 2 * RATE * SECONDS
