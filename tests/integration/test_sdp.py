"""What becomes of SDP: hold without an attribute, fax in the place of speech, codec policies,
several streams, SRTP."""

import re

from sallyport_lab import Endpoint, Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, CORE
from sallyport_lab.rtp import packet
from sallyport_lab.sipp import header
from test_calls import TO_BOX, no_calls_left
from test_media import CALLER_SSRC, PORT, hold_and_resume, talking
from test_media_quality import answered_with

FAX = """v=0
o=lab 1 2 IN IP[media_ip_type] [media_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=image {port} udptl t38
a=T38FaxVersion:0
a=T38MaxBitRate:14400
a=T38FaxRateManagement:transferredTCF
a=T38FaxMaxDatagram:400
a=T38FaxUdpEC:t38UDPRedundancy
"""
# An IFP packet with an indicator, and sequence numbers: not RTP at all (ITU-T T.38).
FAX_PACKETS = [bytes((0, number, 1, 6, 0, 0)) for number in range(20)]


def directions(messages):
    """The a= line that says who may send, of each message with SDP."""
    found = [re.findall(r"^a=(sendrecv|sendonly|recvonly|inactive)$", message, re.MULTILINE)
             for message in messages]
    return [lines[0] for lines in found if lines]


def versions(messages):
    """(session id, version) of the o= line of each message with SDP."""
    found = [re.search(r"^o=- (\d+) (\d+) ", message, re.MULTILINE) for message in messages]
    return [(match.group(1), int(match.group(2))) for match in found if match]


def test_hold_by_address(box):
    """A phone of RFC 2543 holds by c=0.0.0.0, and one that knows no directions either answers. Music
    still passes, the held voice does not, and both are told what holds in words."""
    hold = scenario.sdp(PORT, version=2).replace("c=IN IP[media_ip_type] [media_ip]",
                                                 "c=IN IP4 0.0.0.0")
    hold = hold.replace("a=sendrecv\n", "")
    held = scenario.sdp(PORT, version=2).replace("a=sendrecv\n", "")
    talk = hold_and_resume(box, hold, held)
    offers, answers = talk.server.received("INVITE"), talk.phones.received("SIP/2.0 200")
    assert directions(offers) == ["sendrecv", "sendonly", "sendrecv"]
    assert directions(answers) == ["sendrecv", "recvonly", "sendrecv"]
    assert not any("0.0.0.0" in message for message in offers + answers)
    for messages in (offers, answers):
        ids = versions(messages)
        assert len({number for number, _ in ids}) == 1, ids
        assert [version for _, version in ids] == [1, 2, 3], ids
    no_calls_left(box)


def test_fax_in_place_of_speech(box):
    """The callee's machine answered a fax call: the caller changes the m= line to T.38."""
    caller = scenario.build(
        "caller", scenario.invite(scenario.sdp(PORT)), scenario.progress(), scenario.receive(200),
        scenario.ack(), scenario.pause(1000),
        scenario.invite(FAX.format(port=PORT), cseq=2, inside=True),
        scenario.receive(100, optional=True), scenario.receive(200), scenario.ack(cseq=2),
        scenario.until_told(), scenario.bye(cseq=3), scenario.receive(200))
    callee = scenario.build(
        "callee", scenario.request("INVITE"),
        scenario.answer(200, "OK", scenario.sdp(PORT), final_invite=True), scenario.request("ACK"),
        scenario.request("INVITE"),
        scenario.answer(200, "OK", FAX.format(port=PORT), final_invite=True, tag=False),
        scenario.request("ACK"), scenario.request("BYE"), scenario.answer(200, "OK", tag=False))
    with talking(box, caller, callee) as talk:
        talk.both_ways()
        talk.server.wait_received("ACK", 2)
        offer, answer = talk.server.received("INVITE")[1], talk.phones.received("SIP/2.0 200")[1]
        for message in (offer, answer):
            assert re.search(r"^m=image \d+ udptl t38$", message, re.MULTILINE), message
            assert "a=T38FaxUdpEC:t38UDPRedundancy" in message
        access = int(re.search(r"^m=image (\d+)", answer, re.MULTILINE).group(1))
        core = int(re.search(r"^m=image (\d+)", offer, re.MULTILINE).group(1))
        for number, packet in enumerate(FAX_PACKETS):
            talk.caller.send(packet, (talk.access[0], access))
            talk.callee.send(bytes(reversed(packet)), (talk.core[0], core))
            wait_until(lambda n=number: len(talk.callee.payloads()) == 11 + n
                       and len(talk.caller.payloads()) == 11 + n, 3, "the fax packet")
        assert talk.callee.payloads()[10:] == FAX_PACKETS
        assert talk.caller.payloads()[10:] == [bytes(reversed(packet)) for packet in FAX_PACKETS]
    no_calls_left(box)


POLICIES = {
    "trust: trusted": "trust: trusted\n    policy: carrier",
    "ops:\n": "policies:\n"
               "  - name: carrier\n"
               "    codecs: {deny: [G729], order: [PCMA, PCMU]}\n"
               "ops:\n",
}


