"""Media under watch: loss as it is measured, floods and sprays, moves of a source, silence."""

import contextlib
import threading
import time

import pytest

from sallyport_lab import Endpoint, Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, ACCESS_WRONG, CORE_BOX
from sallyport_lab.rtp import packet
from sallyport_lab.sipp import media_of
from test_media import (CALLEE_SSRC, CALLER_SSRC, PORT, STRANGER_SSRC, arrived, drops,
                        nothing_arrives, silent_answer, silent_call, talking)

TO_BOX = f"{ACCESS_BOX}:5060"
MEDIA_PORTS = "20000-29999"
# A codec that nobody knows: its rate is not known either, so a test may send fast.
UNKNOWN = scenario.sdp(PORT, codecs="99").replace("a=ptime", "a=rtpmap:99 unheard-of/8000\na=ptime")


def answered_with(body):
    return scenario.build(
        "callee", scenario.request("INVITE"), scenario.answer(200, "OK", body, final_invite=True),
        scenario.request("ACK"), scenario.request("BYE"), scenario.answer(200, "OK", tag=False))


def cdr_after(box, before):
    """The one call detail record that is new."""
    wait_until(lambda: len(box.cdrs()) > before, 5, "the CDR")
    return box.cdrs()[-1]["media"][0]


def test_injected_loss_is_measured(box):
    """Every 33rd packet lost on the way to the box, others doubled or late, over the wrap."""
    first, count = 62000, 6000
    before = len(box.cdrs())
    with talking(box, silent_call(UNKNOWN), answered_with(UNKNOWN)) as talk:
        box.lab.access.lose(3, MEDIA_PORTS)
        try:
            begin = time.monotonic()
            for i in range(0, count, 10):
                order = list(range(first + i, first + i + 10))
                if i % 70 == 0:
                    order[3], order[4] = order[4], order[3]
                if i % 90 == 0:
                    order.append(order[5])
                for number in order:
                    talk.caller.send(packet(CALLER_SSRC, number, 99), talk.access)
                time.sleep(max(0, begin + i / 1000 - time.monotonic()))
            lost = box.lab.access.lost()
        finally:
            box.lab.access.lose(0)
        # The end of it is seen: what is lost behind the last packet nobody can know.
        talk.caller.send(packet(CALLER_SSRC, first + count, 99), talk.access)
        wait_until(lambda: first + count & 0xffff in talk.callee.sequences(CALLER_SSRC), 3,
                   "the last packet")
        live = box.show("calls")["calls"][0]["media"][0]["caller"]
    got = talk.callee.sequences(CALLER_SSRC)
    never = count + 1 - len(set(got))
    side = cdr_after(box, before)["caller"]
    assert lost > count / 40 and never > count / 40
    assert side["lost"] == pytest.approx(never, abs=0.001 * count)
    assert side["loss_percent"] == pytest.approx(100 * never / (count + 1), abs=0.1)
    assert side["duplicates"] == len(got) - len(set(got)) > 20
    assert side["reordered"] > 20
    assert side["packets"] == len(got) and side["policed"] == 0
    assert live["lost"] == side["lost"] and live["packets"] == side["packets"]
    # 3 % of loss, heard as G.711: tolerable, no more.
    assert 1 < side["mos"] < 4.2


def test_a_clean_call_scores_well(box):
    before = len(box.cdrs())
    with talking(box) as talk:
        talk.both_ways(60)
    media = cdr_after(box, before)
    assert media["codec"] == "PCMA"
    for side in ("caller", "callee"):
        assert media[side]["packets"] == 60
        assert (media[side]["lost"], media[side]["policed"], media[side]["silences"]) == (0, 0, 0)
        assert media[side]["mos"] > 3.9 and media[side]["jitter_max_ms"] > 0


@contextlib.contextmanager
def two_calls(box):
    """Two answered calls between the same two sockets; where the caller sends for each."""
    lab = box.lab
    with Endpoint(lab.access, ACCESS, PORT) as caller, \
            Endpoint(lab.core, lab.core.address, PORT) as callee, \
            Sipp(lab, lab.core, silent_answer(), trace=True), \
            Sipp(lab, lab.access, silent_call(), to=TO_BOX, calls=2, trace=True) as phones:
        phones.wait_received("SIP/2.0 200", 2)
        ways = {media_of(message) for message in phones.received("SIP/2.0 200")}
        assert len(ways) == 2
        yield caller, callee, sorted(ways)
        phones.hang_up()
        assert phones.wait(20).succeeded == 2, phones.errors()


