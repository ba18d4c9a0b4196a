"""Frames and pcap files. Checksums are right: the dataplane looks at them."""

import ipaddress
import os
import struct

PEER_MAC = bytes.fromhex("02000000aaaa")


def port_mac(index):
    """net_pcap's n-th device calls itself so."""
    return bytes.fromhex("0270636170") + bytes([index])


def checksum(data):
    """RFC 1071: the sum of 16-bit words modulo 65,535 is the number itself modulo 65,535."""
    if len(data) % 2:
        data += b"\0"
    return 0xFFFF - (int.from_bytes(data, "big") % 0xFFFF or 0xFFFF)


def udp_frame(mac, src, sport, dst, dport, payload, vlan=0):
    """@param src, dst: packed addresses, both of one family."""
    length = 8 + len(payload)
    if len(src) == 4:
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0, 64, 17, 0, src, dst)
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        ether_type = 0x0800
    else:
        ip = struct.pack("!IHBB16s16s", 6 << 28, length, 17, 64, src, dst)
        ether_type = 0x86DD
    head = struct.pack("!HHH", sport, dport, length)
    # The pseudo header of either family sums up to this.
    total = checksum(src + dst + struct.pack("!HH", 17, length) + head + payload)
    tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
    return (mac + PEER_MAC + tag + struct.pack("!H", ether_type) + ip + head +
            struct.pack("!H", total or 0xFFFF) + payload)


def rtp_payload(sequence, ssrc):
    """G.711, 20 ms: 12 bytes of RTP header and 160 of sound."""
    return struct.pack("!BBHII", 0x80, 0, sequence & 0xFFFF, 160 * sequence & 0xFFFFFFFF,
                       ssrc) + bytes([0xD5]) * 160


def address_plus(first, n):
    address = ipaddress.ip_address(first)
    return (address + n).packed


def pcap_write(path, frames):
    """@return packets written. The file is there whole or not at all."""
    count = 0
    with open(path + ".part", "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            out.write(struct.pack("<IIII", 0, count % 1000000, len(frame), len(frame)) + frame)
            count += 1
    os.rename(path + ".part", path)
    return count
