"""RFC 7339 between the box and its neighbours, both roles: what it tells a client that asks when it
has too much to do, and what it leaves out when a server wants less. Judged by what peers received."""

import re
import threading
import time

from agent import Agent
from sockets import Phone, sip_request, status_of
from test_overload import little_cpu

from sallyport_lab import wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, ACCESS_WRONG, CORE, CORE_BOX
from sallyport_lab.sipp import header

OFFER = ';oc;oc-algo="loss,rate"'
QUOTA_US = 1000  # of each 40 ms, for control
WANTS = ';oc={};oc-algo="loss";oc-validity={};oc-seq={}.0'
CALLS = 20


def told(answer):
    """The percentage that an answer's Via says, or None."""
    found = re.search(r';oc=(\d+);oc-algo="loss";oc-validity=\d+;oc-seq=\d+\.\d{5}',
                      header(answer.replace("\r\n", "\n"), "Via"))
    return int(found.group(1)) if found else None


def offering(method, uri, source, branch, **headers):
    """A request of a client that does overload control."""
    via = f"SIP/2.0/UDP {source};branch=z9hG4bK{branch};rport{OFFER}"
    return sip_request(method, uri, source, via=via, **headers)


class Pressure:
    """So many OPTIONS under way at a time that the box never gets to the end of them. What gets
    lost on a full ring makes it less: as long as the box does not say that it has too much,
    there are more of them."""

    def __init__(self, phone):
        self.phone, self.window, self.sent, self.percent = phone, 128, 0, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        source, grow_at = f"{self.phone.address}:{self.phone.port}", time.monotonic() + 1
        while not self._stop.wait(0.005):
            answers = len(self.phone.received)
            if answers:
                self.percent = told(self.phone.received[answers - 1][2].decode())
            if self.percent != 100 and time.monotonic() > grow_at:
                self.window, grow_at = 2 * self.window, time.monotonic() + 1
            for _ in range(self.window - (self.sent - answers)):
                self.sent += 1
                self.phone.send(offering("OPTIONS", f"sip:{CORE_BOX}", source, f"load{self.sent}"),
                                (CORE_BOX, 5060))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def insist(send, seen, what):
    """Send until it is seen: what is lost on a full ring comes again, as SIP has it."""
    def attempt():
        send()
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            result = seen()
            if result:
                return result
            time.sleep(0.05)
        return None
    return wait_until(attempt, 40, what)


def one(agent, pattern):
    """The first message that it has of these, as text; None: not yet."""
    found = agent.messages(pattern)
    return found[0].decode().replace("\r\n", "\n") if found else None


class Client(Phone):
    """A neighbour that does overload control; each request is a new one."""

    def try_one(self, method, user=""):
        source = f"{self.address}:{self.port}"
        return self.ask(offering(method, f"sip:{user}{CORE_BOX}", source,
                                 f"client{time.monotonic_ns()}"), (CORE_BOX, 5060), seconds=10)

    def percent(self):
        answer = self.try_one("OPTIONS")
        return told(answer) if answer else None

    def refusal(self):
        """The 503 of a new call."""
        answer = self.try_one("INVITE", "1000@")
        return answer if answer and status_of(answer) == 503 else None


