"""The lab without a box: SIPp's scenarios and the packet counters are right by themselves."""

import pytest

from sallyport_lab import Lab, Sipp, scenario
from sallyport_lab.capture import Capture
from sallyport_lab.net import ACCESS6, CORE, CORE6

FLOWS = {
    "answered": (scenario.talk_and_hang_up(1000), scenario.answer_and_talk(1000)),
    "busy": (scenario.call_refused(486), scenario.refuse(486, "Busy Here")),
    "cancel": (scenario.call_and_cancel(), scenario.ring_until_cancelled()),
    "callee hangs up": (scenario.call_until_callee_hangs_up(600),
                        scenario.answer_and_hang_up(600)),
    "hold": (scenario.hold_and_resume(200), scenario.be_held_and_resumed()),
}


@pytest.fixture(name="wire", scope="module")
def direct_lab():
    with Lab(direct=True) as lab:
        yield lab


@pytest.mark.parametrize("flow", FLOWS)
def test_scenario(wire, flow):
    caller, callee = FLOWS[flow]
    with Sipp(wire, wire.core, callee) as server:
        with Sipp(wire, wire.access, caller, to=f"{CORE}:5060", calls=3) as phones:
            placed = phones.wait(20)
            assert (placed.succeeded, placed.failed) == (3, 0), phones.errors()
        taken = server.settle(3)
        assert (taken.succeeded, taken.failed) == (3, 0), server.errors()


@pytest.mark.parametrize("family", [4, 6])
def test_counters_see_every_packet(wire, family):
    access, core = wire.access.media(), wire.core.media()
    here, there = (CORE6, ACCESS6) if family == 6 else (None, None)
    to = f"[{CORE6}]:5060" if family == 6 else f"{CORE}:5060"
    with Sipp(wire, wire.core, scenario.answer_and_talk(1000), address=here) as server:
        with Sipp(wire, wire.access, scenario.talk_and_hang_up(1000), to=to, calls=5,
                  address=there) as phones:
            assert phones.wait(20).succeeded == 5, phones.errors()
        server.settle(5)
    access, core = wire.access.media() - access, wire.core.media() - core
    assert access.sent > 5 * 40 and core.sent > 5 * 40
    assert access.sent == core.received and core.sent == access.received


def test_loss_is_loss(wire):
    """The scenario of the loss test has to stand 5 % by itself."""
    wire.access.lose(5)
    wire.core.lose(5)
    try:
        callee = scenario.answer_and_talk(0, rtp=False, linger_ms=4000)
        with Sipp(wire, wire.core, callee) as server:
            with Sipp(wire, wire.access, scenario.talk_and_hang_up(
                    200, rtp=False, settle_ms=1500, linger_ms=1000), to=f"{CORE}:5060", calls=40,
                    rate=40) as phones:
                placed = phones.wait(40)
            taken = server.settle(40, 30)
        assert (placed.succeeded, placed.failed, taken.created) == (40, 0, 40), phones.errors()
        assert wire.access.lost() + wire.core.lost() > 0
        assert placed.retransmissions + taken.retransmissions > 0
    finally:
        wire.access.lose(0)
        wire.core.lose(0)


@pytest.mark.parametrize("family", [4, 6])
def test_vlan_interfaces(family):
    """A call between VLAN interfaces, all of it with the tag; another VLAN is another network."""
    with Lab(direct=True) as lab:
        lab.access.move_to_vlan(100)
        lab.core.move_to_vlan(100)
        here, there = lab.side("core", family), lab.side("access", family)
        to = f"[{here.address}]:5060" if family == 6 else f"{here.address}:5060"
        with Sipp(lab, lab.core, scenario.answer_and_talk(500), address=here.address), \
                Capture(lab.core, "vlan100") as inside, \
                Sipp(lab, lab.access, scenario.talk_and_hang_up(500), to=to, calls=1,
                     address=there.address) as phones:
            assert phones.wait(20).succeeded == 1, phones.errors()
        assert len(inside.udp(5060)) >= 3
        lab.core.move_to_vlan(101)
        with Sipp(lab, lab.core, scenario.answer_and_talk(0), address=here.address) as server:
            with Sipp(lab, lab.access, scenario.build("lost", scenario.invite(),
                      scenario.receive(200, timeout_ms=700)), to=to, calls=1,
                      address=there.address) as phones:
                assert phones.wait(20).succeeded == 0
            assert server.counts().created == 0
