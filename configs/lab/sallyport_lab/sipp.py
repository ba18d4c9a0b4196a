"""SIPp as caller or callee, what it counted, and the messages that it got."""

import csv
import itertools
import os
import re
import signal
import socket
from dataclasses import dataclass

from .process import wait_until
from .rtp import write_tone

_numbers = itertools.count()

# SIPp's cumulative columns that we read.
_COLUMNS = {"created": "TotalCallCreated", "current": "CurrentCall",
            "succeeded": "SuccessfulCall(C)", "failed": "FailedCall(C)",
            "retransmissions": "Retransmissions(C)", "unexpected": "FailedUnexpectedMessage(C)",
            "dead": "DeadCallMsgs(C)", "out_of_call": "OutOfCallMsgs(C)"}


@dataclass(frozen=True)
class Counts:
    """Calls as SIPp itself saw them."""
    created: int = 0
    current: int = 0
    succeeded: int = 0
    failed: int = 0
    retransmissions: int = 0
    unexpected: int = 0
    dead: int = 0
    out_of_call: int = 0


def media_of(message):
    """(address, port) where an SDP body wants its audio."""
    address = re.search(r"^c=IN IP[46] (\S+)", message, re.MULTILINE).group(1)
    return address, int(re.search(r"^m=audio (\d+)", message, re.MULTILINE).group(1))


def header(message, name):
    """Value of a header line, "" if there is none."""
    found = re.search(rf"^{name}\s*:\s*(.*)$", message, re.MULTILINE | re.IGNORECASE)
    return found.group(1).strip() if found else ""


