"""What crosses the box: every packet of SIP on both sides while a test runs, and nothing of one
side in what the other gets: no address, no host name, no Call-ID, tag or branch."""

import re
import socket

from sallyport_lab.capture import Capture
from sallyport_lab.net import (ACCESS, ACCESS6, ACCESS6_BOX, ACCESS6_WRONG, ACCESS_BOX, ACCESS_WRONG,
                               CORE, CORE6, CORE6_BOX, CORE_BOX)

ADDRESSES = {"access": (ACCESS, ACCESS_BOX, ACCESS_WRONG, ACCESS6, ACCESS6_BOX, ACCESS6_WRONG),
             "core": (CORE, CORE_BOX, CORE6, CORE6_BOX)}
# What names a dialog or transaction; both the peer's and the box's names on that side.
NAMES = [re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in (
    r"^(?:Call-ID|i)[ \t]*:[ \t]*(\S+)", r";tag=([^\s;,>]+)", r";branch=([^\s;,>]+)")]
# Host names and programs that only the peer's own messages have.
WORDS = [re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in (
    r"sips?:(?:[^\s@>;,]+@)?([a-z][\w.-]*\.[a-z][\w-]+)",
    r"^(?:User-Agent|Server|Organization)[ \t]*:[ \t]*(.+?)\s*$")]
SHORTEST = 6  # a shorter word may stand anywhere
SIP_PORTS = range(5060, 5100)


def payload(frame):
    """The bytes of SIP over UDP in an Ethernet frame, or None."""
    kind, at = frame[12:14], 14
    if kind == b"\x81\x00":
        kind, at = frame[16:18], 18
    if kind == b"\x08\x00":
        protocol, udp = frame[at + 9], at + (frame[at] & 15) * 4
    elif kind == b"\x86\xdd":
        protocol, udp = frame[at + 6], at + 40
    else:
        return None
    if protocol != socket.IPPROTO_UDP:
        return None
    ports = {int.from_bytes(frame[udp:udp + 2], "big"), int.from_bytes(frame[udp + 2:udp + 4], "big")}
    length = int.from_bytes(frame[udp + 4:udp + 6], "big")
    return frame[udp + 8:udp + length] if any(port in SIP_PORTS for port in ports) else None


def found(patterns, messages):
    words = set()
    for message in messages:
        for pattern in patterns:
            words.update(match.group(1) for match in pattern.finditer(message))
    return {word for word in words if len(word) >= SHORTEST}


class Topology:
    """Watches while the block runs; its end fails the test where something got through."""

    def __init__(self, lab):
        self.captures = {
            (side, outgoing): Capture(getattr(lab, side), outgoing=outgoing)
            for side in ("access", "core") for outgoing in (False, True)}

    def messages(self, side, outgoing):
        """What this side sent, or got."""
        payloads = map(payload, list(self.captures[side, outgoing].frames))
        return [data.decode("utf-8", "replace") for data in payloads if data]

    def secrets(self, side):
        """What the other side must not see of this one."""
        sent, got = self.messages(side, True), self.messages(side, False)
        return set(ADDRESSES[side]) | found(NAMES, sent + got) | found(WORDS, sent)

    def leaks(self):
        """(side that got it, word, message) of everything that got through."""
        result = []
        for side, other in (("access", "core"), ("core", "access")):
            secrets = self.secrets(other)
            for message in self.messages(side, False):
                result += [(side, word, message) for word in secrets if word in message]
        return result

    def close(self):
        for capture in self.captures.values():
            capture.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close()
        leaks = self.leaks()
        if kind is None and leaks:
            side, word, message = leaks[0]
            raise AssertionError(f"{len(leaks)} leaks; {word!r} reached {side} in\n{message}")
