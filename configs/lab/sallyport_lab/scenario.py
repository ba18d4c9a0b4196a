"""SIPp scenarios from short lists of steps, so that a test reads like a call flow."""

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{}">\n'

# A caller's and a callee's headers. [next_url], [peer_tag_param] and the tags are SIPp's.
_REQUEST = """{method} {uri} SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:alice@[local_ip]:[local_port]>;tag=a[pid]x[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>{to_tag}
Call-ID: [call_id]
CSeq: {cseq} {cseq_method}
Contact: <sip:alice@[local_ip]:[local_port]>
Max-Forwards: 70
"""
_RESPONSE = """SIP/2.0 {status} {reason}
[last_Via:]
[last_From:]
[last_To:]{to_tag}
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:bob@[local_ip]:[local_port]>
"""
# A request of the callee inside the dialog that the caller opened.
_CALLEE_REQUEST = """{method} [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: [$callee]
To: [$caller]
[last_Call-ID:]
CSeq: {cseq} {method}
Contact: <sip:bob@[local_ip]:[local_port]>
Max-Forwards: 70
"""
# Of an INVITE, its CANCEL and the ACK to a failure (RFC 3261 sections 9.1 and 17.1.1.3).
_SAME_BRANCH = "branch=z9hG4bK-invite-[pid]-[call_number]-{cseq}"
STREAM = "[rtpstream_audio_port]"  # the port of this call's rtp_stream


def sdp(port=STREAM, direction="sendrecv", version=1, codecs="8 101"):
    """An audio offer or answer, G.711 A-law and telephone events."""
    return f"""v=0
o=lab 1 {version} IN IP[media_ip_type] [media_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio {port} RTP/AVP {codecs}
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=ptime:20
a={direction}
"""


def _message(text, body, retrans):
    head = text + ("Content-Type: application/sdp\n" if body else "") + "Content-Length: [len]\n"
    again = ' retrans="500"' if retrans else ""
    return f"<send{again}><![CDATA[\n{head}\n{body or ''}]]></send>\n"


def _branched(text, cseq):
    return text.replace("branch=[branch]", _SAME_BRANCH.format(cseq=cseq))


def invite(body=None, cseq=1, inside=False):
    """INVITE; inside=True: a re-INVITE of the caller. body="": without an offer."""
    text = _REQUEST.format(
        method="INVITE", cseq=cseq, cseq_method="INVITE",
        uri="[next_url]" if inside else "sip:[service]@[remote_ip]:[remote_port]",
        to_tag="[peer_tag_param]" if inside else "")
    return _message(_branched(text, cseq), sdp() if body is None else body, True)


def ack(cseq=1, body=None):
    """ACK to a 2xx."""
    return _message(_REQUEST.format(method="ACK", uri="[next_url]", to_tag="[peer_tag_param]",
                                    cseq=cseq, cseq_method="ACK"), body, False)


def inside(method, cseq, body=None):
    """Another request of the caller in its dialog."""
    return _message(_REQUEST.format(method=method, uri="[next_url]", to_tag="[peer_tag_param]",
                                    cseq=cseq, cseq_method=method), body, True)


def extra(message, *lines):
    """The same message with more header lines."""
    return message.replace("Content-", "".join(f"{line}\n" for line in lines) + "Content-", 1)


def ack_failure(cseq=1):
    """ACK to a 3xx-6xx: of the INVITE's own transaction."""
    text = _REQUEST.format(method="ACK", uri="sip:[service]@[remote_ip]:[remote_port]",
                           to_tag="[peer_tag_param]", cseq=cseq, cseq_method="ACK")
    return _message(_branched(text, cseq), None, False)


def cancel():
    """CANCEL of the INVITE."""
    text = _REQUEST.format(method="CANCEL", uri="sip:[service]@[remote_ip]:[remote_port]",
                           to_tag="", cseq=1, cseq_method="CANCEL")
    return _message(_branched(text, 1), None, True)


def bye(cseq=2):
    """The caller hangs up."""
    return _message(_REQUEST.format(method="BYE", uri="[next_url]", to_tag="[peer_tag_param]",
                                    cseq=cseq, cseq_method="BYE"), None, True)


def _typed(text, body):
    """With these lines of text as its body."""
    head = text + ("Content-Type: text/plain\n" if body else "") + "Content-Length: [len]\n"
    return f'<send retrans="500"><![CDATA[\n{head}\n{body}]]></send>\n'


