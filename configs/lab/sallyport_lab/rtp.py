"""RTP for the lab: the sound file that SIPp streams, and an endpoint that checks each packet."""

import socket
import struct
import threading
import time

PCMA = 8
PTIME = 0.02
SAMPLES = 160  # 20 ms at 8 kHz


def write_tone(path):
    """A second of A-law for SIPp's rtp_stream, every 20 ms different from the last."""
    with open(path, "wb") as tone:
        for frame in range(50):
            tone.write(bytes((frame * 7 + i) & 0xff for i in range(SAMPLES)))


def packet(ssrc, sequence, payload_type=PCMA, payload=None):
    """One RTP packet of RFC 3550."""
    if payload is None:
        payload = bytes((sequence + i) & 0xff for i in range(SAMPLES))
    return struct.pack("!BBHII", 0x80, payload_type, sequence & 0xffff,
                       sequence * SAMPLES & 0xffffffff, ssrc) + payload


def receiver_report(ssrc):
    """An empty RTCP receiver report."""
    return struct.pack("!BBHI", 0x80, 201, 1, ssrc)


class Endpoint:
    """One UDP socket in a peer's namespace with a thread that keeps what arrives."""

    def __init__(self, peer, address, port=0):
        self.address = address
        self.socket = peer.enter(self._open, address, port)
        self.port = self.socket.getsockname()[1]
        self.received = []  # (time, source, bytes)
        self._stop = False
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    @staticmethod
    def _open(address, port):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp.bind((address, port))
        udp.settimeout(0.1)
        return udp

    def _receive(self):
        while not self._stop:
            try:
                data, source = self.socket.recvfrom(65535)
            except socket.timeout:
                continue
            except OSError:
                return
            self.received.append((time.monotonic(), source[:2], data))

    def send(self, data, to):
        self.socket.sendto(data, to)

    def stream(self, to, count, ssrc, first=0, interval=PTIME):
        """Send so many RTP packets at their pace."""
        begin = time.monotonic()
        for i in range(count):
            time.sleep(max(0, begin + i * interval - time.monotonic()))
            self.send(packet(ssrc, first + i), to)

    def sequences(self, ssrc):
        """Sequence numbers received of one SSRC, in order of arrival."""
        return [struct.unpack("!H", data[2:4])[0] for _, _, data in list(self.received)
                if len(data) >= 12 and data[8:12] == struct.pack("!I", ssrc)]

    def payloads(self):
        return [data for _, _, data in list(self.received)]

    def sources(self):
        return {source for _, source, _ in list(self.received)}

    def close(self):
        self._stop = True
        self._thread.join()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
