"""Requests other than INVITE through the box: SIPp on both sides, and by hand where a flow has
several dialogs."""

from urllib.parse import quote, unquote

import pytest
from agent import Agent
from sockets import Phone, sip_request, status_of

from sallyport_lab import LabError, Sipp, scenario, wait_until
from sallyport_lab.net import (ACCESS, ACCESS_BOX, ACCESS_WRONG, CORE, CORE_BOX)
from sallyport_lab.sipp import header

TO_BOX = f"{ACCESS_BOX}:5060"
PHONES = "{name: phones, realm: access, address: 192.0.2.2"
IN_DIALOGS = "dialog_methods: [INFO, MESSAGE, NOTIFY, OPTIONS, REFER, SUBSCRIBE, JUMP]"
OPEN = {
    PHONES: PHONES + ", methods: [INVITE, OPTIONS, MESSAGE, NOTIFY, PUBLISH, REFER, REGISTER, "
                     "SUBSCRIBE, JUMP]",
    "    nat: auto\n": f"    nat: auto\n    {IN_DIALOGS}\n",
    "    nat: never\n": f"    nat: never\n    {IN_DIALOGS}\n",
}
CALLS = 3


@pytest.fixture(name="box")
def box_that_takes_all(lend_box):
    box = lend_box(OPEN)
    yield box
    wait_until(lambda: box.show("status")["calls"]["active"] == 0, 10, "the calls to be over")


def run(box, caller, callee, calls=CALLS):
    """SIPp on both sides; each must be content."""
    lab = box.lab
    with Sipp(lab, lab.core, scenario.build("callee", *callee), trace=True) as server, \
            Sipp(lab, lab.access, scenario.build("caller", *caller), to=TO_BOX, calls=calls,
                 trace=True) as phones:
        try:
            placed = phones.wait(15)
        except LabError as stuck:
            raise AssertionError("\n".join(
                phones.received() + ["--- callee"] + server.received())) from stuck
        assert (placed.succeeded, placed.failed) == (calls, 0), phones.errors() + server.errors()
        taken = server.settle(calls)
        assert (taken.succeeded, taken.failed) == (calls, 0), server.errors()
        return server.received(), phones.received()


def in_call(*steps, last=9):
    """A caller's steps within a call; and a callee's."""
    return [scenario.invite(), scenario.progress(), scenario.receive(200),
            scenario.ack(), *steps, scenario.bye(last), scenario.receive(200)]


def called(*steps):
    return [scenario.remember_dialog(), scenario.answer(200, "OK", scenario.sdp(), True),
            scenario.request("ACK"), *steps, scenario.request("BYE"),
            scenario.answer(200, "OK", tag=False)]


@pytest.mark.parametrize("method", ["INFO", "MESSAGE", "OPTIONS", "JUMP"])
def test_in_a_call(box, method):
    """From the caller, and refused from the callee: the answers go back, the call goes on."""
    server, phones = run(
        box,
        in_call(scenario.other(method, 2, True, "X-Secret: 1\n", "tea"), scenario.receive(200),
                scenario.request(method),
                scenario.answer(488, "No", tag=False, headers="Server: Phone\n")),
        called(scenario.request(method), scenario.answer(200, "OK", tag=False),
               scenario.callee_other(method, 1, body="coffee"), scenario.receive(488)))
    there = [message for message in server if message.startswith(method)]
    here = [message for message in phones if message.startswith(method)]
    assert len(there) == len(here) == CALLS
    assert all(message.rstrip().endswith("tea") for message in there)
    assert all(message.rstrip().endswith("coffee") for message in here)
    assert not any("X-Secret" in message for message in there)


@pytest.mark.parametrize("method, headers", [
    ("MESSAGE", ""), ("PUBLISH", "Event: presence\nExpires: 60\nSIP-If-Match: e1\n"),
    ("JUMP", ""), ("REGISTER", "Expires: 60\n")])