def other(method, cseq=1, inside=False, headers="", body=""):
    """Any other request of the caller; inside=True: in its dialog. headers: whole lines."""
    text = _REQUEST.format(method=method, cseq=cseq, cseq_method=method,
                           uri="[next_url]" if inside else "sip:[service]@[remote_ip]:[remote_port]",
                           to_tag="[peer_tag_param]" if inside else "")
    return _typed(text + headers, body)


def callee_other(method, cseq=1, headers="", body=""):
    """Any other request of the callee in the dialog; needs remember_dialog()."""
    return _typed(_CALLEE_REQUEST.format(method=method, cseq=cseq) + headers, body)


def options():
    """OPTIONS outside any dialog."""
    return _message(_REQUEST.format(method="OPTIONS", uri="sip:[remote_ip]:[remote_port]",
                                    to_tag="", cseq=1, cseq_method="OPTIONS"), None, True)


def answer(status, reason, body=None, final_invite=False, tag=True, headers=""):
    """A response; final_invite=True repeats it until the ACK comes. tag: add ours to To.
    headers: whole lines."""
    return _message(_RESPONSE.format(
        status=status, reason=reason,
        to_tag=";tag=b[pid]x[call_number]" if tag else "") + headers, body, final_invite)


def remember_number():
    """Receive the INVITE and keep the number that it calls, for pause_for_number()."""
    return ('<recv request="INVITE" rrs="true"><action>'
            '<ereg regexp="sip:([0-9]+)@" search_in="msg" assign_to="uri,number"/>'
            '<todouble assign_to="number_ms" variable="number"/>'
            '</action></recv>\n<Reference variables="uri"/>\n')


def remember_dialog(method="INVITE"):
    """Receive the INVITE and keep its From and To for requests of the callee."""
    return (f'<recv request="{method}" rrs="true"><action>'
            '<ereg regexp=".*" search_in="hdr" header="From:" assign_to="caller"/>'
            '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>'
            '<assignstr assign_to="callee" value="[$to];tag=b[pid]x[call_number]"/>'
            "</action></recv>\n")


def remember_invite():
    """Receive the INVITE and keep what answer_invite() needs, whatever comes in between."""
    names = (("Via:", "via"), ("From:", "from"), ("To:", "to"), ("CSeq:", "cseq"))
    return ('<recv request="INVITE" rrs="true"><action>' + "".join(
        f'<ereg regexp=".*" search_in="hdr" header="{name}" assign_to="{variable}"/>'
        for name, variable in names) + "</action></recv>\n")


def answer_invite(status, reason, body=None, tag="b", final=False):
    """A response to that INVITE; another tag is another fork."""
    text = f"""SIP/2.0 {status} {reason}
Via: [$via]
From: [$from]
To: [$to];tag={tag}[pid]x[call_number]
[last_Call-ID:]
CSeq: [$cseq]
Contact: <sip:bob@[local_ip]:[local_port]>
"""
    return _message(text, body, final)


def remember_cseq():
    """Receive the INVITE and keep its CSeq for the 487 after CANCEL."""
    return ('<recv request="INVITE" rrs="true"><action>'
            '<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cseq"/>'
            "</action></recv>\n")


def callee_bye(cseq=1):
    """The callee hangs up; needs remember_dialog()."""
    return _message(_CALLEE_REQUEST.format(method="BYE", cseq=cseq), None, True)


def receive(status, optional=False, timeout_ms=None):
    """A response."""
    return f'<recv response="{status}" rrs="true"{_flags(optional, timeout_ms)}/>\n'


def request(method, optional=False, timeout_ms=None):
    """A request."""
    return f'<recv request="{method}" rrs="true"{_flags(optional, timeout_ms)}/>\n'


def _flags(optional, timeout_ms):
    return (' optional="true"' if optional else "") + (
        f' timeout="{timeout_ms}"' if timeout_ms else "")


def pause(milliseconds):
    return f'<pause milliseconds="{milliseconds}"/>\n'


def until_told():
    """Until the test says Sipp.hang_up()."""
    return request("HANGUP")


def pause_for_number():
    """As many milliseconds as the number that remember_number() kept."""
    return '<pause variable="number_ms"/>\n'


def stream():
    """Begin to send RTP, G.711 A-law, 20 ms a packet."""
    return '<nop><action><exec rtp_stream="tone.al,-1,8"/></action></nop>\n'


def stream_stop():
    return '<nop><action><exec rtp_stream="pause"/></action></nop>\n'


def linger(milliseconds=4000):
    """Answer late repetitions."""
    return f'<timewait milliseconds="{milliseconds}"/>\n'


