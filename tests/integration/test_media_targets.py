"""SDP that names an address to which no media may go (threats row 28): refused or held. Both
sides of each call send RTP and RTCP, and every place where a packet could come out is watched."""

import collections
import contextlib
import itertools
import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from sockets import Phone, sip_answer, sip_request, status_of

from sallyport_lab import Endpoint, LabError, both_families, wait_until
from sallyport_lab.capture import Capture
from sallyport_lab.net import (ACCESS, ACCESS6, ACCESS6_BOX, ACCESS_BOX, CORE, CORE6, CORE6_BOX,
                               CORE_BOX)
from sallyport_lab.rtp import packet, receiver_report
from sallyport_lab.sipp import header, media_of

PORT = 45000  # where all SDP wants its audio; RTCP is one above
HELD = ["0.0.0.0", "::", "::ffff:0.0.0.0"]
REFUSED = [
    "127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1",
    ACCESS_BOX, CORE_BOX, ACCESS6_BOX, CORE6_BOX, f"::ffff:{ACCESS_BOX}", f"::ffff:{CORE_BOX}",
    "224.0.0.1", "239.1.2.3", "ff02::1", "ff1e::66", "255.255.255.255", "240.0.0.1",
    "169.254.1.1", "fe80::2"]
# Peers of the other side. Named, they get nothing: there is no way to them, or nobody believes it.
BEYOND = {"access": [CORE, CORE6, f"::ffff:{CORE}"], "core": [ACCESS, ACCESS6, f"::ffff:{ACCESS}"]}
FAST = 0.002  # seconds between looks
ROUNDS = 5  # of packets from both sides of each call
_numbers = itertools.count(1000)


def sdp(address, rtcp=None):
    def on(at):
        return f"IN IP{6 if ':' in at else 4} {at}"
    lines = ["v=0", "o=hand 1 1 IN IP4 192.0.2.2", "s=-", f"c={on(address)}", "t=0 0",
             f"m=audio {PORT} RTP/AVP 8"]
    if rtcp:
        lines.append(f"a=rtcp:{PORT + 1} {on(rtcp)}")
    return "\r\n".join(lines) + "\r\n"


class Side:
    """One end of the calls: its socket for SIP, and in both families those for RTP and RTCP."""

    def __init__(self, stack, peer, address, box):
        self.address, self.to_box = address, (box, 5060)
        self.sip = stack.enter_context(Phone(peer, address, 5060))
        self.media = {(own, port): stack.enter_context(Endpoint(peer, own, port))
                      for own in (peer.address, peer.address6) for port in (PORT, PORT + 1)}

    def host(self):
        return f"[{self.address}]" if ":" in self.address else self.address

    def own(self, target):
        """Of its addresses the one in the family of the target."""
        return next(address for address, _ in self.media if (":" in address) == (":" in target))

    def feed(self, target, ssrc, sequence):
        address, port = target
        self.media[self.own(address), PORT].send(packet(ssrc, sequence), target)
        self.media[self.own(address), PORT + 1].send(receiver_report(ssrc), (address, port + 1))


