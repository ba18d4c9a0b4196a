"""deny_*, police_*: SIP over UDP into one worker core, from net_pcap ports."""

import ipaddress
import os
import socket
from dataclasses import dataclass

from . import testpmd
from .dataplane import Dataplane, Setup
from .frames import address_plus, pcap_write, port_mac, udp_frame
from .relay import MBUFS_FREE, V4
from .rows import Figure, Row
from .system import PACKET_BYTES, Failed, memory_mib

SIP_PORT = 5060
# A rate that no source reaches, so that each message works through every bucket.
RATE = 10_000_000
DENIED = 1_000_000  # sources, both ports together
INVITE_BYTES = 1100

SDP = """v=0\r
o=alice 2890844526 2890844526 IN IP4 {ip}\r
s=call\r
c=IN IP4 {ip}\r
t=0 0\r
m=audio 49170 RTP/AVP 8 0 18 101\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:18 G729/8000\r
a=fmtp:18 annexb=no\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-16\r
a=ptime:20\r
a=sendrecv\r
"""


def message(start, call, ip, method, to_tag="", body="", more="", contact=False):
    """One message of call number `call`, with the headers that RFC 3665 section 3.1 shows, and the
    User-Agent that telephones put into requests."""
    tag = f";tag={to_tag}" if to_tag else ""
    request = not start.startswith("SIP/")
    return (
        f"{start}\r\n"
        f"Via: SIP/2.0/UDP {ip}:5060;branch=z9hG4bK{call:08x}{method.lower()};rport\r\n"
        + ("Max-Forwards: 70\r\n" if request else "")
        + f"From: \"Alice\" <sip:alice{call}@example.com>;tag=f{call:x}\r\n"
        f"To: <sip:bob{call}@example.net>{tag}\r\n"
        f"Call-ID: {call:08x}-4c1f-9e27-3b8d@{ip}\r\n"
        f"CSeq: {2 if method == 'BYE' else 1} {method}\r\n"
        + (f"Contact: <sip:alice{call}@{ip}:5060>\r\n" if contact else "")
        + ("User-Agent: Telephone/4.2.1\r\n" if request else "")
        + more + ("Content-Type: application/sdp\r\n" if body else "")
        + f"Content-Length: {len(body)}\r\n\r\n{body}")


def invite(call, ip, local, length=INVITE_BYTES):
    """Filled up to its length as telephones do: with what they support."""
    more = ("Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK, NOTIFY, REFER\r\n"
            "Supported: replaces, timer, 100rel\r\nSession-Expires: 1800\r\nMin-SE: 90\r\n"
            "P-Asserted-Identity: <sip:alice@example.com>\r\nX-Trace: {}\r\n")
    start = f"INVITE sip:bob{call}@{local} SIP/2.0"
    text = message(start, call, ip, "INVITE", "", SDP.format(ip=ip), more.format(""), True)
    more = more.format("x" * max(length - len(text), 1))
    return message(start, call, ip, "INVITE", "", SDP.format(ip=ip), more, True)


def call_messages(call, ip, local):
    """The seven messages of a call, those that a caller sends and those that a callee does."""
    target, tag = f"sip:bob{call}@{local}", f"t{call:x}"
    yield invite(call, ip, local)
    yield message(f"ACK {target} SIP/2.0", call, ip, "ACK", tag)
    yield message(f"BYE {target} SIP/2.0", call, ip, "BYE", tag)
    yield message("SIP/2.0 100 Trying", call, ip, "INVITE")
    yield message("SIP/2.0 180 Ringing", call, ip, "INVITE", tag, contact=True)
    yield message("SIP/2.0 200 OK", call, ip, "INVITE", tag, SDP.format(ip=ip), contact=True)
    yield message("SIP/2.0 200 OK", call, ip, "BYE", tag)


MESSAGES_A_CALL = 7


@dataclass(frozen=True)
class SipLoad:
    name: str
    sources: int  # of each port
    whole_calls: bool  # else INVITEs only
    denied: bool = False

    def packets(self):
        return self.sources * (MESSAGES_A_CALL if self.whole_calls else 1)

    def mbufs(self):
        return 2 * self.packets() + MBUFS_FREE

    def memory_mib(self):
        return memory_mib(self.mbufs(), 160)

    def huge_mib(self):
        """Hugepages that are worth having."""
        return (self.mbufs() * PACKET_BYTES >> 20) + 512

    def frames(self, index):
        side = V4[index]
        local = ipaddress.ip_interface(side.local).ip
        for number in range(self.sources):
            source = address_plus(side.remote, number)
            ip = socket.inet_ntoa(source)
            messages = (call_messages(number, ip, local) if self.whole_calls
                        else (invite(number, ip, local),))
            for text in messages:
                yield udp_frame(port_mac(index), source, SIP_PORT, local.packed, SIP_PORT,
                                text.encode("ascii"))

    def pcaps(self, machine):
        paths = [machine.path(f"{self.name}-{index}.pcap") for index in range(2)]
        for index, path in enumerate(paths):
            if not os.path.exists(path):
                pcap_write(path, self.frames(index))
        return paths

    def setup(self, machine):
        loader = ["-n", "0", "-R", str(RATE), "-d"]
        if self.denied:
            loader += ["-D", str(self.sources)]
        return Setup(V4, tuple(testpmd.devices(self.pcaps(machine))), self.memory_mib(),
                     self.mbufs(), sources=4 * self.sources, loader=tuple(loader))

    def run(self, machine):
        with Dataplane(machine, self.setup(machine)) as box:
            result = box.load()
        machine.notes[self.name] = result
        return result


def rxonly(load):
    def measure(machine):
        return {"value": testpmd.measure(machine, load.pcaps(machine), "rxonly",
                                         load.memory_mib(), load.mbufs())}
    return Figure(f"testpmd rxonly, {load.name}", measure, load.huge_mib())


def deny(load):
    def measure(machine):
        result = load.run(machine)
        # The table is bounded: one in millions may find its set of 15 full of other denied ones.
        if result.sip_up > 1e-5 * result.rx or sum(result.drops.values()) < 0.99 * result.rx:
            raise Failed(f"of {result.rx} messages of denied sources {result.sip_up} passed: "
                         f"{result.dropped()}")
        return {"value": result.rx / result.cpu_s}
    return Figure(load.name, measure, load.huge_mib())


def police(load):
    def measure(machine):
        result = load.run(machine)
        # What the loader was too slow for is work too, but does not count.
        if result.sip_up < 0.95 * result.rx or result.rx == 0:
            raise Failed(f"of {result.rx} messages {result.sip_up} reached the ring: "
                         f"{result.dropped()}")
        return {"value": result.sip_up / result.cpu_s}
    return Figure(load.name, measure, load.huge_mib())


DENY = SipLoad("deny_sources", DENIED // 2, whole_calls=False, denied=True)
# Few enough to stay in a cache, since a card would have put them there at no cost of the core.
POLICE = SipLoad("police_sip", 100, whole_calls=True)

ROWS = [
    Row("deny_sources", "messages/s", deny(DENY), base=rxonly(DENY), base_name="testpmd rxonly",
        target=0.6),
    Row("police_sip", "messages/s", police(POLICE), base=rxonly(POLICE),
        base_name="testpmd rxonly", target=3_000_000, compare="least"),
]