def test_outside_of_a_dialog(box, method, headers):
    server, _ = run(
        box, [scenario.other(method, headers=headers, body="tea"), scenario.receive(202)],
        [scenario.request(method),
         scenario.answer(202, "Accepted", headers="SIP-ETag: e2\nServer: Inside/1.0\n")])
    assert len(server) == CALLS
    for message in server:
        assert header(message, "SIP-If-Match") == ("e1" if method == "PUBLISH" else "")
        assert message.count("\nVia:") == 1 and CORE_BOX in header(message, "Via")
        expected = f"<sip:1000@{CORE_BOX}>" if method == "REGISTER" else ""
        assert header(message, "Contact") == expected


@pytest.mark.parametrize("status", [302, 404, 489, 500, 603])
def test_refused(box, status):
    """Error paths: what the far side says of itself stays there."""
    more = (f"Contact: <sip:other@pbx.inside.example>\nWarning: 399 {CORE} \"at {CORE}\"\n"
            f"Reason: SIP;cause={status};text=\"{CORE}\"\nServer: Inside/1.0\n")
    _, phones = run(box, [scenario.other("MESSAGE"), scenario.receive(status)],
                    [scenario.request("MESSAGE"), scenario.answer(status, "By inside", headers=more)])
    assert all(message.startswith(f"SIP/2.0 {status}") for message in phones)


def test_subscription(box):
    """SUBSCRIBE, NOTIFY, un-SUBSCRIBE, the last NOTIFY; nothing stays."""
    event = "Event: presence\n"
    active = event + "Subscription-State: active;expires=60\n"
    ended = event + "Subscription-State: terminated;reason=timeout\n"
    server, phones = run(
        box,
        [scenario.other("SUBSCRIBE", headers=event + "Expires: 60\n"), scenario.receive(200),
         scenario.request("NOTIFY"), scenario.answer(200, "OK", tag=False),
         scenario.other("SUBSCRIBE", 2, True, event + "Expires: 0\n"), scenario.receive(200),
         scenario.request("NOTIFY"), scenario.answer(200, "OK", tag=False)],
        [scenario.remember_dialog("SUBSCRIBE"),
         scenario.answer(200, "OK", headers="Expires: 60\n"),
         scenario.callee_other("NOTIFY", 1, active, "<presence/>"), scenario.receive(200),
         scenario.request("SUBSCRIBE"), scenario.answer(200, "OK", tag=False,
                                                        headers="Expires: 0\n"),
         scenario.callee_other("NOTIFY", 2, ended), scenario.receive(200)])
    assert len([m for m in server if m.startswith("SUBSCRIBE")]) == 2 * CALLS
    states = [header(m, "Subscription-State") for m in phones if m.startswith("NOTIFY")]
    assert states.count("active;expires=60") == states.count("terminated;reason=timeout") == CALLS
    wait_until(lambda: box.show("stats")["subscriptions"] == 0, 5, "subscriptions to end")


UNAUTHENTICATED = ["MESSAGE", "SUBSCRIBE", "REFER", "PUBLISH", "NOTIFY", "REGISTER", "INFO"]


def test_strangers_are_refused(box):
    """All of them, with the same answer whatever they ask for; nothing reaches the core."""
    lab = box.lab
    with Phone(lab.core, CORE, 5060) as core, Phone(lab.access, ACCESS_WRONG, 5090) as stranger:
        for method in UNAUTHENTICATED:
            for number in range(10):
                uri = f"sip:{1000 + number}@{ACCESS_BOX}" if number % 2 else f"sip:{ACCESS_BOX}"
                message = sip_request(method, uri=uri, source=f"{ACCESS_WRONG}:5090",
                                      event="presence", refer_to=f"<sip:1@{ACCESS_BOX}>")
                assert status_of(stranger.ask(message, (ACCESS_BOX, 5060))) == 405, method
        assert not core.payloads()


def test_attended_transfer(make_box):
    """A phone has a call with each of two parties at the softswitch and connects them: REFER with
    Replaces, an INVITE by way of the box that replaces the second call, and both calls end. Four
    shards: the dialogs are not all of one."""
    box = make_box({**OPEN, "shards: 1": "shards: 4", **{
        "  - {from: core, to: phones}": "  - {from: core, to: softswitch, user_prefix: \"20\"}\n"
                                        "  - {from: core, to: phones}"}})
    lab = box.lab
    for _ in range(4):
        with Agent(lab.access, ACCESS, ACCESS_BOX) as phone, \
                Agent(lab.core, CORE, CORE_BOX) as switch:
            transfer(phone, switch)
        wait_until(lambda: box.show("status")["calls"]["active"] == 0, 10, "the calls to be over")


