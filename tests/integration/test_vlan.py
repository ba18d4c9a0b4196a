"""Realms on VLANs: tagged sides, two realms on one port, and frames of no realm's VLAN."""

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw
from scapy.sendrecv import sendp
from test_media import talking

from sallyport_lab import Sipp, both_families, scenario, wait_until
from sallyport_lab.net import ACCESS, ACCESS6, ACCESS6_BOX, ACCESS_BOX, CORE_BOX

ACCESS_VLAN, CORE_VLAN, UNKNOWN_VLAN = 100, 200, 300
CALLS = 3
FAMILIES = [(4, 4), (6, 6), (4, 6)]


def changes(access=None, core=None, one_port=False):
    """VLANs of the realms; one_port: both realms on the port `access`."""
    edits = both_families()
    for realm, vlan in (("access", access), ("core", core)):
        if vlan is not None:
            port = "access" if one_port else realm
            edits[f"- name: {realm}\n    port: {realm}"] = (
                f"- name: {realm}\n    port: {port}\n    vlan: {vlan}")
    return edits


def calls_pass(box, access, core):
    """Calls with sound between these sides, all of it at the other end."""
    lab = box.lab
    before = lab.access.media(), lab.core.media()
    with Sipp(lab, lab.core, scenario.answer_and_talk(1000), address=core.address) as server:
        with Sipp(lab, lab.access, scenario.talk_and_hang_up(1000), to=access.sip(), calls=CALLS,
                  address=access.address, service=f"{core.family}000") as phones:
            placed = phones.wait(30)
        taken = server.settle(CALLS)
    errors = phones.errors() + server.errors()
    assert (placed.succeeded, placed.failed) == (CALLS, 0), errors
    assert (taken.succeeded, taken.failed) == (CALLS, 0), errors
    one, other = lab.access.media() - before[0], lab.core.media() - before[1]
    assert one.sent >= CALLS * 40 and other.sent >= CALLS * 40
    assert (other.received, one.received) == (one.sent, other.sent)


def all_families_pass(box):
    for access, core in FAMILIES:
        calls_pass(box, box.lab.side("access", access), box.lab.side("core", core))


def test_access_on_a_vlan(lab, make_box):
    lab.access.move_to_vlan(ACCESS_VLAN)
    all_families_pass(make_box(changes(access=ACCESS_VLAN)))


def test_core_on_a_vlan(lab, make_box):
    lab.core.move_to_vlan(CORE_VLAN)
    all_families_pass(make_box(changes(core=CORE_VLAN)))


def test_two_realms_on_one_port(lab, make_box):
    """Both sides come by one wire and differ by their tags only."""
    lab.access.move_to_vlan(ACCESS_VLAN)
    lab.core.move_to_vlan(CORE_VLAN, carrier=lab.access)
    box = make_box(changes(access=ACCESS_VLAN, core=CORE_VLAN, one_port=True))
    all_families_pass(box)
    with talking(box, access=lab.side("access", 6), core=lab.side("core", 4)) as talk:
        talk.both_ways()
        assert talk.callee.sources() == {talk.core}
        assert talk.caller.sources() == {talk.access}


def media_frames(mac, vlan, box):
    """Frames to a media port, IPv4 and IPv6, in one VLAN."""
    ether, udp = Ether(dst=mac, src="02:00:00:00:00:66"), UDP(sport=45000, dport=20000)
    return [ether / Dot1Q(vlan=vlan) / IP(src=ACCESS, dst=box[0]) / udp / Raw(b"x" * 40),
            ether / Dot1Q(vlan=vlan) / IPv6(src=ACCESS6, dst=box[1]) / udp / Raw(b"x" * 40)]


@pytest.mark.parametrize("vlan", [UNKNOWN_VLAN, 1, 4094])
def test_unknown_vlan_is_dropped_and_counted(lab, vlan_box, vlan):
    mac = next(port["mac"] for port in vlan_box.show("ports") if port["name"] == "access")
    before = vlan_box.drops()
    frames = media_frames(mac, vlan, (ACCESS_BOX, ACCESS6_BOX)) * 5
    lab.access.enter(lambda: sendp(frames, iface="eth0", verbose=False))
    wait_until(lambda: vlan_box.drops().get("eth_vlan", 0) - before.get("eth_vlan", 0) == 10, 3,
               "10 frames counted as eth_vlan")


@pytest.fixture(name="vlan_box")
def box_with_vlans(lab, make_box):
    lab.access.move_to_vlan(ACCESS_VLAN)
    lab.core.move_to_vlan(CORE_VLAN, carrier=lab.access)
    return make_box(changes(access=ACCESS_VLAN, core=CORE_VLAN, one_port=True))


def test_one_realm_is_not_reached_by_the_vlan_of_another(lab, vlan_box):
    """The core's address on the access VLAN, and the access one without a tag: dropped."""
    mac = next(port["mac"] for port in vlan_box.show("ports") if port["name"] == "access")

    def count():
        return vlan_box.drops().get("ip_not_local", 0)
    before = count()
    ether, udp = Ether(dst=mac, src="02:00:00:00:00:66"), UDP(sport=45000, dport=5060)
    frames = [ether / Dot1Q(vlan=ACCESS_VLAN) / IP(src=ACCESS, dst=CORE_BOX) / udp / Raw(b"x" * 40),
              ether / IP(src=ACCESS, dst=ACCESS_BOX) / udp / Raw(b"x" * 40)]
    lab.access.enter(lambda: sendp(frames, iface="eth0", verbose=False))
    wait_until(lambda: count() - before == 2, 3, "2 packets counted as ip_not_local")