def test_flood_of_the_legitimate_source_is_policed(box):
    """Ten times the rate of its codec: little more than the rate passes, the neighbour loses
    nothing."""
    seconds, rate = 8, 50
    before, cdrs = drops(box, "media_rate"), len(box.cdrs())
    with two_calls(box) as (caller, callee, (flooded, calm)):
        neighbour = threading.Thread(
            target=caller.stream, args=(calm, rate * seconds, CALLEE_SSRC))
        neighbour.start()
        caller.stream(flooded, 10 * rate * seconds, CALLER_SSRC, interval=0.002)
        neighbour.join()
        arrived(callee, CALLEE_SSRC, list(range(rate * seconds)))
        passed = len(callee.sequences(CALLER_SSRC))
        assert 0.95 * rate * seconds <= passed <= 1.1 * rate * seconds
        wait_until(lambda: drops(box, "media_rate") - before == 10 * rate * seconds - passed, 3,
                   "each packet that did not pass counted as media_rate")
    wait_until(lambda: len(box.cdrs()) >= cdrs + 2, 5, "both CDRs")
    sides = [cdr["media"][0]["caller"] for cdr in box.cdrs()[cdrs:]]
    assert sum(side["policed"] for side in sides) == 10 * rate * seconds - passed
    # It was too much, and did not get lost.
    assert [side["lost"] for side in sides] == [0, 0]
    assert min(side["mos"] for side in sides) < 2 < 3.9 < max(side["mos"] for side in sides)


def test_port_spray_leaks_nothing(box):
    """RTP bleed: a stranger sends to every media port while a call talks."""
    with talking(box) as talk, \
            Endpoint(box.lab.access, ACCESS_WRONG, PORT) as stranger:
        talk.both_ways(10)
        begin = drops(box, "media_no_flow") + drops(box, "media_source")
        voice = threading.Thread(target=talk.both_ways, args=(150, 10))
        voice.start()
        for port in range(20000, 30000):
            stranger.send(packet(STRANGER_SSRC, port), (ACCESS_BOX, port))
            if port % 20 == 0:
                time.sleep(0.004)
        voice.join()
        nothing_arrives(talk.callee, STRANGER_SSRC)
        nothing_arrives(talk.caller, STRANGER_SSRC)
        assert stranger.payloads() == [], "the stranger got the call's media"
        wait_until(
            lambda: drops(box, "media_no_flow") + drops(box, "media_source")
            + drops(box, "media_malformed") - begin >= 9900, 3, "the spray to be counted")
        # It cost the call nothing.
        assert talk.callee.sequences(CALLER_SSRC) == list(range(160))


def hidden_call():
    """A caller behind NAT: any port of its address may be learned."""
    return silent_call(scenario.sdp(PORT).replace("IN IP4 [media_ip]", "IN IP4 10.9.9.9"))


def test_injection_after_the_lock(box):
    """The right SSRC and the next numbers, but from elsewhere: nothing is forwarded."""
    with talking(box, hidden_call()) as talk, \
            Endpoint(box.lab.access, ACCESS_WRONG, PORT) as stranger, \
            Endpoint(box.lab.access, ACCESS, PORT + 100) as other_port:
        talk.both_ways(10)
        before = drops(box, "media_source") + drops(box, "media_locked")
        voice = threading.Thread(target=talk.caller.stream,
                                 args=(talk.access, 100, CALLER_SSRC, 10))
        voice.start()
        injected = bytes(160)
        for i in range(100):
            for source in (stranger, other_port):
                source.send(packet(CALLER_SSRC, 11 + i, payload=injected), talk.access)
            time.sleep(0.008)
        voice.join()
        arrived(talk.callee, CALLER_SSRC, list(range(10, 110)))
        assert not [data for data in talk.callee.payloads() if data.endswith(injected)]
        wait_until(
            lambda: drops(box, "media_source") + drops(box, "media_locked") - before == 200, 3,
            "200 packets counted")
        assert stranger.payloads() == [] and other_port.payloads() == []