def test_join(make_box):
    """Another phone joins a phone's call at its far end (RFC 3911), which knows it by another name;
    the two calls end one after the other. Four shards: they are not always in the same one."""
    box = make_box({**OPEN, "shards: 1": "shards: 4"})
    lab = box.lab
    for _ in range(4):
        with Agent(lab.access, ACCESS, ACCESS_BOX) as phone, \
                Agent(lab.access, ACCESS, ACCESS_BOX, 5061) as other, \
                Agent(lab.core, CORE, CORE_BOX) as switch:
            first, first_there, _ = phone.call("1001", switch)
            _, second_there, invite = other.call(
                "1001", switch, Join=first.name(), Require="join", Supported="join")
            assert header(invite, "Join") == (f"{first_there.call_id};to-tag={first_there.tag};"
                                              f"from-tag={first_there.remote_tag}")
            assert header(invite, "Require") == "join"
            assert header(invite, "From").startswith(f"<sip:agent@{CORE_BOX}>")
            wait_until(lambda: box.show("status")["calls"]["active"] == 2, 5, "two calls")
            switch.hang_up(second_there, other)
            phone.hang_up(first, switch)
            # Now there is none of that name.
            second = other.dialog("1001")
            number = second.request("INVITE", other.sdp(), Join=first.name())
            refused = second.learn(other.wait("SIP/2.0 481"))
            second.request("ACK", cseq=number, branch=second.branch)
            assert not header(refused, "Contact")
        wait_until(lambda: box.show("status")["calls"]["active"] == 0, 10, "the calls to be over")


def transfer(phone, switch):
    first, first_there, _ = phone.call("1001", switch)
    second, second_there, _ = phone.call("2002", switch)
    replaces = quote(second.name(), safe="")
    first.request("REFER", Refer_To=f"<sip:2002@{ACCESS_BOX}?Replaces={replaces}>",
                  Referred_By=f"<sip:agent@{ACCESS}>")
    refer = switch.wait("REFER")
    switch.answer(refer, 202)
    phone.wait("SIP/2.0 202")
    # The name of the second call as the switch has it: it could match it by itself.
    assert header(refer, "Call-ID") == first_there.call_id
    target = header(refer, "Refer-To").strip("<>")
    uri, _, given = target.partition("?Replaces=")
    assert uri == f"sip:2002@{CORE}:5060"
    assert unquote(given) == (f"{second_there.call_id};to-tag={second_there.tag};"
                              f"from-tag={second_there.remote_tag}")
    notify(first_there, phone, switch, "SIP/2.0 100 Trying", "active;expires=60")
    # It sends the new call through the box instead; the box finds the dialog again.
    new = switch.dialog("2002", "first")
    number = new.request("INVITE", switch.sdp(51000), Replaces=unquote(given), Require="replaces")
    invite = switch.wait("INVITE")
    assert header(invite, "Replaces") == unquote(given)
    new_there = switch.accepted(invite)
    switch.answer(invite, 200, new_there, switch.sdp(52000))
    new.learn(switch.wait("SIP/2.0 200"))
    new.request("ACK", cseq=number)
    switch.wait("ACK")
    switch.hang_up(second_there, phone)
    notify(first_there, phone, switch, f"SIP/2.0 200 OK\r\nContact: <sip:{CORE}>",
           "terminated;reason=noresource")
    phone.hang_up(first, switch)
    switch.hang_up(new, switch)


def notify(dialog, phone, switch, fragment, state):
    """How the transfer fares; the phone hears the status line alone."""
    dialog.request("NOTIFY", fragment, "message/sipfrag", Event="refer", Subscription_State=state)
    message = phone.wait("NOTIFY")
    assert message.split("\n\n", 1)[1].strip() == fragment.split("\r\n", maxsplit=1)[0]
    assert header(message, "Subscription-State") == state
    phone.answer(message, 200)
    switch.wait("SIP/2.0 200")