def audio(message):
    """Payload types of the first m= line."""
    return re.search(r"^m=audio \d+ RTP/AVP (.*)$", message, re.MULTILINE).group(1)


def test_codec_policy(make_box):
    """The carrier is offered what its policy has, in its order; what it refuses is refused."""
    box = make_box(POLICIES)
    lab = box.lab
    offer = scenario.sdp(PORT, codecs="18 0 9 8 101") + "a=fmtp:18 annexb=no\n"
    caller = scenario.build(
        "caller", scenario.invite(offer), scenario.progress(), scenario.receive(200),
        scenario.ack(), scenario.until_told(), scenario.bye(), scenario.receive(200))
    with talking(box, caller) as talk:
        invite = talk.server.received("INVITE")[0]
        assert audio(invite) == "8 0 9 101", invite
        assert "a=fmtp:18" not in invite and "a=rtpmap:101 telephone-event/8000" in invite
        assert audio(talk.phones.received("SIP/2.0 200")[0]) == "8 101"
        talk.both_ways()
        assert talk.callee.sequences(CALLER_SSRC) == list(range(10))
        assert talk.access[0] == ACCESS_BOX
    only = scenario.build("caller", scenario.invite(scenario.sdp(PORT, codecs="18")),
                          scenario.progress(), scenario.receive(488), scenario.ack_failure())
    with Sipp(lab, lab.access, only, to=TO_BOX, calls=1) as phones:
        assert phones.wait(10).succeeded == 1, phones.errors()
    no_calls_left(box)


def lines_of(message):
    """(media, port, transport) of each m= line."""
    found = re.findall(r"^m=(\S+) (\d+) (\S+)", message, re.MULTILINE)
    return [(media, int(port), transport) for media, port, transport in found]


def calls_with(offer):
    return scenario.build("caller", scenario.invite(offer), scenario.progress(),
                          scenario.receive(200), scenario.ack(), scenario.until_told(),
                          scenario.bye(), scenario.receive(200))


SECOND = ("m=video {video} RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 profile-level-id=42e01f\n"
          "m=audio {third} RTP/AVP 0\na=rtpmap:0 PCMU/8000\n")
VIDEO_SSRC = 0x33333333


def test_several_streams(box):
    """Speech, a picture, and a line that the callee refuses: each of the two has its own way, in
    order; where the third one was, nothing passes."""
    offer = scenario.sdp(PORT) + SECOND.format(video=PORT + 10, third=PORT + 20)
    reply = scenario.sdp(PORT) + SECOND.format(video=PORT + 10, third=0)
    with talking(box, calls_with(offer), answered_with(reply)) as talk, \
            Endpoint(box.lab.access, ACCESS, PORT + 10) as screen, \
            Endpoint(box.lab.core, CORE, PORT + 10) as camera:
        there = lines_of(talk.server.received("INVITE")[0])
        here = lines_of(talk.phones.received("SIP/2.0 200")[0])
        for lines in (there, here):
            assert [media for media, _, _ in lines] == ["audio", "video", "audio"]
        assert len({port for _, port, _ in there}) == 3 and all(p % 2 == 0 for _, p, _ in there)
        assert here[2][1] == 0 and 0 < here[0][1] != here[1][1] > 0
        for message in (talk.server.received("INVITE")[0], talk.phones.received("SIP/2.0 200")[0]):
            assert "a=fmtp:96 profile-level-id=42e01f" in message
        picture = [packet(VIDEO_SSRC, i, 96) for i in range(20)]
        talk.both_ways(20)
        for data in picture:
            screen.send(data, (talk.access[0], here[1][1]))
            camera.send(data, (talk.core[0], there[1][1]))
            talk.callee.send(data, (talk.core[0], there[2][1]))  # refused
        wait_until(lambda: camera.payloads() == screen.payloads() == picture, 3, "the picture")
        assert talk.caller.sequences(VIDEO_SSRC) == talk.callee.sequences(VIDEO_SSRC) == []
    wait_until(lambda: box.show("stats")["media_ports_used"] == 0, 5, "the ports of all three")


KEYS = {"caller": "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
        "callee": "inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj"}
CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 {}\n"
SECURE = {
    "trust: trusted": "trust: trusted\n    policy: secure",
    "    nat: auto\n": "    nat: auto\n    policy: secure\n",
    "ops:\n": "policies:\n  - {name: secure, srtp: pass}\nops:\n",
}


def secured(side):
    return scenario.sdp(PORT).replace("RTP/AVP", "RTP/SAVP") + CRYPTO.format(KEYS[side])


def test_srtp_passes_by_policy(make_box):
    """Where both sides allow it: keys cross unchanged, packets too, whatever is in them."""
    with talking(make_box(SECURE), calls_with(secured("caller")),
                 answered_with(secured("callee"))) as talk:
        for message, key in ((talk.server.received("INVITE")[0], KEYS["caller"]),
                             (talk.phones.received("SIP/2.0 200")[0], KEYS["callee"])):
            assert lines_of(message)[0][2] == "RTP/SAVP"
            assert f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 {key}\n" in message
        sealed = [packet(CALLER_SSRC, i) + bytes(10) for i in range(10)]  # with their tags
        for data in sealed:
            talk.caller.send(data, talk.access)
        wait_until(lambda: talk.callee.payloads() == sealed, 3, "SRTP at the callee")


