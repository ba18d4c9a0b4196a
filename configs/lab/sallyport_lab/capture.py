"""Frames as a peer gets them, headers and all."""

import ctypes
import socket
import struct
import threading
import time

from scapy.arch.common import compile_filter
from scapy.layers.inet import UDP
from scapy.layers.l2 import Ether

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33  # whatever the system's limit is
_OUTGOING = 4  # PACKET_OUTGOING
_ETHERNET = 1  # DLT_EN10MB
_SO_ATTACH_FILTER, _SO_TIMESTAMPNS = 26, 35
_SOL_PACKET, _STATISTICS = 263, 6
_BUFFER = 16 << 20
_DRAIN_S = 2


class Capture:
    """What arrives at one interface of a namespace while the block runs; outgoing=True: what
    leaves by it; None: both. only: a filter in tcpdump's language, applied by the kernel."""

    def __init__(self, peer, interface="eth0", outgoing=False, only=None):
        self.outgoing = outgoing
        self.socket = peer.enter(self._open, interface, only)
        self.frames, self.times_ns = [], []  # the kernel's times: one clock for all captures
        self.missed = 0  # frames that the buffer had no room for; known when it is closed
        self._end = None
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    @staticmethod
    def _open(interface, only):
        # Bound only when the filter is there: nothing else gets in.
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        packets.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _BUFFER)
        packets.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        if only is not None:
            program = compile_filter(only, linktype=_ETHERNET)
            packets.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack(
                "HL", program.bf_len, ctypes.addressof(program.bf_insns.contents)))
        packets.bind((interface, ETH_P_ALL))
        packets.settimeout(0.1)
        return packets

    def _receive(self):
        """Until it is closed, and what had come by then."""
        while self._end is None or time.monotonic() < self._end:
            last = self._end is not None
            try:
                data, extra, _, source = self.socket.recvmsg(65535, 64)
            except socket.timeout:
                if last:
                    return
                continue
            except OSError:
                return
            if self.outgoing is None or (source[2] == _OUTGOING) == self.outgoing:
                seconds, nanoseconds = struct.unpack("ll", extra[0][2])
                self.times_ns.append(seconds * 10**9 + nanoseconds)
                self.frames.append(data)

    def udp(self, port):
        """The packets to this UDP port, dissected."""
        packets = [Ether(frame) for frame in list(self.frames)]
        return [packet for packet in packets if UDP in packet and packet[UDP].dport == port]

    def close(self):
        self._end = time.monotonic() + _DRAIN_S
        self._thread.join()
        self.missed = struct.unpack(
            "II", self.socket.getsockopt(_SOL_PACKET, _STATISTICS, 8))[1]
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def checksum_is_right(packet):
    """Compute the UDP checksum anew: IPv6 demands one (RFC 8200 section 8.1)."""
    again = Ether(bytes(packet))
    del again[UDP].chksum
    return packet[UDP].chksum == Ether(bytes(again))[UDP].chksum