class Call:
    """By hand, from a phone in `access` to the server in `core`. What the phone sends may only come
    out at the server, and the other way round; `held` says of which side no RTP may come out at
    all (RTCP may, RFC 3264 section 6.1), `whole` that all of it must."""

    def __init__(self, phone, server):
        self.phone, self.server = phone, server
        self.number = next(_numbers)
        self.at = {}  # where each side sends its media: the box's address and port there
        self.held, self.whole, self.answered = set(), False, False
        self.ssrc = {"access": 0x5a000000 + self.number, "core": 0x5b000000 + self.number}
        self.dialog = {"call_id": f"{self.number}-{time.monotonic_ns()}@hand",
                       "from": f"<sip:hand@{phone.host()}>;tag=h{self.number}",
                       "to": f"<sip:{self.number}@hand>"}
        self.cseq = 0

    def request(self, method, body="", branch=""):
        via = f"SIP/2.0/UDP {self.phone.host()}:5060;rport;branch=z9hG4bKhand{self.number}"
        more = {"content_type": "application/sdp"} if body else {}
        message = sip_request(
            method, uri=f"sip:{self.number}@{self.phone.host()}", cseq=f"{self.cseq} {method}",
            via=f"{via}x{self.cseq}{branch}", content_length=str(len(body)),
            contact=f"<sip:hand@{self.phone.host()}:5060>", **self.dialog, **more)
        self.phone.sip.send(message + body.encode(), self.phone.to_box)

    def invite(self, offer, answer):
        """Offer and answer, the first or new ones. Returns the final status."""
        self.cseq += 1
        since = len(self.phone.sip.received), len(self.server.sip.received)
        self.request("INVITE", offer)

        def final():
            return next(iter(self.phone.sip.messages(rb"SIP/2.0 [2-6]", since[0])), None)

        def arrived():
            return next(iter(self.server.sip.messages(b"INVITE ", since[1])), None)
        wait_until(lambda: final() or arrived(), 5, f"what becomes of\n{offer}", FAST)
        if not final():
            self.at["core"] = media_of(arrived().decode().replace("\r\n", "\n"))
            self.server.sip.send(sip_answer(arrived(), 200, "OK", f"sip:{CORE}:5060", answer),
                                 self.server.to_box)
        text = wait_until(final, 5, f"what becomes of\n{answer}", FAST).decode()
        text = text.replace("\r\n", "\n")
        status = status_of(text)
        if status == 200:
            self.at["access"] = media_of(text)
        if not self.answered:
            self.dialog["to"] = header(text, "To")
        # RFC 3261 section 17.1.1.3: the ACK of a refusal has the INVITE's branch.
        self.request("ACK", branch="a" if status == 200 else "")
        self.answered |= status == 200
        return status

    def feed(self, sequence):
        """Media from both sides, as far as they know where to."""
        for name, side in (("access", self.phone), ("core", self.server)):
            if name in self.at:
                side.feed(self.at[name], self.ssrc[name], sequence)

    def bye(self):
        if self.answered:
            self.cseq += 1
            self.request("BYE")


def answer_byes(server, calls):
    """Of the calls that the server has: ended by the box, or by BYE of the phone."""
    answered = set()

    def all_over():
        for message in server.sip.messages(b"BYE "):
            if message not in answered:
                server.sip.send(sip_answer(message, 200, "OK", f"sip:{CORE}:5060"), server.to_box)
                answered.add(message)
        return len(answered) >= sum("core" in call.at for call in calls)
    wait_until(all_over, 5, "the calls to end")


def in_offer(call, address):
    """The phone's offer names it."""
    status = call.invite(sdp(address), sdp(CORE))
    call.held = {"core"} if address in HELD else set()
    return status


def in_answer(call, address):
    """The server's answer names it; what a server names is believed."""
    call.held = {"access"}
    return call.invite(sdp(call.phone.address), sdp(address))


def in_new_offer(call, address):
    """A call that talks is asked to send there. Refused, it goes on as it was."""
    assert call.invite(sdp(call.phone.address), sdp(CORE)) == 200
    status = in_offer(call, address)
    call.whole = status == 488
    return status


def for_reports(call, address):
    """RTCP shall go there (RFC 3605), RTP to the phone: RTCP goes where RTP does, or nowhere."""
    call.whole = True
    assert call.invite(sdp(call.phone.address, rtcp=address), sdp(CORE)) == 200
    return None


WAYS = {in_offer: "access", in_answer: "core", in_new_offer: "access", for_reports: "access"}


