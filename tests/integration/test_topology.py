"""Threat 16: what calls, refusals, challenges and credentials say of the other side; and that
topology.py, which looks at every scenario, finds what there is."""

import pytest
from agent import Agent
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw
from test_other_methods import OPEN
from topology import Datagrams, Topology, sip_of

from sallyport_lab import wait_until
from sallyport_lab.net import ACCESS, ACCESS6, ACCESS6_BOX, ACCESS_BOX, CORE, CORE_BOX
from sallyport_lab.sipp import header

REFUSALS = (302, 400, 401, 403, 404, 407, 410, 415, 420, 422, 480, 484, 486, 488, 500, 501, 513, 600,
            603)


@pytest.fixture(name="box")
def box_that_takes_all(lend_box):
    box = lend_box(OPEN)
    yield box
    wait_until(lambda: box.calls().active == 0, 10, "the calls to be over")


@pytest.fixture(name="peers")
def phone_and_switch(box):
    with Agent(box.lab.access, ACCESS, ACCESS_BOX) as phone, \
            Agent(box.lab.core, CORE, CORE_BOX) as switch:
        yield phone, switch


def telling(agent):
    """Headers that name this agent wherever they can."""
    here = f"{agent.address}:{agent.port}"
    return {
        "Call_Info": f"<http://{here}>;purpose=info", "Error_Info": f"<sip:busy@{here}>",
        "Organization": f"At {here}", "Reason": f'Q.850;cause=17;text="at {here}"',
        "Retry_After": f"5 (at {here})", "Record_Route": f"<sip:{here};lr>",
        "P_Asserted_Identity": f'"at {here}" <sip:{agent.address}@{here}>',
        "WWW_Authenticate": f'Digest realm="r", nonce="n", domain="sip:{here}", Bearer a="{here}"',
        "Proxy_Authenticate": f'Digest realm="r", nonce="n", domain="sip:{here}"',
        "Diversion": f"<sip:1@{here}>;reason=unknown", "History_Info": f"<sip:1@{here}>;index=1",
        "Accept": f"application/sdp, text/plain;at={agent.address}", "Date": f"Mon, {here}",
        "Subject": f"from {here}", "Unsupported": "join", "Min_SE": "90",
    }


def refuse(caller, callee, method, status):
    """A request of the caller, refused with all that the callee can say."""
    dialog = caller.dialog("1000")
    number = dialog.request(method, caller.sdp() if method == "INVITE" else "", **{
        name: value for name, value in telling(caller).items() if "Authenticate" not in name})
    request = callee.wait(method)
    callee.answer(request, status, callee.accepted(request), f"at {callee.address}", "text/html",
                  **telling(callee))
    final = caller.wait("SIP/2.0 ")
    while final.startswith("SIP/2.0 100"):
        final = caller.wait("SIP/2.0 ")
    if method == "INVITE":
        callee.wait("ACK")
        dialog.learn(final)
        dialog.target = f"sip:1000@{caller.box[0]}"
        dialog.request("ACK", cseq=number, branch=dialog.branch)
    return final


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_refusals_name_nobody(peers, method):
    """Both ways; what crosses is looked at by topology.py."""
    for caller, callee in (peers, peers[::-1]):
        for status in REFUSALS:
            final = refuse(caller, callee, method, status)
            assert int(final.split()[1]) >= 300, final


def telling_sdp(agent):
    """SDP with more than the place of media."""
    here, rest = agent.address, agent.sdp().splitlines()
    rest[2:3] = [f"s=Call from {here}", f"i=at {here}", f"u=http://{here}/", f"e=me@{here}"]
    return "\r\n".join(rest + [
        f"a=rtcp:40001 IN IP4 {here}", f"a=ssrc:1 cname:me@{here}",
        f"a=candidate:1 1 UDP 1 {here} 40000 typ host", f"a=tool:of {here}", f"a=x-at:{here}",
        f"a=fmtp:0 at={here}", f"a=rtcp-fb:* {here}", ""])


