"""Several workers: packets come by any queue, and each flow and SIP source has one writer."""

import socket
import time

import pytest

from sallyport_lab import Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS_BOX, ACCESS_WRONG

TO_BOX = f"{ACCESS_BOX}:5060"
TWO_WORKERS = {'cores: "1"': 'cores: "0-1"\n  main_core: "0"'}
# name: receive queues of each port. One: a worker receives and hands over what the other owns.
QUEUES = {"distributor": 1, "queue a worker": 2, "more queues than workers": 3}


def with_queues(count, **more):
    changes = {f"name: {port}, device": f"name: {port}, queues: {count}, device"
               for port in ("access", "core")}
    return {**TWO_WORKERS, **changes, **more}


def workers(box, key):
    return [worker[key] for worker in box.show("status")["workers"]]


def assert_balanced(box):
    """Every packet is counted once, whichever workers it went through."""
    def balances():
        return [(port["rx_packets"] + port["from_twin"] + port["from_control"],
                 port["forwarded"] + port["originated"] + port["punted"] + port["sip_up"]
                 + port["gleaned"] + port["dropped"]) for port in box.show("ports")]

    def at_rest():
        first = balances()
        return first == balances() and all(came == went for came, went in first)
    wait_until(at_rest, 5, "the ports to be at rest and balanced")
    assert any(came > 0 for came, _ in balances())
    assert sum(workers(box, "handed_over")) == sum(workers(box, "taken_over"))


@pytest.mark.parametrize("queues", QUEUES.values(), ids=QUEUES.keys())
def test_calls_on_two_workers(make_box, queues):
    """No packet lost or doubled, and the flows' counters say what the phones sent."""
    calls = 20
    box = make_box(with_queues(queues), driver="net_af_packet")
    assert [port["queues"] for port in box.show("ports")] == [queues, queues]
    with Sipp(box.lab, box.lab.core, scenario.answer_and_talk(2000)) as server, \
            Sipp(box.lab, box.lab.access, scenario.talk_and_hang_up(2000), to=TO_BOX, calls=calls,
                 rate=10) as phones:
        placed, taken = phones.wait(60), server.settle(calls)
        errors = phones.errors() + server.errors()
    assert (placed.succeeded, placed.failed) == (calls, 0), errors
    assert (taken.created, taken.succeeded, taken.failed) == (calls, calls, 0), errors
    access, core = box.lab.access.media(), box.lab.core.media()
    assert access.sent >= calls * 90 and core.sent >= calls * 90
    assert (core.received, access.received) == (access.sent, core.sent)
    wait_until(lambda: len(box.cdrs()) == calls, 5, "the calls' records")
    for side, peer in (("caller", access), ("callee", core)):
        assert sum(media[side]["packets"] for cdr in box.cdrs() for media in cdr["media"]) \
            == peer.sent
    assert_balanced(box)
    # Both workers relayed, and where a worker has no queue of its own packets were handed over.
    assert all(busy > 0 for busy in workers(box, "busy_loops"))
    if queues == 1:
        assert sum(workers(box, "handed_over")) > access.sent / 2


def options(number):
    """An OPTIONS that nobody needs an answer to."""
    return (f"OPTIONS sip:x@{TO_BOX} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK"
            f"{number}\r\nFrom: <sip:a@192.0.2.2>;tag={number}\r\nTo: <sip:x@{TO_BOX}>\r\n"
            f"Call-ID: {number}@queues\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
            "Content-Length: 0\r\n\r\n").encode()


def send_from(address, count, first=0):
    """So many messages from one address, each from a port of its own: any queue gets some."""
    for i in range(first, first + count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((address, 0))
            udp.sendto(options(i), (ACCESS_BOX, 5060))
        time.sleep(0.0005)  # what the driver's own ring cannot hold nobody counts


def settled(read):
    """What read() says when it has stopped changing."""
    last = [read()]

    def same():
        time.sleep(0.2)
        now = read()
        stable, last[0] = now == last[0], now
        return stable
    wait_until(same, 10, "counters to settle")
    return last[0]


@pytest.mark.parametrize("queues", (1, 2))
def test_a_sip_source_has_one_worker(make_box, queues):
    box = make_box(with_queues(queues), driver="net_af_packet")
    access, used, count = box.lab.access, set(), 12
    for number in range(16):
        # Far apart: what few bits make different may well go to one worker.
        address = f"10.{100 + 9 * number}.{37 * number % 256}.1"
        access.ip(f"addr add {address}/32 dev eth0")
        before = workers(box, "sip_up")
        access.enter(send_from, address, count, number * count)
        wait_until(lambda: sum(workers(box, "sip_up")) == sum(before) + count, 5, "the messages")
        grown = [now - then for now, then in zip(workers(box, "sip_up"), before)]
        assert sorted(grown) == [0, count], f"{address}: {grown}"
        used.add(grown.index(count))
    assert used == {0, 1}
    assert_balanced(box)


def test_a_flood_gets_no_more_from_two_workers(make_box):
    """One source's bucket is one bucket: twice the workers are not twice the messages."""
    burst, rate, flood = 200, 20, 1200
    limits = {"sip_rate: 5000, sip_burst: 10000": f"sip_rate: 0, address_rate: {rate}, burst_s: 10, "
              "options_rate: 0, prefix_rate: 0, untrusted_rate: 0, deny_after: 0"}
    box = make_box(with_queues(2, **limits), driver="net_af_packet")
    begin = time.monotonic()
    box.lab.access.enter(send_from, ACCESS_WRONG, flood)
    passed = sum(settled(lambda: workers(box, "sip_up")))
    elapsed = time.monotonic() - begin
    assert burst <= passed <= burst + rate * elapsed + 1
    assert box.drops()["sip_address_rate"] == flood - passed
    assert_balanced(box)