def test_srtp_is_refused(box):
    """Alone: 488, and the callee hears nothing. Beside a line in the clear: that one is the call,
    and no key goes over."""
    lab = box.lab
    alone = scenario.build("caller", scenario.invite(secured("caller")), scenario.progress(),
                           scenario.receive(488), scenario.ack_failure())
    with Sipp(lab, lab.core, answered_with(scenario.sdp(PORT)), trace=True) as server, \
            Sipp(lab, lab.access, alone, to=TO_BOX, calls=1) as phones:
        assert phones.wait(10).succeeded == 1, phones.errors()
        assert not server.received()
    secure = secured("caller")
    both = scenario.sdp(PORT) + secure[secure.index("m="):].replace(str(PORT), str(PORT + 10))
    reply = scenario.sdp(PORT) + "m=audio 0 RTP/SAVP 8\n"
    with talking(box, calls_with(both), answered_with(reply)) as talk:
        there = lines_of(talk.server.received("INVITE")[0])
        here = lines_of(talk.phones.received("SIP/2.0 200")[0])
        assert there[1] == here[1] == ("audio", 0, "RTP/SAVP")
        assert "crypto" not in talk.server.received("INVITE")[0]
        talk.both_ways()


def in_parts(message, *parts):
    """Its SDP, beside other parts (headers, text), in a multipart/mixed."""
    others = "".join(f"\n--b1\n{headers}\n{text}" for headers, text in parts)
    head, sdp = message.split("\nv=0", 1)
    sdp, tail = sdp.rsplit("]]>", 1)
    head = head.replace("Content-Type: application/sdp",
                        "Content-Type: multipart/mixed;boundary=b1\nMIME-Version: 1.0")
    return (f"{head}\n--b1\nContent-Type: application/sdp\n\nv=0{sdp}{others}\n--b1--\n"
            f"]]>{tail}")


TEA = ("Content-Type: text/plain\n", "tea")
ISUP = "Content-Type: application/isup\nContent-Disposition: signal;handling={}\n"


def test_multipart(box):
    """A gateway's INVITE and 200 of several parts: SDP is the call's, text goes on, what is optional
    and unknown stays behind."""
    more = (ISUP.format("optional"), "none of yours")
    caller = scenario.build(
        "caller", in_parts(scenario.invite(), TEA, more), scenario.progress(),
        scenario.receive(200), scenario.ack(), scenario.stream(), scenario.pause(500),
        scenario.stream_stop(), scenario.pause(300), scenario.bye(), scenario.receive(200))
    callee = scenario.build(
        "callee", scenario.request("INVITE"),
        in_parts(scenario.answer(200, "OK", scenario.sdp(), final_invite=True), TEA, more),
        scenario.request("ACK"), scenario.stream(), scenario.request("BYE"),
        scenario.answer(200, "OK", tag=False))
    lab, cdrs = box.lab, len(box.cdrs())
    with Sipp(lab, lab.core, callee, trace=True) as server, \
            Sipp(lab, lab.access, caller, to=TO_BOX, calls=3, trace=True) as phones:
        placed = phones.wait(15)
        assert (placed.succeeded, placed.failed) == (3, 0), phones.errors()
        told = server.received("INVITE") + phones.received("SIP/2.0 200")
        told = [message for message in told if header(message, "CSeq").endswith("INVITE")]
        assert len(told) == 6
        for message in told:
            kind, _, boundary = header(message, "Content-Type").partition(";boundary=")
            parts = message.replace("\r", "").split(f"--{boundary}")
            assert kind == "multipart/mixed" and len(parts) == 4 and "b1" not in boundary, message
            assert parts[1].startswith("\nContent-Type: application/sdp\n\nv=0\n")
            assert parts[2] == "\nContent-Type: text/plain\n\ntea\n"
            assert ACCESS not in parts[1] and CORE not in parts[1]
        wait_until(lambda: len(box.cdrs()) == cdrs + 3, 5, "the call records")
    no_calls_left(box)


def test_multipart_refused(box):
    """A part that must be understood and is not of the realm's `bodies`."""
    caller = scenario.build(
        "caller", in_parts(scenario.invite(), (ISUP.format("required"), "01 02")),
        scenario.receive(100, optional=True), scenario.receive(415), scenario.ack_failure())
    lab = box.lab
    with Sipp(lab, lab.access, caller, to=TO_BOX, calls=3, trace=True) as phones:
        placed = phones.wait(15)
        assert (placed.succeeded, placed.failed) == (3, 0), phones.errors()
        assert all(header(message, "Accept") == "application/sdp, multipart/mixed"
                   for message in phones.received("SIP/2.0 415"))
    no_calls_left(box)