def test_nat_gives_the_caller_another_port(box):
    """It may move only when it continues its stream, and its old port is silent."""
    with talking(box, hidden_call()) as talk, \
            Endpoint(box.lab.access, ACCESS, PORT + 100) as moved:
        talk.both_ways(10)
        time.sleep(0.7)
        moved.stream(talk.access, 5, STRANGER_SSRC, interval=0.002)
        moved.stream(talk.access, 5, CALLER_SSRC, first=5, interval=0.002)  # numbers of the past
        moved.stream(talk.access, 5, CALLER_SSRC, first=2000, interval=0.002)
        nothing_arrives(talk.callee, STRANGER_SSRC)
        assert talk.callee.sequences(CALLER_SSRC) == list(range(10))
        moved.stream(talk.access, 10, CALLER_SSRC, first=15)
        arrived(talk.callee, CALLER_SSRC, list(range(15, 25)))
        talk.callee.stream(talk.core, 10, CALLEE_SSRC, first=10)
        arrived(moved, CALLEE_SSRC, list(range(10, 20)))
        # And the port that it left is a stranger's now.
        moved.stream(talk.access, 5, CALLER_SSRC, first=25, interval=0.002)
        talk.caller.stream(talk.access, 5, CALLER_SSRC, first=30, interval=0.002)
        nothing_arrives(talk.callee, STRANGER_SSRC)
        assert talk.callee.sequences(CALLER_SSRC)[-1] == 29


def rtcp_report(ssrc):
    """An empty sender report: type 200 has the marker bit where RTP has its own."""
    return bytes([0x80, 200, 0, 6]) + ssrc.to_bytes(4, "big") + bytes(20)


def test_rtcp_on_the_port_of_rtp(box):
    mux = scenario.sdp(PORT).rstrip("\n") + "\na=rtcp-mux\n"
    before = len(box.cdrs())
    with talking(box, silent_call(mux), answered_with(mux)) as talk:
        assert "a=rtcp-mux" in talk.server.received("INVITE")[0]
        assert "a=rtcp-mux" in talk.phones.received("SIP/2.0 200")[0]
        talk.both_ways(20)
        talk.caller.send(rtcp_report(CALLER_SSRC), talk.access)
        talk.callee.send(rtcp_report(CALLEE_SSRC), talk.core)
        wait_until(lambda: rtcp_report(CALLER_SSRC) in talk.callee.payloads(), 3, "RTCP one way")
        wait_until(lambda: rtcp_report(CALLEE_SSRC) in talk.caller.payloads(), 3, "RTCP back")
        talk.both_ways(20, first=20)
        # Nothing belongs to the port beside it.
        no_flow = drops(box, "media_no_flow")
        talk.callee_rtcp.send(rtcp_report(CALLEE_SSRC), (CORE_BOX, talk.core[1] + 1))
        wait_until(lambda: drops(box, "media_no_flow") == no_flow + 1, 3, "RTCP port without flow")
    media = cdr_after(box, before)
    assert media["rtcp_mux"] and media["caller"]["packets"] == 41
    assert (media["caller"]["lost"], media["caller"]["reordered"]) == (0, 0)


def test_rtcp_goes_on_while_rtp_is_held(box):
    """Both on one port, the answer is sendonly: the caller may not talk, but report."""
    mux = scenario.sdp(PORT).rstrip("\n") + "\na=rtcp-mux\n"
    held = scenario.sdp(PORT, direction="sendonly").rstrip("\n") + "\na=rtcp-mux\n"
    with talking(box, silent_call(mux), answered_with(held)) as talk:
        before = drops(box, "media_inactive")
        talk.callee.stream(talk.core, 10, CALLEE_SSRC)
        arrived(talk.caller, CALLEE_SSRC, list(range(10)))
        talk.caller.stream(talk.access, 10, CALLER_SSRC, interval=0.002)
        talk.caller.send(rtcp_report(CALLER_SSRC), talk.access)
        wait_until(lambda: talk.callee.payloads() == [rtcp_report(CALLER_SSRC)], 3,
                   "RTCP and nothing else")
        wait_until(lambda: drops(box, "media_inactive") - before == 10, 3, "10 held packets")


def test_silence_of_one_side_is_told_once(make_box):
    box = make_box({"limits: {sip_rate: 5000": "media_silent_s: 2\n    limits: {sip_rate: 5000",
                    "trust: trusted": "trust: trusted\n    media_silent_s: 2"})
    with talking(box) as talk:
        talk.both_ways(10)
        talk.caller.stream(talk.access, 300, CALLER_SSRC, first=10)  # 6 s alone
        live = box.show("calls")["calls"][0]["media"][0]
        assert (live["caller"]["silences"], live["callee"]["silences"]) == (0, 1)
    media = cdr_after(box, 0)
    assert media["callee"]["silences"] == 1
    assert box.control.tail(200).count("media silent") >= 1
    assert "side=callee" in box.control.tail(200)