def test_calls_name_nobody(peers):
    """Names and SDP of calls both ways, and what ends them."""
    for caller, callee in (peers, peers[::-1]):
        here = caller.address
        ours = caller.dialog("1000")
        if caller is peers[1]:  # the core may know what a phone calls itself
            ours.local = f'"at {here}" <sip:{here}@{here}:{caller.port}>'
        number = ours.request("INVITE", telling_sdp(caller), Subject=f"from {here}")
        invite = callee.wait("INVITE")
        theirs = callee.accepted(invite)
        for status in (180, 200):
            callee.answer(invite, status, theirs, telling_sdp(callee), **telling(callee))
        ours.learn(caller.wait("SIP/2.0 200"))
        ours.request("ACK", cseq=number)
        callee.wait("ACK")
        ours.request("BYE", **{name: value for name, value in telling(caller).items()
                               if "Authenticate" not in name})
        callee.answer(callee.wait("BYE"), 200, **telling(callee))


def test_registration_with_digest(peers):
    """The registrar sees what was asked, which is hashed; the phone no server but the realm."""
    phone, switch = peers
    credentials = (f'Digest username="agent", realm="phones.example", nonce="n1", '
                   f'uri="sip:{ACCESS_BOX}", response="{"0" * 32}"')
    for given, status in (({}, 401), ({"Authorization": credentials}, 200)):
        dialog = phone.dialog("agent")
        dialog.target = f"sip:{ACCESS_BOX}"
        dialog.request("REGISTER", **given)
        request = switch.wait("REGISTER")
        switch.answer(request, status, switch.accepted(request),
                      **({} if given else {"WWW_Authenticate": 'Digest realm="phones.example", '
                                           f'nonce="n1", domain="sip:{CORE}"'}))
        answer = phone.wait(f"SIP/2.0 {status}")
    assert header(request, "Authorization") == credentials
    assert "Authenticate" not in answer


def test_credentials_of_the_core_stay_there(peers):
    """Their uri is the box's address in the core."""
    phone, switch = peers
    dialog = switch.dialog("1000")
    number = dialog.request("INVITE", switch.sdp(), Proxy_Authorization=(
        f'Digest username="a", realm="r", nonce="n", uri="sip:1000@{CORE_BOX}", response="1"'))
    invite = phone.wait("INVITE")
    assert "Authorization" not in invite
    phone.answer(invite, 486, phone.accepted(invite))
    dialog.learn(switch.wait("SIP/2.0 486"))
    dialog.target = f"sip:1000@{CORE_BOX}"
    dialog.request("ACK", cseq=number, branch=dialog.branch)
    phone.wait("ACK")


@pytest.mark.unwatched("shows what the watch finds: an address that was dialled crosses")
def test_a_leak_is_found(box, peers):
    phone, switch = peers
    with pytest.raises(AssertionError, match=f"'{ACCESS}' reached core"), Topology(box.lab):
        ours, _, _ = phone.call(ACCESS, switch)
        phone.hang_up(ours, switch)


@pytest.mark.parametrize("tag", [None, 100])
@pytest.mark.parametrize("family", [4, 6])
def test_fragments_are_looked_into(family, tag):
    """Pieces in any order, with a VLAN or without."""
    message = b"OPTIONS sip:192.0.2.1 SIP/2.0\r\n" + b"x" * 3000
    datagram = UDP(sport=5090, dport=5060) / Raw(message)
    if family == 4:
        ends, pieces = (ACCESS, ACCESS_BOX), fragment(
            IP(src=ACCESS, dst=ACCESS_BOX, id=7) / datagram, fragsize=1400)
    else:
        ends, pieces = (ACCESS6, ACCESS6_BOX), fragment6(
            IPv6(src=ACCESS6, dst=ACCESS6_BOX) / IPv6ExtHdrFragment(id=7) / datagram, 1448)
    ether = Ether(src="02:00:00:00:00:66", dst="02:00:00:00:00:01")
    ether = ether / Dot1Q(vlan=tag) if tag else ether
    taken, datagrams = [], Datagrams()
    for piece in pieces[::-1]:
        taken.append(datagrams.take(bytes(ether / piece)))
    assert len(taken) > 2 and taken[:-1] == [None] * (len(taken) - 1)
    assert (taken[-1][:2], sip_of(taken[-1][2])) == (ends, message)
