#!/usr/bin/python3
"""A VLAN interface of a lab peer: vlan.py INTERFACE NAME NUMBER

Makes a TAP interface NAME; what is sent on it leaves INTERFACE with the tag, what INTERFACE
receives with the tag arrives on it. Done here and not by the kernel's 802.1Q module because
many small kernels have none, and because it is a second opinion on what the box puts on the wire.
"""

import fcntl
import os
import selectors
import socket
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
SOL_PACKET, PACKET_AUXDATA = 263, 8
ETH_P_ALL, ETH_P_8021Q = 3, 0x8100
PACKET_OUTGOING = 4
TP_STATUS_VLAN_VALID = 1 << 4
AUXDATA = struct.Struct("=IIIHHHH")  # status, len, snaplen, mac, net, vlan_tci, vlan_tpid
FRAME_MAX = 65535


def open_tap(name):
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def open_wire(name):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    wire.bind((name, ETH_P_ALL))
    wire.setblocking(False)
    return wire


def tag_of(ancillary):
    """VLAN number that the kernel took off the frame; None when there was none."""
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tci, _ = AUXDATA.unpack(data[:AUXDATA.size])
            if status & TP_STATUS_VLAN_VALID:
                return tci & 0xfff
    return None


def from_wire(wire, tap, number):
    try:
        frame, ancillary, _, source = wire.recvmsg(FRAME_MAX, 256)
    except BlockingIOError:
        return
    if source[2] == PACKET_OUTGOING or tag_of(ancillary) != number:
        return
    try:
        os.write(tap, frame)
    except OSError:
        pass  # not up yet


def from_tap(wire, tap, number):
    try:
        frame = os.read(tap, FRAME_MAX)
        wire.send(frame[:12] + struct.pack("!HH", ETH_P_8021Q, number) + frame[12:])
    except OSError:
        pass  # nothing there, or the other end is down


def main():
    interface, name, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    tap, wire = open_tap(name), open_wire(interface)
    with selectors.DefaultSelector() as ready:
        ready.register(tap, selectors.EVENT_READ, from_tap)
        ready.register(wire, selectors.EVENT_READ, from_wire)
        while True:
            for key, _ in ready.select():
                key.data(wire, tap, number)


if __name__ == "__main__":
    main()
