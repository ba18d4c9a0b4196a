"""Both sides of the border behind routers: what leaves a realm leaves by that realm's port.

    phone 10.1.0.2 ---- 192.0.2.2 access ---- [ box ] ---- core 198.51.100.2 ---- 10.2.0.2 server
"""

import time

from sallyport_lab import Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, CORE, CORE_BOX

PHONE, SERVER = "10.1.0.2", "10.2.0.2"
CALLS = 3


def changes(core_gateway):
    """Gateways of the realms, and the peers behind them."""
    core = "addresses: [198.51.100.1/24]"
    return {"addresses: [192.0.2.1/24]": f"addresses: [192.0.2.1/24]\n    gateway: {ACCESS}",
            core: f"{core}\n    gateway: {CORE}" if core_gateway else core,
            f"address: {CORE}, no_answer_s": f"address: {SERVER}, no_answer_s",
            f"address: {ACCESS}}}": f"address: {PHONE}}}"}


def far_peers(lab):
    """(phone, server); the routers count what comes from the box's address of the other side."""
    phone = lab.behind(lab.access, PHONE, "10.1.0.1")
    server = lab.behind(lab.core, SERVER, "10.2.0.1")
    for router, other in ((lab.access, CORE_BOX), (lab.core, ACCESS_BOX)):
        router.nft(f"""table ip astray {{
            chain in {{
                type filter hook prerouting priority 0
                iifname "eth0" ip saddr {other} counter
            }}
        }}""")
    return phone, server


def astray(router):
    """Packets with the other side's address that reached this router."""
    text = router.run("nft", "list", "table", "ip", "astray")
    return int(text.split("counter packets ")[1].split()[0])


def calls_both_ways(caller, callee, lab, to):
    before = caller.media(), callee.media()
    with Sipp(lab, callee, scenario.answer_and_talk(1000)) as answers:
        with Sipp(lab, caller, scenario.talk_and_hang_up(1000), to=to, calls=CALLS) as calls:
            placed = calls.wait(30)
        taken = answers.settle(CALLS)
    errors = calls.errors() + answers.errors()
    assert (placed.succeeded, placed.failed) == (CALLS, 0), errors
    assert (taken.succeeded, taken.failed) == (CALLS, 0), errors
    one, other = caller.media() - before[0], callee.media() - before[1]
    assert one.sent >= CALLS * 40 and other.sent >= CALLS * 40
    assert (other.received, one.received) == (one.sent, other.sent)


def test_each_realm_leaves_by_its_own_gateway(lab, make_box):
    """Calls in both directions between peers off link, every RTP packet at the other end."""
    phone, server = far_peers(lab)
    box = make_box(changes(core_gateway=True))
    routes = lab.box.run("ip", "route", "show", "default")
    assert f"via {ACCESS} dev access" in routes and f"via {CORE} dev core" in routes
    calls_both_ways(phone, server, lab, f"{ACCESS_BOX}:5060")
    calls_both_ways(server, phone, lab, f"{CORE_BOX}:5060")
    assert (astray(lab.access), astray(lab.core)) == (0, 0)
    assert box.drops().get("out_no_route", 0) == 0


def test_realm_without_a_way_borrows_none(lab, make_box):
    """No gateway on the core side: its calls end in the box, not at the access side's router."""
    phone, _ = far_peers(lab)
    box = make_box(changes(core_gateway=False))
    with Sipp(lab, phone, scenario.call_refused(408), to=f"{ACCESS_BOX}:5060", calls=1,
              trace=True) as caller:
        caller.wait_received("SIP/2.0 100")
        wait_until(lambda: box.drops().get("out_no_route", 0) >= 2, 5, "INVITEs without a route")
        time.sleep(0.2)
    assert (astray(lab.access), astray(lab.core)) == (0, 0)
