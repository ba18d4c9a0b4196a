"""RFC 4475 and RFC 5118: the torture messages, each as one datagram to the SIP port.

The RFCs leave a choice for many of them; what is listed here is what they leave no choice about,
and what holds for all: an answer is well-formed, nothing malformed reaches the other side, and the
box is there afterwards.
"""

import os
import re

import pytest
from sockets import Phone, corpus, files, sip_answer, sip_request, status_of

from sallyport_lab import wait_until
from sallyport_lab.net import ACCESS, ACCESS_BOX, CORE, CORE_BOX

pytestmark = pytest.mark.others_names("all the messages are of a few hosts, in user parts too")

SIP = (ACCESS_BOX, 5060)
SILENCE = None
PHONES = "{name: phones, realm: access, address: 192.0.2.2"
REGISTERS = {PHONES: f"{PHONES}, methods: [INVITE, OPTIONS, REGISTER]"}
VIA_PORT = re.compile(rb"^(?:Via|v)\s*:\s*SIP\s*/\s*\S+\s*/\s*\S+\s+[^\s;:,]+\s*:\s*(\d+)",
                      re.IGNORECASE | re.MULTILINE)

# RFC 4475 sections 3.1.2 and 3.3: the answer owed. Several where it says so.
OWED = {
    "clerr": (400,), "ncl": (400,), "scalar02": (400,), "ltgtruri": (400,), "badvers": (400, 505),
    "mismatch01": (400,), "mismatch02": (400, 501), "multi01": (400,),
    "mcl01": (400,), "unkscm": (416,), "novelsc": (416,), "bext01": (420,),
    "badinv01": (400,), "quotbal": (400,), "regbadct": (400,), "badaspec": (400,),
    "scalarlg": (SILENCE,), "bigcode": (SILENCE,), "bcast": (SILENCE,),
    "unreason": (SILENCE,), "noreason": (SILENCE,), "ipv6-bad": (400, 416),
    "badbranch": (400,), "baddn": (400,), "escruri": (400,), "lwsruri": (400,), "lwsstart": (400,),
    "trws": (400,), "zeromf": (483,),
    # A BYE of no call.
    "mult-ip-in-header": (481,),
    # "Ideally" 400; but without Call-ID, From and To there is nothing to build an answer from.
    "insuf": (400, SILENCE),
    # What an endpoint and a registrar say, for whom the box stands here (sections 3.3.4, 3.3.6,
    # 3.3.15). Some of these answers come again for want of an ACK: no insuf, which has no Call-ID to
    # know its answer by, may follow.
    "unksm2": (400,), "invut": (415,), "sdp01": (406,),
    # Legal; but its INVITE has no Contact, so that a B2BUA has no target for its requests (RFC 3261
    # section 8.1.1.8).
    "inv2543": (400,),
    # Media in IPv6, signalled in IPv4 from a realm with nat: auto.
    "ipv6-in-sdp": (488,), "mult-ip-in-sdp": (488,),
}
# Legal requests that must not be called bad, whatever else becomes of them.
LEGAL = ("wsinv", "intmeth", "esc01", "escnull", "esc02", "lwsdisp", "longreq", "dblreq", "semiuri",
         "transports", "mpart01", "cparam01", "cparam02", "regescrt", "regaut01", "invut", "sdp01",
         "baddate", "ipv6-good", "port-ambiguous", "port-unambiguous",
         "via-received-param-with-delim", "via-received-param-no-delim", "ipv4-mapped-ipv6",
         "ipv6-bug-abnf-3-colons", "ipv6-correct-abnf-2-colons")
# Of the archive of RFC 4475, not of its text.
NOT_OF_THE_RFC = ("archive-extra-test",)


def message(name):
    for folder in ("rfc4475", "rfc5118"):
        path = os.path.join(corpus(), folder, name + ".dat")
        if os.path.exists(path):
            with open(path, "rb") as data:
                return data.read()
    raise AssertionError(f"{name}.dat is not in the corpus")


@pytest.fixture(name="box")
def box_that_takes_registers(lend_box):
    return lend_box(REGISTERS)


@pytest.fixture(name="phone")
def sip_phone(box, request):
    """On the port that the message's topmost Via names: answers go there (RFC 3261 section
    18.2.2)."""
    parameters = getattr(request.node, "callspec", None)
    via = VIA_PORT.search(message(parameters.params["name"])) if parameters else None
    with Phone(box.lab.access, ACCESS, int(via.group(1)) if via else 5060) as phone:
        yield phone


@pytest.fixture(name="server")
def sip_server(box):
    """Takes what the box passes on, and answers nothing."""
    with Phone(box.lab.core, CORE, 5060) as server:
        yield server


def test_every_message_has_its_verdict():
    names = {os.path.basename(path)[:-len(".dat")]
             for folder in ("rfc4475", "rfc5118") for path in files(folder, ending=(".dat",))}
    assert names == {*OWED, *LEGAL, *NOT_OF_THE_RFC}


def well_formed(answer):
    head = answer.split("\r\n\r\n", 1)[0].split("\r\n")
    assert re.fullmatch(r"SIP/2\.0 [1-6]\d\d .*", head[0]), head[0]
    assert any(line.lower().startswith("via:") for line in head), answer
    assert any(line.lower().startswith("cseq:") for line in head), answer


@pytest.mark.parametrize("name", OWED)
def test_answer_that_is_owed(phone, server, name):
    answer = phone.ask(message(name), SIP, seconds=0.7)
    assert status_of(answer) in OWED[name], answer
    assert server.payloads() == [], "it was passed on"
    if answer:
        well_formed(answer)


@pytest.mark.parametrize("name", LEGAL)
def test_legal_is_not_called_bad(phone, server, name):
    answer = phone.ask(message(name), SIP, seconds=0.7)
    assert status_of(answer) != 400, answer
    if answer:
        well_formed(answer)
    for passed_on in server.payloads():
        assert passed_on.startswith((b"INVITE ", b"CANCEL ", b"OPTIONS ", b"MESSAGE ",
                                     b"REGISTER ")), passed_on


def test_unknown_media_type_is_told_the_known_ones(phone):
    """Section 3.3.6, and RFC 3261 section 8.2.3."""
    assert "\r\nAccept: application/sdp, multipart/mixed\r\n" in phone.ask(message("invut"), SIP)


def test_unknown_credentials_are_none(phone, server):
    """regaut01, section 3.3.7: an unknown scheme is no fault, and as good as none. The request goes
    on without it, since the box cannot say what it names, and the registrar's challenge goes back."""
    phone.send(message("regaut01").replace(b"j.user", b"regaut"), SIP)
    register = wait_until(lambda: [data for data in server.messages(b"REGISTER ")
                                   if b"sip:regaut@" in data], 5, "the REGISTER at the registrar")[0]
    assert b"NoOneKnowsThisScheme" not in register
    challenge = 'WWW-Authenticate: Digest realm="example.com", nonce="n1"'
    server.send(sip_answer(register, 401, "Unauthorized", f"sip:{CORE}").replace(
        b"Content-Length", f"{challenge}\r\nContent-Length".encode()), (CORE_BOX, 5060))
    answer = wait_until(lambda: [data for data in phone.payloads() if b"regaut01" in data], 5,
                        "the challenge")[0].decode()
    assert status_of(answer) == 401 and f"\r\n{challenge}\r\n" in answer, answer


def test_afterwards_it_still_answers(phone):
    assert status_of(phone.ask(sip_request(source=f"{ACCESS}:5060"), SIP)) == 200
