"""What crosses the box: every packet of SIP on both sides while a test runs, and nothing of one
side in what the other gets: no address, no host name, no Call-ID, tag or branch."""

import re
import socket
import struct

from sallyport_lab.capture import Capture
from sallyport_lab.net import (ACCESS, ACCESS6, ACCESS6_BOX, ACCESS6_WRONG, ACCESS_BOX, ACCESS_WRONG,
                               CORE, CORE6, CORE6_BOX, CORE_BOX)

ADDRESSES = {"access": (ACCESS, ACCESS_BOX, ACCESS_WRONG, ACCESS6, ACCESS6_BOX, ACCESS6_WRONG),
             "core": (CORE, CORE_BOX, CORE6, CORE6_BOX)}
# A packet is of the side whose address of the box it has: by one wire may go two sides.
SIDE = {ACCESS_BOX: "access", ACCESS6_BOX: "access", CORE_BOX: "core", CORE6_BOX: "core"}
# What names a dialog, transaction or place of media; both the peer's and the box's names on that side.
NAMES = [re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in (
    r"^(?:Call-ID|i)[ \t]*:[ \t]*(\S+)", r";tag=([^\s;,>]+)", r";branch=([^\s;,>]+)",
    r"^[oc]=(?:.* )?IN IP[46] (\S+)")]
# Addresses, host names and programs that only the peer's own messages have.
WORDS = [re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in (
    r"sips?:(?:[^\s@>;,]+@)?([a-z][\w.-]*\.[a-z][\w-]+)(?=[\s:;>,?\"]|$)",
    r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?![\w.])",
    r"^(?:User-Agent|Server|Organization)[ \t]*:[ \t]*(.+?)\s*$")]
# A mirror sends the box's own product back.
OF_NOBODY = {"0.0.0.0", "127.0.0.1", "Sallyport"}
SHORTEST = 6  # a shorter word may stand anywhere
NUMERIC = re.compile(r"[\d.]+|[\da-f:]*:[\da-f:]*", re.IGNORECASE)
# Digest is from end to end. The registrar's realm is seen by whoever registers; the core sees in
# credentials whom they asked.
AUTH = {"access": r"realm", "core": r"realm|uri"}
AUTH = {side: re.compile(rf"(?<=[\s,])({names})=\"[^\"]*\"", re.IGNORECASE)
        for side, names in AUTH.items()}
AUTH_LINE = re.compile(r"^(?:(?:Proxy-)?Authorization|(?:WWW|Proxy)-Authenticate)[ \t]*:.*$",
                       re.IGNORECASE | re.MULTILINE)
SIP_PORTS = range(5060, 5100)
# Later fragments have no ports.
_SIP = "udp portrange 5060-5099 or ip[6:2] & 0x1fff != 0 or ip6[6] = 44"
FILTER = f"{_SIP} or (vlan and ({_SIP}))"


class Datagrams:
    """UDP out of Ethernet frames, fragments put together."""

    def __init__(self):
        self._pieces = {}

    def take(self, frame):
        """(source, destination, bytes of the UDP datagram) that this frame completes, or None."""
        kind, at = frame[12:14], 14
        if kind == b"\x81\x00":
            kind, at = frame[16:18], 18
        if kind == b"\x08\x00":
            return self._ip4(frame[at:])
        if kind == b"\x86\xdd":
            return self._ip6(frame[at:])
        return None

    def _ip4(self, ip):
        length, ident, place = struct.unpack("!HHH", ip[2:8])
        ends = tuple(socket.inet_ntop(socket.AF_INET, ip[i:i + 4]) for i in (12, 16))
        data = ip[(ip[0] & 15) * 4:length]
        if ip[9] != socket.IPPROTO_UDP:
            return None
        return self._piece(ends, ident, (place & 0x1fff) * 8, bool(place & 0x2000), data)

    def _ip6(self, ip):
        ends = tuple(socket.inet_ntop(socket.AF_INET6, ip[i:i + 16]) for i in (8, 24))
        data = ip[40:40 + int.from_bytes(ip[4:6], "big")]
        if ip[6] == socket.IPPROTO_UDP:
            return (*ends, data)
        if ip[6] != socket.IPPROTO_FRAGMENT or data[0] != socket.IPPROTO_UDP:
            return None
        place, ident = struct.unpack("!HI", data[2:8])
        return self._piece(ends, ident, place & 0xfff8, bool(place & 1), data[8:])

    def _piece(self, ends, ident, at, more, data):
        """What comes doubled or overlaps counts once: it is looked for words only."""
        if at == 0 and not more:
            return (*ends, data)
        have = self._pieces.setdefault((ends, ident), {})
        have[at] = (data, more)
        whole, end = b"", False
        while len(whole) in have and not end:
            data, more = have[len(whole)]
            whole, end = whole + data, not more
            if not data:
                break
        if not end:
            return None
        del self._pieces[ends, ident]
        return (*ends, whole)


