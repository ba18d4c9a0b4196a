"""A caller that nobody here wrote: baresip in access calls a party by hand in the core."""

import contextlib
import shutil

import pytest
from agent import Agent, uri_of

from sallyport_lab import Endpoint, wait_until
from sallyport_lab.baresip import Baresip
from sallyport_lab.net import ACCESS, ACCESS_BOX, CORE, CORE_BOX
from sallyport_lab.rtp import PCMA
from sallyport_lab.sipp import header, media_of

SSRC = 0x0ba2e519
PORT = 50000  # of the callee's sound
MANY = 25  # packets, half a second


class Call:
    """baresip has dialled; its INVITE has reached the callee."""

    def __init__(self, box, phone, callee, sound):
        self.box, self.phone, self.callee, self.sound = box, phone, callee, sound
        phone.command("dial", f"sip:1000@{ACCESS_BOX}")
        self.invite = callee.wait("INVITE")
        self.dialog = callee.accepted(self.invite)
        callee.answer(self.invite, 180, self.dialog)
        phone.wait("CALL_RINGING")

    def answer(self):
        self.callee.answer(self.invite, 200, self.dialog, self.callee.sdp(PORT))
        self.callee.wait("ACK")
        self.phone.wait("CALL_ESTABLISHED")

    def answer_again(self, direction):
        """The next re-INVITE of the call; returns it."""
        again = self.callee.wait("INVITE")
        assert header(again, "Call-ID") == self.dialog.call_id
        self.callee.answer(again, 200, self.dialog,
                           self.callee.sdp(PORT) + f"a={direction}\r\n")
        self.callee.wait("ACK")
        return again

    def heard(self):
        """baresip's tone arrives, as A-law, from where the box's SDP says."""
        have = len(self.sound.payloads())
        wait_until(lambda: len(self.sound.payloads()) >= have + MANY, 5, "baresip's sound")
        assert {data[1] & 0x7f for data in self.sound.payloads()[have:]} == {PCMA}
        assert self.sound.sources() == {media_of(self.invite)}

    def said(self):
        """What the callee says reaches baresip's kernel, all of it."""
        before = self.box.lab.access.media().received
        first = len(self.sound.payloads())
        self.sound.stream(media_of(self.invite), MANY, SSRC, first)
        wait_until(lambda: self.box.lab.access.media().received - before >= MANY, 5,
                   "the callee's sound at baresip")

    def hung_up(self):
        """baresip's BYE."""
        self.callee.answer(self.callee.wait("BYE"), 200)
        self.phone.wait("CALL_CLOSED")


@pytest.fixture
def dialled(box):
    if shutil.which("baresip") is None:
        pytest.skip("skipped: no baresip here: apt-get install baresip-core")
    lab = box.lab
    with contextlib.ExitStack() as stack:
        callee = stack.enter_context(Agent(lab.core, CORE, CORE_BOX))
        sound = stack.enter_context(Endpoint(lab.core, CORE, PORT))
        phone = stack.enter_context(Baresip(lab, lab.access))
        yield Call(box, phone, callee, sound)
        wait_until(lambda: box.calls().active == 0, 10, "the box's calls to be over")


def test_talk_hold_resume_hang_up(dialled):
    call = dialled
    call.answer()
    call.heard()
    call.said()
    call.phone.command("hold")
    assert "\na=sendonly" in call.answer_again("recvonly")
    call.phone.command("resume")
    assert "\na=sendonly" not in call.answer_again("sendrecv")
    call.heard()
    call.said()
    call.phone.command("hangup")
    call.hung_up()


def test_callee_hangs_up(dialled):
    call = dialled
    call.answer()
    call.heard()
    call.dialog.request("BYE")
    call.callee.wait("SIP/2.0 200")
    call.phone.wait("CALL_CLOSED")


def test_given_up_while_it_rings(dialled):
    call = dialled
    call.phone.command("hangup")
    call.callee.answer(call.callee.wait("CANCEL"), 200, call.dialog)
    call.callee.answer(call.invite, 487, call.dialog)
    call.callee.wait("ACK")
    call.phone.wait("CALL_CLOSED")


def test_blind_transfer(dialled):
    """REFER within the call reaches the callee with the target in the core's terms; what comes of
    it reaches baresip, which then hangs up."""
    call = dialled
    call.answer()
    call.phone.command("transfer", f"sip:2002@{ACCESS_BOX}")
    refer = call.callee.wait("REFER")
    assert header(refer, "Call-ID") == call.dialog.call_id
    target = uri_of(header(refer, "Refer-To"))
    assert target.startswith("sip:2002@") and ACCESS not in target and ACCESS_BOX not in target
    call.callee.answer(refer, 202)
    call.dialog.request("NOTIFY", "SIP/2.0 200 OK\r\n", "message/sipfrag;version=2.0",
                        Event="refer", Subscription_State="terminated;reason=noresource")
    call.callee.wait("SIP/2.0 200")
    call.hung_up()
