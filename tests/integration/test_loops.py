"""Threat 12: a core that sends our own INVITE back to us. It ends with 482 or 483, and nothing of it
stays."""

import re
import threading

import pytest

from sallyport_lab import wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, CORE, CORE_BOX
from sockets import Phone, sip_request, status_of

BACK = {"{from: core, to: phones}": "{from: core, to: softswitch}"}


def lines_of(message):
    return message.decode().split("\r\n")


def top_branch(lines):
    via = next(line for line in lines if line.lower().startswith("via:"))
    return re.search(r"branch=([^;,\s]+)", via).group(1)


class Mirror(Phone):
    """A server that sends each INVITE back to where it came from, one hop more, and what is
    answered to it the same way. As a proxy it leaves our Via below its own; else it hides it. One
    that forks sends it several times."""

    def __init__(self, peer, proxy, copies=1):
        self.proxy, self.vias, self.sent, self.hops = proxy, {}, {}, []
        self.copies = copies
        super().__init__(peer, CORE, 5060)

    def mirror(self, data):
        """The messages to send for this datagram, as lists of lines."""
        lines = lines_of(data)
        if lines[0].startswith("INVITE"):
            return self._request(lines)
        if lines[0].startswith("SIP/2.0") and not lines[0].startswith("SIP/2.0 100"):
            return self._response(lines)
        return []

    def _request(self, lines):
        hops = next(i for i, line in enumerate(lines) if line.startswith("Max-Forwards:"))
        left = int(lines[hops].split(":")[1]) - 1
        branches = [f"z9hG4bKm{i}{top_branch(lines)[-12:]}" for i in range(self.copies)]
        if branches[0] not in self.sent:
            self.hops.append(left + 1)
        lines[hops] = f"Max-Forwards: {left}"
        vias = [line for line in lines if line.startswith("Via:")]
        rest = [line for line in lines[1:] if self.proxy or not line.startswith("Via:")]
        for branch in branches:
            self.vias[branch] = vias
            self.sent[branch] = [lines[0], f"Via: SIP/2.0/UDP {CORE}:5060;branch={branch}", *rest]
        return [self.sent[branch] for branch in branches]

    def _response(self, lines):
        branch = top_branch(lines)
        if branch not in self.sent:
            return []
        rest = [line for line in lines[1:] if not line.startswith("Via:")]
        out = [[lines[0], *self.vias[branch], *rest]]
        # The ACK to a failure is each hop's own.
        kept = [line for line in self.sent[branch][1:]
                if line.startswith(("From:", "Call-ID:", "Max-Forwards:"))]
        own = [line for line in self.sent[branch] if line.startswith("Via:")][:1]
        to = next(line for line in lines if line.startswith("To:"))
        cseq = next(line for line in lines if line.startswith("CSeq:"))
        out.append([self.sent[branch][0].replace("INVITE", "ACK", 1), *own, *kept, to,
                    cseq.replace("INVITE", "ACK"), "Content-Length: 0", "", ""])
        return out

    def run(self, stop):
        """Until told to stop."""
        seen = 0
        while not stop.wait(0.002):
            while seen < len(self.received):
                for answer in self.mirror(self.received[seen][2]):
                    self.send("\r\n".join(answer).encode(), (CORE_BOX, 5060))
                seen += 1


def ack_of(invite, final):
    """The ACK to a failure (RFC 3261 section 17.1.1.3)."""
    kept = [line for line in lines_of(invite)
            if line.startswith(("Via:", "From:", "Call-ID:", "Max-Forwards:"))]
    to = next(line for line in lines_of(final) if line.startswith("To:"))
    start = lines_of(invite)[0].replace("INVITE", "ACK", 1)
    return "\r\n".join([start, *kept, to, "CSeq: 1 ACK", "Content-Length: 0", "", ""]).encode()


@pytest.mark.waits
@pytest.mark.parametrize("proxy, copies", [(True, 1), (False, 1), (True, 3), (False, 3)],
                         ids=["proxy", "b2bua", "forking proxy", "forking b2bua"])
def test_our_own_invite_comes_back(make_box, proxy, copies):
    box = make_box(BACK)
    lab, stop = box.lab, threading.Event()
    phone, mirror = Phone(lab.access, ACCESS, 5060), Mirror(lab.core, proxy, copies)
    turning = threading.Thread(target=mirror.run, args=(stop,), daemon=True)
    turning.start()
    before = box.show("memory")["heap"]["allocated"]
    for _ in range(3):
        mirror.hops.clear()
        invite = sip_request("INVITE", f"sip:1000@{ACCESS_BOX}", source=f"{ACCESS}:5060",
                             Max_Forwards="30")
        phone.send(invite, (ACCESS_BOX, 5060))
        wait_until(lambda: [status_of(answer.decode()) for _, _, answer in phone.received
                            if b" 100 " not in answer[:13]], 10, "the final answer")
        final = next(answer for _, _, answer in phone.received if b" 100 " not in answer[:13])
        assert status_of(final.decode()) in (482, 483), final
        # Each time round it has fewer hops left: not one more than there were.
        assert 1 <= len(mirror.hops) <= 30
        assert mirror.hops == sorted(set(mirror.hops), reverse=True)
        phone.send(ack_of(invite, final), (ACCESS_BOX, 5060))
        wait_until(lambda: box.calls().active == 0, 10, "the calls to be over")
        phone.received.clear()
    stop.set()
    turning.join()
    assert box.calls().answered == 0
    wait_until(lambda: box.show("stats")["transactions_server"] == 0, 45, "transactions to end")
    assert box.show("stats")["media_ports_used"] == 0
    assert box.show("memory")["heap"]["allocated"] < before + (4 << 20)