def test_the_box_says_what_is_too_much(make_box):
    box = make_box({"shards: 1": 'shards: 1\n  overload: {emergency: ["112"]}'})
    lab = box.lab
    with Agent(lab.core, CORE, CORE_BOX) as core, Agent(lab.access, ACCESS, ACCESS_BOX) as phone, \
            Phone(lab.core, CORE, 5070) as loader, Client(lab.core, CORE, 5071) as client, \
            Phone(lab.access, ACCESS_WRONG, 5060) as stranger:
        held, _, _ = phone.call("1000", core)
        assert client.percent() == 0
        with little_cpu(box.control, QUOTA_US), Pressure(loader) as pressure:
            wait_until(lambda: pressure.percent == 100, 60, "the box to want nothing")
            # Who leaves out a share need not stay away altogether (RFC 7339 section 5.2).
            refusal = wait_until(client.refusal, 40, "a new call to be refused")
            assert told(refusal) > 0 and "Retry-After" not in refusal, refusal
            ping = offering("OPTIONS", f"sip:{ACCESS_BOX}", f"{ACCESS_WRONG}:5060", "stranger")
            answer = insist(lambda: stranger.send(ping, (ACCESS_BOX, 5060)),
                            lambda: one(stranger, b"SIP/2.0 200"), "a stranger's answer")
            assert told(answer) is None, answer
            # An emergency call, and the end of the call that there was.
            insist(lambda: phone.dialog("112").request("INVITE", phone.sdp()),
                   lambda: one(core, b"INVITE sip:112@"), "an emergency call")
            insist(lambda: held.request("BYE"), lambda: one(core, b"BYE "), "a BYE")
        wait_until(lambda: client.percent() == 0, 30, "the box to want all again")
        box.stop_at_once()


def says(server, request, params):
    """Refuse a call, with the server's word in place of the box's offer."""
    assert OFFER in header(request, "Via"), request
    server.answer(request.replace(OFFER, params), 486)


def refused(phone, dialog):
    """The end of a call that got 486."""
    branch = dialog.branch
    dialog.learn(phone.wait("SIP/2.0 486"))
    dialog.request("ACK", cseq=1, branch=branch)


def calls(phone, server, spare, params):
    """So many new calls; of those that the server gets it says what it wants. Returns how many."""
    def got():
        return len(server.messages(b"INVITE ")), len(spare.messages(b"INVITE "))

    first = got()
    for _ in range(CALLS):
        before, dialog = got(), phone.dialog("1000")
        dialog.request("INVITE", phone.sdp())
        # pylint: disable=cell-var-from-loop
        wait_until(lambda: got() != before, 5, "the call at one of them", every=0.01)
        if got()[0] != before[0]:
            says(server, server.wait("INVITE"), params)
        else:
            spare.answer(spare.wait("INVITE"), 486)
        refused(phone, dialog)
    assert sum(got()) - sum(first) == CALLS
    return got()[0] - first[0]


def test_a_server_is_obeyed(make_box):
    """Half of the calls, then none: the others take the next route. What is in a dialog, and
    emergency calls, go to it all the same."""
    softswitch = f"address: {CORE}, no_answer_s: 180}}"
    box = make_box({
        softswitch: f"address: {CORE}, no_answer_s: 180, overload_control: yes}}\n"
                    f"  - {{name: spare, realm: core, address: {CORE}, port: 5070}}",
        "  - {from: access, to: softswitch}":
            "  - {from: access, to: softswitch, emergency: true}\n"
            "  - {from: access, to: softswitch}\n  - {from: access, to: spare}"})
    lab = box.lab
    with Agent(lab.core, CORE, CORE_BOX) as core, \
            Agent(lab.core, CORE, CORE_BOX, 5070) as spare, \
            Agent(lab.access, ACCESS, ACCESS_BOX) as phone:
        held, _, _ = phone.call("1000", core)
        # The first one heard of nothing yet; of the others each second goes there.
        assert calls(phone, core, spare, WANTS.format(50, 60000, 1)) == CALLS // 2 + 1
        # The next one that it gets tells more; none comes after it.
        assert calls(phone, core, spare, WANTS.format(100, 60000, 2)) == 1
        phone.hang_up(held, core)
        dialog = phone.dialog("sos")
        dialog.target, dialog.remote = "urn:service:sos", "<urn:service:sos>"
        dialog.request("INVITE", phone.sdp())
        says(core, core.wait("INVITE urn:service:sos"), WANTS.format(0, 0, 3))
        refused(phone, dialog)
        assert calls(phone, core, spare, WANTS.format(0, 0, 4)) == CALLS
