"""RTP and RTCP through the box, packet by packet: what is relayed, and what must not be."""

import contextlib
import time

import pytest

from sallyport_lab import Endpoint, Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, ACCESS_WRONG, CORE, CORE_BOX
from sallyport_lab.rtp import packet, receiver_report
from sallyport_lab.sipp import media_of

CALLER_SSRC, CALLEE_SSRC, STRANGER_SSRC = 0x11111111, 0x22222222, 0x66666666
PORT = 45000  # where both peers' SDP wants its audio


class Talk:
    """One answered call: both peers' sockets, and the box's media address on either side."""

    def __init__(self, box, phones, server, sockets):
        self.box, self.phones, self.server = box, phones, server
        self.caller, self.callee, self.caller_rtcp, self.callee_rtcp = sockets
        self.access = media_of(phones.wait_received("SIP/2.0 200"))
        self.core = media_of(server.wait_received("INVITE"))

    def both_ways(self, count=10, first=0):
        """Packets each way, all of which arrive unchanged and in order."""
        self.caller.stream(self.access, count, CALLER_SSRC, first)
        self.callee.stream(self.core, count, CALLEE_SSRC, first)
        expected = list(range(first, first + count))
        arrived(self.callee, CALLER_SSRC, expected)
        arrived(self.caller, CALLEE_SSRC, expected)


def arrived(endpoint, ssrc, expected):
    wait_until(lambda: endpoint.sequences(ssrc)[-len(expected):] == expected, 3,
               f"packets {expected[0]}..{expected[-1]}, got {endpoint.sequences(ssrc)}")


def nothing_arrives(endpoint, ssrc, seconds=0.3):
    time.sleep(seconds)
    assert endpoint.sequences(ssrc) == []


def silent_call(offer=None):
    """A caller whose RTP is the test's, until the test tells it to hang up."""
    return scenario.build(
        "caller", scenario.invite(offer or scenario.sdp(PORT)), scenario.progress(),
        scenario.receive(200), scenario.ack(), scenario.until_told(), scenario.bye(),
        scenario.receive(200))


def silent_answer():
    return scenario.build(
        "callee", scenario.request("INVITE"),
        scenario.answer(200, "OK", scenario.sdp(PORT), final_invite=True),
        scenario.request("ACK"), scenario.request("BYE"), scenario.answer(200, "OK", tag=False))


@contextlib.contextmanager
def talking(box, caller=None, callee=None, access=None, core=None):
    """An answered call with sockets at both ends. access, core: the peers' sides; IPv4 if not
    said. The box with both families sends calls to users with a 6 to IPv6."""
    lab = box.lab
    access, core = access or lab.side("access"), core or lab.side("core")
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(Endpoint(side.peer, side.address, port))
                   for port in (PORT, PORT + 1) for side in (access, core)]
        server = stack.enter_context(Sipp(lab, core.peer, callee or silent_answer(),
                                          address=core.address, trace=True))
        phones = stack.enter_context(Sipp(lab, access.peer, caller or silent_call(),
                                          to=access.sip(), calls=1, address=access.address,
                                          service=f"{core.family}000", trace=True))
        yield Talk(box, phones, server, sockets)
        phones.hang_up()
        assert phones.wait(20).succeeded == 1, phones.errors()


def drops(box, reason):
    return box.drops().get(reason, 0)


def test_every_packet_unchanged(box):
    with talking(box) as talk:
        talk.both_ways(50)
        sent = [packet(CALLER_SSRC, i) for i in range(50)]
        assert talk.callee.payloads() == sent
        assert talk.caller.payloads() == [packet(CALLEE_SSRC, i) for i in range(50)]
        # What arrives comes from the address that the box's SDP names: phones check that.
        assert talk.callee.sources() == {talk.core}
        assert talk.caller.sources() == {talk.access}
        assert talk.access[0] == ACCESS_BOX and talk.core[0] == CORE_BOX


def test_rtcp_both_ways(box):
    with talking(box) as talk:
        talk.both_ways()
        talk.caller_rtcp.send(receiver_report(CALLER_SSRC), (talk.access[0], talk.access[1] + 1))
        talk.callee_rtcp.send(receiver_report(CALLEE_SSRC), (talk.core[0], talk.core[1] + 1))
        wait_until(lambda: talk.callee_rtcp.payloads() == [receiver_report(CALLER_SSRC)], 3,
                   "RTCP at the callee")
        wait_until(lambda: talk.caller_rtcp.payloads() == [receiver_report(CALLEE_SSRC)], 3,
                   "RTCP at the caller")
        assert talk.callee_rtcp.sources() == {(talk.core[0], talk.core[1] + 1)}


def test_wrong_address_is_dropped_and_counted(box):
    with talking(box) as talk, Endpoint(box.lab.access, ACCESS_WRONG, PORT) as stranger:
        before = drops(box, "media_source")
        stranger.stream(talk.access, 20, STRANGER_SSRC, interval=0.002)  # before the caller talks
        talk.both_ways()
        stranger.stream(talk.access, 20, STRANGER_SSRC, first=20, interval=0.002)
        talk.both_ways(first=10)
        nothing_arrives(talk.callee, STRANGER_SSRC)
        wait_until(lambda: drops(box, "media_source") - before == 40, 3,
                   "40 packets counted as media_source")
        assert stranger.payloads() == [], "the stranger got the call's media"


