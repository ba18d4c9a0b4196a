"""A SIP user agent by hand, for flows of several dialogs: it sends what it is told, answers what it
is told, and keeps the state of each dialog."""

import itertools
import os
import re
import time

from sallyport_lab.sipp import header
from sockets import Phone

_numbers = itertools.count(1)
SDP = ("v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} RTP/AVP 8\r\n"
       "a=rtpmap:8 PCMA/8000\r\n")


def uri_of(value):
    found = re.search(r"<([^>]*)>", value)
    return found.group(1) if found else value.split(";")[0]


def tag_of(value):
    found = re.search(r";tag=([^;\s]+)", value)
    return found.group(1) if found else ""


class Dialog:
    """One dialog of an agent. `remote` is the far side's name-addr without its tag."""

    def __init__(self, agent, call_id, tag, local, remote, target):
        self.agent, self.call_id, self.tag = agent, call_id, tag
        self.local, self.remote, self.target = local, remote, target
        self.remote_tag, self.cseq, self.branch = "", 0, ""

    def learn(self, response):
        self.remote_tag = tag_of(header(response, "To"))
        if header(response, "Contact"):
            self.target = uri_of(header(response, "Contact"))
        return response

    def request(self, method, body="", kind="application/sdp", cseq=None, branch=None, **headers):
        """Send one; returns its CSeq number. branch: of the INVITE, for its CANCEL and the ACK to
        a failure."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        self.branch = branch or f"z9hG4bKagent{os.getpid()}x{next(_numbers):05}"
        own = f"{self.agent.address}:{self.agent.port}"
        lines = [f"{method} {self.target} SIP/2.0",
                 f"Via: SIP/2.0/UDP {own};branch={self.branch};rport",
                 f"From: {self.local};tag={self.tag}",
                 f"To: {self.remote}" + (f";tag={self.remote_tag}" if self.remote_tag else ""),
                 f"Call-ID: {self.call_id}", f"CSeq: {cseq} {method}",
                 f"Contact: <sip:agent@{own}>", "Max-Forwards: 70"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Type: {kind}")
        lines.append(f"Content-Length: {len(body)}")
        self.agent.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), self.agent.box)
        return cseq

    def name(self):
        """For Replaces: whoever takes our place at the far end."""
        return f"{self.call_id};to-tag={self.remote_tag};from-tag={self.tag}"


class Agent(Phone):
    """At an address of a peer; `box` is where it sends to."""

    def __init__(self, peer, address, box, port=5060):
        super().__init__(peer, address, port)
        self.box = (box, 5060)
        self.taken = set()  # numbers of the messages that somebody waited for

    def wait(self, start, seconds=5):
        """The first message that begins so and was not waited for yet."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for i in range(len(self.received)):
                text = self.received[i][2].decode("utf-8", "replace").replace("\r\n", "\n")
                if i not in self.taken and text.startswith(start):
                    self.taken.add(i)
                    return text
            time.sleep(0.01)
        raise AssertionError(f"no {start!r} at {self.address}:{self.port}; got "
                             f"{[data[:40] for data in self.payloads()]}")

    def dialog(self, user, name="agent"):
        """A dialog to be made with this user, by way of the box."""
        own, number = f"{self.address}:{self.port}", next(_numbers)
        return Dialog(self, f"agent-{os.getpid()}-{number:05}@{own}", f"agenttag{number:05}",
                      f"<sip:{name}@{own}>", f"<sip:{user}@{self.box[0]}>",
                      f"sip:{user}@{self.box[0]}")

    def accepted(self, request):
        """The dialog that this request makes here."""
        dialog = Dialog(self, header(request, "Call-ID"), f"agenttag{next(_numbers):05}",
                        header(request, "To"), header(request, "From").split(";tag=")[0],
                        uri_of(header(request, "Contact")))
        dialog.remote_tag = tag_of(header(request, "From"))
        return dialog

    def answer(self, request, status, dialog=None, body="", kind="application/sdp", **headers):
        """Respond to a request as it was received."""
        to = header(request, "To")
        if dialog is not None and ";tag=" not in to:
            to += f";tag={dialog.tag}"
        # Of each proxy on the way one.
        path = re.findall(r"^(?:Via|Record-Route):.*$", request, re.MULTILINE)
        lines = [f"SIP/2.0 {status} As told", *path, f"From: {header(request, 'From')}", f"To: {to}",
                 f"Call-ID: {header(request, 'Call-ID')}", f"CSeq: {header(request, 'CSeq')}",
                 f"Contact: <sip:agent@{self.address}:{self.port}>", "Server: Agent-by-hand",
                 f"Warning: 399 {self.address} \"at {self.address}\""]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Type: {kind}")
        lines.append(f"Content-Length: {len(body)}")
        self.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), self.box)

    def sdp(self, port=40000):
        return SDP.format(self.address, port)

    def call(self, user, callee, **headers):
        """A call to an agent on the other side, answered; returns (ours, theirs, INVITE there)."""
        ours = self.dialog(user)
        number = ours.request("INVITE", self.sdp(), **headers)
        invite = callee.wait("INVITE")
        theirs = callee.accepted(invite)
        callee.answer(invite, 200, theirs, callee.sdp(50000))
        ours.learn(self.wait("SIP/2.0 200"))
        ours.request("ACK", cseq=number)
        callee.wait("ACK")
        return ours, theirs, invite

    def hang_up(self, dialog, other):
        """BYE, answered by the agent on the other side."""
        dialog.request("BYE")
        other.answer(other.wait("BYE"), 200)
        self.wait("SIP/2.0 200")