def progress():
    """What may come before the answer."""
    return receive(100, optional=True) + receive(180, optional=True) + receive(183, optional=True)


def build(name, *steps):
    return HEAD.format(name) + "".join(steps) + "</scenario>\n"


# Whole call flows, caller and callee in pairs.


def talk_and_hang_up(talk_ms, linger_ms=0, quiet_ms=500, rtp=True, settle_ms=0):
    """Caller: two-way RTP for so long. The sound stops a moment before BYE, so that what is
    still on its way is not counted as lost; the callee's stops by itself. settle_ms: wait so
    long before the end of the call, where messages get lost and are repeated."""
    return build("caller", invite(), progress(), receive(200), ack(),
                 stream() if rtp else "", pause(talk_ms), stream_stop() if rtp else "",
                 pause(quiet_ms + settle_ms), bye(), receive(200),
                 linger(linger_ms) if linger_ms else "")


def answer_and_talk(talk_ms, ring_ms=0, linger_ms=0, rtp=True):
    """Callee of talk_and_hang_up()."""
    return build("callee", request("INVITE"), answer(180, "Ringing"),
                 pause(ring_ms) if ring_ms else "", answer(200, "OK", sdp(), final_invite=True),
                 request("ACK"), stream() if rtp else "", pause(talk_ms) if rtp else "",
                 stream_stop() if rtp else "", request("BYE"), answer(200, "OK", tag=False),
                 linger(linger_ms) if linger_ms else "")


def answer_by_number():
    """Callee of talk_and_hang_up(), who talks for as many milliseconds as the number says that
    was called (Sipp's service): one callee for long and short calls."""
    return build("callee", remember_number(), answer(180, "Ringing"),
                 answer(200, "OK", sdp(), final_invite=True), request("ACK"), stream(),
                 pause_for_number(), stream_stop(), request("BYE"), answer(200, "OK", tag=False))


def call_refused(status):
    """Caller of a call that is not answered."""
    return build("caller", invite(), progress(), receive(status), ack_failure())


def refuse(status, reason):
    """Callee that refuses."""
    return build("callee", request("INVITE"), answer(status, reason, final_invite=True),
                 request("ACK"))


def call_and_cancel(ring_ms=300):
    """Caller who gives up while it rings."""
    return build("caller", invite(), receive(100, optional=True), receive(180), pause(ring_ms),
                 cancel(), receive(200), receive(487), ack_failure())


def ring_until_cancelled():
    """Callee that only rings."""
    terminated = answer(487, "Request Terminated", final_invite=True)
    return build("callee", remember_cseq(), answer(180, "Ringing"), request("CANCEL"),
                 answer(200, "OK"), terminated.replace("[last_CSeq:]", "CSeq: [$cseq]"),
                 request("ACK"))


def call_until_callee_hangs_up(talk_ms):
    """Caller who waits for BYE."""
    return build("caller", invite(), progress(), receive(200), ack(), stream(), pause(talk_ms),
                 stream_stop(), request("BYE"), answer(200, "OK", tag=False))


def answer_and_hang_up(talk_ms, quiet_ms=500):
    """Callee who hangs up."""
    return build("callee", remember_dialog(), answer(200, "OK", sdp(), final_invite=True),
                 request("ACK"), stream(), pause(talk_ms), stream_stop(), pause(quiet_ms),
                 callee_bye(), receive(200))


def hold_and_resume(hold_ms):
    """Caller who holds the call by a re-INVITE (sendonly), then resumes it."""
    return build("caller", invite(), progress(), receive(200), ack(), pause(hold_ms),
                 invite(sdp(direction="sendonly", version=2), cseq=2, inside=True),
                 receive(100, optional=True), receive(200), ack(cseq=2), pause(hold_ms),
                 invite(sdp(version=3), cseq=3, inside=True),
                 receive(100, optional=True), receive(200), ack(cseq=3), pause(hold_ms),
                 bye(cseq=4), receive(200))


def be_held_and_resumed():
    """Callee of hold_and_resume()."""
    return build("callee", request("INVITE"), answer(200, "OK", sdp(), final_invite=True),
                 request("ACK"), request("INVITE"),
                 answer(200, "OK", sdp(direction="recvonly", version=2), final_invite=True,
                        tag=False), request("ACK"), request("INVITE"),
                 answer(200, "OK", sdp(version=3), final_invite=True, tag=False),
                 request("ACK"), request("BYE"), answer(200, "OK", tag=False))