@contextlib.contextmanager
def watching(lab):
    """Everything that comes out of the box: what the peers get, what goes to its own kernel by the
    twins, and its loopback. Gives a function: [(place, SSRC, address, port)] of what was sent."""
    with contextlib.ExitStack() as stack:
        places = {place: stack.enter_context(Capture(space, interface)) for place, space, interface
                  in (("access", lab.access, "eth0"), ("core", lab.core, "eth0"),
                      ("loopback", lab.box, "lo"), ("twin access", lab.box, "access"),
                      ("twin core", lab.box, "core"))}

        def seen():
            found = []
            for place, capture in places.items():
                for frame in map(Ether, list(capture.frames)):
                    ip = frame.getlayer(IP) or frame.getlayer(IPv6)
                    if ip is not None and UDP in frame:
                        data = bytes(frame[UDP].payload)
                        at = 4 if data[1:2] == b"\xc9" else 8  # RTCP, RTP
                        ssrc = int.from_bytes(data[at:at + 4], "big")
                        found.append((place, ssrc, ip.dst, frame[UDP].dport))
            return [row for row in found if row[1] >> 24 in (0x5a, 0x5b)]
        yield seen


def missing(calls, seen):
    """RTP that should have come out and did not: {SSRC: packets that came}."""
    came = collections.Counter(ssrc for _, ssrc, _, port in seen if port == PORT)
    return {f"{ssrc:x}": came[ssrc] for call in calls if call.whole for ssrc in call.ssrc.values()
            if came[ssrc] != ROUNDS}


def astray(calls, seen):
    """What came out where it may not."""
    allowed = {}
    for call in calls:
        for name, to, place in (("access", call.server, "core"), ("core", call.phone, "access")):
            allowed[call.ssrc[name]] = {(place, address, port) for address, port in to.media
                                        if port != PORT or name not in call.held}
    return [(place, f"{ssrc:x}", *to) for place, ssrc, *to in seen
            if (place, *to) not in allowed.get(ssrc, ())]


@pytest.mark.unwatched("each side names the other's addresses in its descriptions: that is the test")
@pytest.mark.parametrize("nat", ["auto", "never"])
def test_no_media_where_none_may_go(make_box, nat):
    """`nat: auto` believes an untrusted phone nothing, `never` everything."""
    box = make_box({**both_families(), "nat: auto": f"nat: {nat}"})
    lab = box.lab
    calls = []
    with contextlib.ExitStack() as stack:
        server = Side(stack, lab.core, CORE, CORE_BOX)
        phones = {family: Side(stack, lab.access, *addresses) for family, addresses in (
            (4, (ACCESS, ACCESS_BOX)), (6, (ACCESS6, ACCESS6_BOX)))}
        # One of each family that all is well with, so that silence means something.
        for phone in phones.values():
            calls.append(Call(phone, server))
            assert calls[-1].invite(sdp(phone.address), sdp(CORE)) == 200
            calls[-1].whole = True
        for way, side in WAYS.items():
            for address in HELD + REFUSED + BEYOND[side]:
                call = Call(phones[6 if ":" in address else 4], server)
                calls.append(call)
                status = way(call, address)
                expected = {200} if address in HELD else {488} if address in REFUSED else {200, 488}
                assert status is None or status in expected, f"{way.__name__} {address}: {status}"

        def relayed():
            calls[-1].feed(0)
            return server.media[CORE, PORT].sequences(calls[-1].ssrc["access"])
        wait_until(relayed, 5, "the flows of the last call, behind those of all others")
        with watching(lab) as seen:
            for sequence in range(1, ROUNDS + 1):
                for call in calls:
                    call.feed(sequence)
                time.sleep(0.05)
            with contextlib.suppress(LabError):
                wait_until(lambda: not missing(calls, seen()), 5, "the media of the good calls")
            time.sleep(0.3)
            assert not missing(calls, seen()) and not astray(calls, seen())
            print(f"nat: {nat}: {len(calls)} calls, {len(seen())} packets came out")
        for call in calls:
            call.bye()
        answer_byes(server, calls)
    wait_until(lambda: box.calls().active == 0, 5, "the calls to end")