def test_wrong_port_is_dropped_and_counted(box):
    """Same host, another port than the one that was signalled."""
    with talking(box) as talk, Endpoint(box.lab.access, ACCESS, PORT + 100) as stranger:
        talk.both_ways()
        before = drops(box, "media_source") + drops(box, "media_locked")
        stranger.stream(talk.access, 20, STRANGER_SSRC, interval=0.002)
        talk.both_ways(first=10)
        nothing_arrives(talk.callee, STRANGER_SSRC)
        wait_until(
            lambda: drops(box, "media_source") + drops(box, "media_locked") - before == 20, 3,
            "20 packets counted")
        assert stranger.payloads() == []


def test_caller_behind_nat(box):
    """SDP names a private address: media is learned from where the signalling came from."""
    hidden = scenario.sdp(PORT).replace("IN IP[media_ip_type] [media_ip]", "IN IP4 10.9.9.9")
    with talking(box, caller=silent_call(hidden)) as talk, \
            Endpoint(box.lab.access, ACCESS_WRONG, PORT) as stranger:
        stranger.stream(talk.access, 5, STRANGER_SSRC, interval=0.002)
        talk.caller.stream(talk.access, 10, CALLER_SSRC)
        arrived(talk.callee, CALLER_SSRC, list(range(10)))
        talk.callee.stream(talk.core, 10, CALLEE_SSRC)
        arrived(talk.caller, CALLEE_SSRC, list(range(10)))
        nothing_arrives(talk.callee, STRANGER_SSRC)
        assert stranger.payloads() == []


def hold_and_resume(box, hold=None, held=None, **sides):
    """The caller holds, by sendonly if not said: its music passes, the callee's voice does not, until
    resume. hold, held: the SDP of the caller and the callee. Returns the call's Talk."""
    hold = hold or scenario.sdp(PORT, direction="sendonly", version=2)
    caller = scenario.build(
        "caller", scenario.invite(scenario.sdp(PORT)), scenario.progress(), scenario.receive(200),
        scenario.ack(), scenario.pause(1500),
        scenario.invite(hold, cseq=2, inside=True), scenario.receive(100, optional=True),
        scenario.receive(200), scenario.ack(cseq=2), scenario.pause(2500),
        scenario.invite(scenario.sdp(PORT, version=3), cseq=3, inside=True),
        scenario.receive(100, optional=True), scenario.receive(200), scenario.ack(cseq=3),
        scenario.until_told(), scenario.bye(cseq=4), scenario.receive(200))
    held = held or scenario.sdp(PORT, direction="recvonly", version=2)
    callee = scenario.build(
        "callee", scenario.request("INVITE"),
        scenario.answer(200, "OK", scenario.sdp(PORT), final_invite=True), scenario.request("ACK"),
        scenario.request("INVITE"),
        scenario.answer(200, "OK", held, final_invite=True, tag=False), scenario.request("ACK"),
        scenario.request("INVITE"),
        scenario.answer(200, "OK", scenario.sdp(PORT, version=3), final_invite=True, tag=False),
        scenario.request("ACK"), scenario.request("BYE"),
        scenario.answer(200, "OK", tag=False))
    with talking(box, caller, callee, **sides) as talk:
        talk.both_ways()
        talk.server.wait_received("ACK", 2)
        time.sleep(0.2)  # the ACK is the last message, the flows changed before it
        before = drops(box, "media_inactive")
        talk.caller.stream(talk.access, 10, CALLER_SSRC, first=10)
        arrived(talk.callee, CALLER_SSRC, list(range(10, 20)))
        talk.callee.stream(talk.core, 10, CALLEE_SSRC, first=10)
        wait_until(lambda: drops(box, "media_inactive") - before == 10, 3,
                   "10 held packets to be counted")
        assert talk.caller.sequences(CALLEE_SSRC) == list(range(10))
        talk.server.wait_received("ACK", 3)
        time.sleep(0.2)
        talk.both_ways(first=20)
    return talk


def test_hold_stops_the_held_direction(box):
    hold_and_resume(box)


def test_no_call_no_media(box):
    """A media port without a call answers nothing and forwards nothing."""
    with Endpoint(box.lab.access, ACCESS) as phone:
        before = drops(box, "media_no_flow")
        for port in range(20000, 20020):
            phone.send(packet(CALLER_SSRC, 1), (ACCESS_BOX, port))
        wait_until(lambda: drops(box, "media_no_flow") - before == 20, 3, "20 packets counted")
        assert phone.payloads() == []


MALFORMED = {
    "empty": b"", "one byte": b"\x80", "version 0": b"\x00" * 40, "version 3": b"\xc0" + b"\0" * 40,
    "short header": packet(1, 1)[:11], "csrc beyond the end": b"\x8f" + packet(1, 1)[1:20],
    "extension beyond the end": b"\x90" + packet(1, 1)[1:12] + b"\xbe\xde\xff\xff" + b"\0" * 40,
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_rtp_is_dropped(box, kind):
    with talking(box) as talk:
        talk.both_ways()
        before, got = box.drops(), len(talk.callee.payloads())
        for _ in range(5):
            talk.caller.send(MALFORMED[kind], talk.access)
        talk.both_ways(first=10)
        now = box.drops()
        assert sum(now.values()) - sum(before.values()) == 5, (before, now)
        assert len(talk.callee.payloads()) - got == 10
        assert CORE not in {source[0] for source in talk.caller.sources()}