def sip_of(datagram):
    """The bytes of SIP in a UDP datagram, or None."""
    if len(datagram) < 8:
        return None
    source, destination, length = struct.unpack("!HHH", datagram[:6])
    return datagram[8:length] if source in SIP_PORTS or destination in SIP_PORTS else None


def found(patterns, message):
    words = {match.group(1) for pattern in patterns for match in pattern.finditer(message)}
    return {word for word in words if len(word) >= SHORTEST} - OF_NOBODY


class Words:
    """Words to be found anywhere in a text, many at once."""

    def __init__(self, words):
        self._by_start = {}
        for word in words:
            self._by_start.setdefault(word[:SHORTEST], []).append(word)

    @staticmethod
    def _stands(word, text, at):
        """As itself: an address is not the beginning or end of another."""
        before, after = text[at - 1:at], text[at + len(word):at + len(word) + 1]
        return not NUMERIC.fullmatch(word) or not (
            before.isalnum() or before == "." or after.isalnum())

    def within(self, text):
        return {word for at in range(len(text) - SHORTEST + 1)
                for word in self._by_start.get(text[at:at + SHORTEST], ())
                if text.startswith(word, at) and self._stands(word, text, at)}


class Topology:
    """Watches while the block runs; its end fails the test where something got through.
    names=False: addresses alone."""

    def __init__(self, lab, names=True):
        self.names = names
        self.captures = [Capture(peer, outgoing=None, only=FILTER)
                         for peer in (lab.access, lab.core)]

    def _datagrams(self):
        """(time, source, destination, text of SIP) in the order of their times."""
        result = []
        for capture in self.captures:
            datagrams = Datagrams()
            for at_ns, frame in zip(capture.times_ns, capture.frames):
                taken = datagrams.take(frame)
                data = sip_of(taken[2]) if taken else None
                if data:
                    result.append((at_ns, taken[0], taken[1], data.decode("utf-8", "replace")))
        return sorted(result)

    def leaks(self):
        """(side that got it, word, message) of everything that got through."""
        got = {side: [] for side in ADDRESSES}
        secrets = {side: set(addresses) for side, addresses in ADDRESSES.items()}
        said = {}  # by whom first: a word that it got first is not its own
        for _, source, destination, text in self._datagrams():
            if source in SIDE:
                side, peer = SIDE[source], destination
                got[side].append(text)
            elif destination in SIDE:
                side, peer = SIDE[destination], source
                for word in found(WORDS, text) if self.names else ():
                    said.setdefault(word, side)
            else:
                continue
            secrets[side] |= {peer} | (found(NAMES, text) if self.names else set())
        for word, side in said.items():
            secrets[side].add(word)
        result = []
        for side, other in (("access", "core"), ("core", "access")):
            words = Words(secrets[other])
            for message in got[side]:
                read = AUTH_LINE.sub(lambda line, s=side: AUTH[s].sub("", line.group()), message)
                result += [(side, word, message) for word in words.within(read)]
        return result

    def close(self):
        for capture in self.captures:
            capture.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close()
        if kind is not None:
            return
        missed = sum(capture.missed for capture in self.captures)
        leaks = self.leaks()
        of_each = {(side, word): message for side, word, message in reversed(leaks)}
        assert not leaks, f"{len(leaks)} leaks:\n" + "\n".join(
            f"{word!r} reached {side} in\n{message}"
            for (side, word), message in list(of_each.items())[-5:])
        assert missed == 0, f"{missed} packets were not looked at for leaks"