class Sipp:
    """One SIPp process in a peer's namespace.

    With `to` it calls (rate calls a second, `calls` in all), without it answers. Its RTP streams
    use the peer's ports from media_port up.
    """

    def __init__(self, lab, peer, scenario, *, to=None, calls=None, rate=10, limit=None,
                 address=None, port=5060, media_port=20000, service="1000", trace=False,
                 times=False, arguments=()):
        name = "caller" if to else "callee"
        self.base = lab.path(f"{next(_numbers)}-{name}")
        self.peer, self.calls = peer, calls
        address = address or peer.address
        self.address, self.port, self.scenario = address, port, scenario
        with open(self.base + ".xml", "w", encoding="ascii") as xml:
            xml.write(scenario)
        tone = lab.path("tone.al")
        if not os.path.exists(tone):
            write_tone(tone)
        command = ["sipp", "-sf", self.base + ".xml", "-i", address, "-p", str(port),
                   "-mi", address, "-mp", str(media_port), "-nostdin",
                   "-trace_stat", "-stf", self.base + ".csv", "-fd", "1",
                   "-trace_err", "-error_file", self.base + ".errors",
                   "-rtp_threadtasks", "100", "-default_behaviors", "none"]
        if trace or os.environ.get("SALLYPORT_TRACE"):
            command += ["-trace_msg", "-message_file", self.base + ".messages"]
        if times:
            command += ["-trace_shortmsg", "-shortmessage_file", self.base + ".times"]
        if to:
            command += [to, "-s", service, "-r", str(rate), "-l", str(limit or calls)]
        if calls:
            command += ["-m", str(calls)]
        self.process = peer.start(name, command + list(arguments), self.base + ".log", cwd=lab.dir)
        if not to:
            wait_until(lambda: self._listening(port), 5, "SIPp to listen")

    def _listening(self, port):
        self.assert_alive()
        needle = f":{port:04X} "
        for table in ("udp", "udp6"):
            with open(f"/proc/{self.process.pid}/net/{table}", encoding="ascii") as lines:
                if any(needle in line for line in lines):
                    return True
        return False

    def assert_alive(self):
        """SIPp exits at once when it cannot read its scenario or bind."""
        if self.process.status() not in (None, 0, 1):
            raise AssertionError(f"sipp ended: {self.process.status()}\n{self.process.tail()}")

    def counts(self):
        try:
            with open(self.base + ".csv", encoding="ascii", newline="") as text:
                rows = list(csv.DictReader(text, delimiter=";"))
        except FileNotFoundError:
            rows = []
        # The row being written may be short.
        rows = [row for row in rows if row.get(_COLUMNS["out_of_call"]) not in (None, "")]
        if not rows:
            return Counts()
        return Counts(**{name: int(rows[-1][column]) for name, column in _COLUMNS.items()})

    def wait(self, seconds):
        """Until its calls are over; returns the counts."""
        self.process.wait(seconds)
        return self.counts()

    def settle(self, calls, seconds=15):
        """A callee: until it saw so many calls and none is left; returns the counts."""
        def over():
            self.assert_alive()
            now = self.counts()
            return now if now.created >= calls and now.current == 0 else None
        return wait_until(over, seconds, f"the callee's {calls} calls to end: {self.counts()}")

    def stop(self):
        """End it: politely (it finishes its calls), then not. Returns the counts."""
        self.process.signal(signal.SIGUSR1)
        try:
            self.process.wait(3)
        except Exception:  # pylint: disable=broad-except
            self.process.kill()
        return self.counts()

    def hang_up(self):
        """A caller's answered calls go on from scenario.until_told() (trace=True): each gets a
        message that its peer never sent, and that does not pass the box. Others hang up by
        themselves."""
        if 'request="HANGUP"' not in self.scenario:
            return
        answers = {header(message, "Call-ID"): message for message in self.received("SIP/2.0 200")
                   if header(message, "CSeq").endswith("INVITE")}
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        with self.peer.enter(socket.socket, family, socket.SOCK_DGRAM) as udp:
            for call_id, answer in answers.items():
                text = (f"HANGUP sip:test SIP/2.0\r\nVia: {header(answer, 'Via')}\r\n"
                        f"From: {header(answer, 'To')}\r\nTo: {header(answer, 'From')}\r\n"
                        f"Call-ID: {call_id}\r\nCSeq: 1 HANGUP\r\nContent-Length: 0\r\n\r\n")
                udp.sendto(text.encode(), (self.address, self.port))

    def received(self, start=""):
        """The messages that it received (trace=True), those that begin so, in order."""
        try:
            with open(self.base + ".messages", encoding="utf-8", errors="replace") as text:
                blocks = re.split(r"^-{40,} .*$", text.read(), flags=re.MULTILINE)
        except FileNotFoundError:
            return []
        pattern = re.compile(r"UDP message received \[\d+\] bytes :\s*(.*)", re.DOTALL)
        found = [match.group(1) for match in map(pattern.search, blocks) if match]
        return [message.replace("\r\n", "\n") for message in found if message.startswith(start)]

    def wait_received(self, start, count=1, seconds=10):
        """Until it received so many of these; returns the last of them."""
        def there():
            self.assert_alive()
            messages = self.received(start)
            return messages[-1] if len(messages) >= count else None
        return wait_until(there, seconds, f"{count} x {start!r} at {self.process.name}")

    def set_up_times(self):
        """ms from the first INVITE to the first 200, one a call that was answered (times=True). By
        the times at which SIPp sent and received: its own statistics count in ticks of 4 ms."""
        sent, answered = {}, {}
        with open(self.base + ".times", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                _, _, when, way, call, cseq, start = line.split("\t", 6)
                if (way, cseq) == ("S", "CSeq:1 INVITE"):
                    sent.setdefault(call, float(when))
                elif way == "R" and cseq == "CSeq:1 INVITE" and start.startswith("SIP/2.0 200"):
                    answered.setdefault(call, float(when))
        return [1000 * (when - sent[call]) for call, when in answered.items()]

    def errors(self):
        """What SIPp wrote about unexpected messages."""
        try:
            with open(self.base + ".errors", encoding="utf-8", errors="replace") as text:
                return text.read()
        except FileNotFoundError:
            return ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
