"""SIP by hand: raw datagrams from a peer's namespace, and where the corpus is."""

import itertools
import os
import re
import time

import pytest

from sallyport_lab import Endpoint

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CALL_ID = re.compile(rb"^(?:Call-ID|i)[ \t]*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_ids = itertools.count(1)


def corpus():
    """The folder of shared messages; skips the test when this clone has none beside it."""
    shared = os.environ.get("SALLYPORT_SHARED", os.path.join(ROOT, "..", "shared"))
    folder = os.path.realpath(os.path.join(shared, "corpus"))
    if not os.path.isdir(folder):
        pytest.skip(f"skipped: no corpus at {folder}; put it there or set SALLYPORT_SHARED")
    return folder


def files(*parts, ending=(".sip", ".dat", ".bin", ".sdp")):
    """Names below a corpus folder, in order."""
    found = []
    for folder, _, names in os.walk(os.path.join(corpus(), *parts)):
        found += [os.path.join(folder, name) for name in names if name.endswith(ending)]
    return sorted(found)


def sip_request(method="OPTIONS", uri="sip:192.0.2.1", source="192.0.2.2:5090", drop=(), **headers):
    """A request as bytes. headers replace the usual ones by name ("call_id" is Call-ID); drop
    leaves some out."""
    number = next(_ids)
    usual = {
        "Via": f"SIP/2.0/UDP {source};branch=z9hG4bKhand{os.getpid()}x{number};rport",
        "From": f"<sip:hand@{source}>;tag=h{number}",
        "To": f"<{uri}>",
        "Call-ID": f"{os.getpid()}-{number}-{time.monotonic_ns()}@hand",
        "CSeq": f"1 {method}",
        "Contact": f"<sip:hand@{source}>",
        "Max-Forwards": "70",
        "Content-Length": "0",
    }
    for name, value in headers.items():
        match = [n for n in usual if n.lower() == name.lower().replace("_", "-")]
        usual[match[0] if match else name.replace("_", "-")] = value
    lines = [f"{method} {uri} SIP/2.0"]
    lines += [f"{name}: {value}" for name, value in usual.items() if name not in drop]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def sip_answer(request, status, reason, contact, body=""):
    """The answer of a callee to a request (bytes both), with an SDP body or none."""
    lines = request.decode().split("\r\n\r\n", 1)[0].split("\r\n")
    kept = [line for line in lines if re.match(r"(Via|From|To|Call-ID|CSeq)\s*:", line)]
    kept = [line + ";tag=hand" if re.match("To:(?!.*;tag=)", line) else line for line in kept]
    kept.append(f"Contact: <{contact}>")
    kept += ["Content-Type: application/sdp"] if body else []
    head = "\r\n".join([f"SIP/2.0 {status} {reason}", *kept, f"Content-Length: {len(body)}"])
    return f"{head}\r\n\r\n{body}".encode()


class Phone(Endpoint):
    """A socket that speaks SIP by hand."""

    def messages(self, pattern, since=0):
        """What it received from the since-th message on whose start line fits, as bytes."""
        return [data for _, _, data in self.received[since:] if re.match(pattern, data)]

    def ask(self, message, to, seconds=2.0):
        """Send, and wait for the first answer to it (by Call-ID); None if none comes."""
        call_id = CALL_ID.search(message)
        have = len(self.received)
        self.send(message, to)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for _, _, answer in self.received[have:]:
                if answer.startswith(b"SIP/2.0") and (not call_id or call_id.group(1) in answer):
                    return answer.decode("utf-8", "replace")
            time.sleep(0.01)
        return None


def status_of(answer):
    """Status code of a response."""
    return int(answer.split(" ", 2)[1]) if answer else None
