"""Frames as a peer gets them, headers and all."""

import socket
import threading

from scapy.layers.inet import UDP
from scapy.layers.l2 import Ether

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33  # whatever the system's limit is
_OUTGOING = 4  # PACKET_OUTGOING


class Capture:
    """What arrives at one interface of a namespace while the block runs; outgoing=True: what
    leaves by it."""

    def __init__(self, peer, interface="eth0", outgoing=False):
        self.outgoing = outgoing
        self.socket = peer.enter(self._open, interface)
        self.frames = []
        self._stop = False
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    @staticmethod
    def _open(interface):
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        packets.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        packets.bind((interface, ETH_P_ALL))
        packets.settimeout(0.1)
        return packets

    def _receive(self):
        while not self._stop:
            try:
                data, source = self.socket.recvfrom(65535)
            except socket.timeout:
                continue
            except OSError:
                return
            if (source[2] == _OUTGOING) == self.outgoing:
                self.frames.append(data)

    def udp(self, port):
        """The packets to this UDP port, dissected."""
        packets = [Ether(frame) for frame in list(self.frames)]
        return [packet for packet in packets if UDP in packet and packet[UDP].dport == port]

    def close(self):
        self._stop = True
        self._thread.join()
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
