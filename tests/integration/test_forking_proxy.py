"""Kamailio in the core forks each call to two phones; the box before it keeps the forks apart.

    caller ---- [ box ] ---- Kamailio :5060 ---- one :5071, two :5072
"""

import contextlib
import shutil

import pytest
from agent import Agent, tag_of

from sallyport_lab import Endpoint, wait_until
from sallyport_lab.kamailio import Kamailio, config
from sallyport_lab.net import ACCESS, ACCESS_BOX, CORE
from sallyport_lab.sipp import header, media_of

PROXY = f"{CORE}:5060"
MODULES = ("tm", "sl", "rr", "pv", "maxfwd", "textops", "siputils", "corex")
ROUTES = f"""
request_route {{
	if (!mf_process_maxfwd_header("70")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
	if (has_totag()) {{
		if (loose_route() || t_check_trans()) t_relay();
		else if (!is_method("ACK")) sl_send_reply("404", "Not Here");
		exit;
	}}
	if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
	if (!is_method("INVITE")) {{ sl_send_reply("405", "Method Not Allowed"); exit; }}
	record_route();
	$ru = "sip:one@{CORE}:5071";
	append_branch("sip:two@{CORE}:5072");
	t_relay();
}}
"""
CALLER_SSRC, ONE_SSRC, TWO_SSRC = 0x0ca11e40, 0x00000101, 0x00000202


class Forked:
    """A call that rings nowhere yet: its INVITE has reached both phones."""

    def __init__(self, caller, one, two, sound):
        self.caller, self.one, self.two = caller, one, two
        self.caller_rtp, self.one_rtp, self.two_rtp = sound
        self.ours = caller.dialog("100")
        self.ours.request("INVITE", caller.sdp(self.caller_rtp.port))
        self.invites = {phone: phone.wait("INVITE") for phone in (one, two)}
        self.theirs = {phone: phone.accepted(invite) for phone, invite in self.invites.items()}

    def answer(self, phone, status, body=""):
        phone.answer(self.invites[phone], status, self.theirs[phone], body)

    def acknowledge(self, final):
        self.ours.learn(final)
        self.ours.request("ACK", cseq=1)

    def talk(self, final):
        """Sound both ways between the caller and the first phone, none at the second."""
        for sender, to, ssrc, receiver in (
                (self.caller_rtp, media_of(final), CALLER_SSRC, self.one_rtp),
                (self.one_rtp, media_of(self.invites[self.one]), ONE_SSRC, self.caller_rtp)):
            have = len(receiver.sequences(ssrc))
            sender.stream(to, 10, ssrc, first=have)
            wait_until(lambda r=receiver, s=ssrc, n=have + 10: len(r.sequences(s)) == n, 3,
                       f"sound at {receiver.address}:{receiver.port}")
        assert self.two_rtp.payloads() == []

    def hang_up(self):
        self.ours.request("BYE")
        self.one.answer(self.one.wait("BYE"), 200)
        self.caller.wait("SIP/2.0 200")


@pytest.fixture
def forked(box):
    """A call that Kamailio has just forked."""
    if shutil.which("kamailio") is None:
        pytest.skip("skipped: no kamailio here: apt-get install kamailio")
    lab = box.lab
    with contextlib.ExitStack() as stack:
        stack.enter_context(Kamailio(lab, lab.core, config([PROXY], MODULES, ROUTES), [PROXY]))
        caller = stack.enter_context(Agent(lab.access, ACCESS, ACCESS_BOX, 5080))
        phones = [stack.enter_context(Agent(lab.core, CORE, CORE, port)) for port in (5071, 5072)]
        sound = [stack.enter_context(Endpoint(peer, address, port)) for peer, address, port in (
            (lab.access, ACCESS, 40000), (lab.core, CORE, 50000), (lab.core, CORE, 51000))]
        yield Forked(caller, *phones, sound)
        wait_until(lambda: box.calls().active == 0, 10, "the box's calls to be over")


def starts(agent, word):
    return [text for text in agent.payloads() if text.startswith(word)]


def test_two_ring_and_one_answers(forked, box):
    """Each fork rings as a dialog of its own; sound follows the one that answers, and the CANCEL
    of the other, between it and Kamailio, is nothing that the caller sees."""
    call, records = forked, len(box.cdrs())
    call.answer(call.one, 180)
    call.answer(call.two, 183, call.two.sdp(call.two_rtp.port))
    ringing, progress = call.caller.wait("SIP/2.0 180"), call.caller.wait("SIP/2.0 183")
    assert tag_of(header(ringing, "To")) != tag_of(header(progress, "To"))
    assert header(ringing, "Call-ID") == header(progress, "Call-ID")
    call.answer(call.one, 200, call.one.sdp(call.one_rtp.port))
    final = call.caller.wait("SIP/2.0 200")
    assert tag_of(header(final, "To")) == tag_of(header(ringing, "To"))
    call.acknowledge(final)
    assert call.one.wait("ACK").count("\nVia:") == 2, "the ACK took the recorded route"
    call.two.answer(call.two.wait("CANCEL"), 200, call.theirs[call.two])
    call.answer(call.two, 487)
    call.two.wait("ACK")
    call.talk(final)
    call.hang_up()
    assert not starts(call.two, b"BYE") and not starts(call.caller, b"SIP/2.0 4")
    wait_until(lambda: len(box.cdrs()) > records, 5, "the call's record")
    assert [record["sip_status"] for record in box.cdrs()[records:]] == [200]


def test_both_answer_at_once(forked, box):
    """The second 200 is on its way before anybody can cancel it: acknowledged and hung up by the
    box, the first one's call goes on."""
    call = forked
    for phone, sound in ((call.one, call.one_rtp), (call.two, call.two_rtp)):
        call.answer(phone, 200, phone.sdp(sound.port))
    final = call.caller.wait("SIP/2.0 200")
    call.acknowledge(final)
    call.one.wait("ACK")
    call.two.wait("ACK")
    call.two.answer(call.two.wait("BYE"), 200)
    call.talk(final)
    call.hang_up()
    answers = {tag_of(header(text.decode(), "To")) for text in starts(call.caller, b"SIP/2.0 200")}
    assert answers == {tag_of(header(final, "To"))}, "the caller saw one dialog"


def test_caller_gives_up_while_two_ring(forked):
    """CANCEL reaches both forks; their 487s are one for the caller."""
    call = forked
    for phone in (call.one, call.two):
        call.answer(phone, 180)
        call.caller.wait("SIP/2.0 180")
    branch = call.ours.branch
    call.ours.request("CANCEL", cseq=1, branch=branch)
    call.caller.wait("SIP/2.0 200")
    for phone in (call.one, call.two):
        phone.answer(phone.wait("CANCEL"), 200, call.theirs[phone])
        call.answer(phone, 487)
        phone.wait("ACK")
    call.ours.learn(call.caller.wait("SIP/2.0 487"))
    call.ours.request("ACK", cseq=1, branch=branch)
