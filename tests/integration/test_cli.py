"""sally: tables and JSON, exit statuses, the socket."""

import json
import os
import socket
import stat
import subprocess

import pytest

from sallyport_lab import Sipp, scenario, wait_until
from sallyport_lab.net import ACCESS_BOX

SHOWS = ("status", "ports", "graph", "calls", "drops", "limits", "sources", "overload", "transactions", "stats",
         "memory")


def sally(box, *arguments):
    return subprocess.run([box.program("control", "cli", "sally"), *arguments],
                          capture_output=True, text=True, check=False, timeout=20,
                          stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("what", SHOWS)
def test_show_as_json_and_as_table(box, what):
    done = sally(box, "-s", box.socket, "--json", "show", what)
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    done = sally(box, "-s", box.socket, "show", what)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_show_calls_while_they_run(box):
    lab = box.lab
    with Sipp(lab, lab.core, scenario.answer_and_talk(4000)) as server, \
            Sipp(lab, lab.access, scenario.talk_and_hang_up(4000), to=f"{ACCESS_BOX}:5060",
                 calls=3) as phones:
        wait_until(lambda: box.calls().answered_active == 3, 5, "three answered calls")
        calls = box.show("calls")["calls"]
        assert len(calls) == 3
        for call in calls:
            one = box.show("call", call["id"])
            assert one["id"] == call["id"]
            assert call["id"] in box.sally("show", "call", call["id"])
            assert call["id"] in box.sally("show", "calls")
        wait_until(lambda: "20" in json.dumps(box.show("call", calls[0]["id"])), 3, "media ports")
        assert phones.wait(20).succeeded == 3, phones.errors()
        server.settle(3)
    assert box.show("calls")["calls"] == []


def test_trace_of_a_call(make_box):
    """Every message of both legs, while the call lasts and when it is over."""
    box = make_box({"shards: 1": "shards: 2"})
    lab = box.lab
    with Sipp(lab, lab.core, scenario.answer_and_talk(1500, rtp=False)) as server, \
            Sipp(lab, lab.access, scenario.talk_and_hang_up(1500, rtp=False),
                 to=f"{ACCESS_BOX}:5060", calls=1) as phone:
        wait_until(lambda: box.calls().answered_active == 1, 5, "the call")
        name = box.show("calls")["calls"][0]["id"]
        live = json.loads(box.sally("--json", "trace", "call", name))
        assert live["state"] == "established"
        assert phone.wait(20).succeeded == 1, phone.errors()
        server.settle(1)
    wait_until(lambda: box.cdrs(), 5, "the call record")
    record = box.cdrs()[0]
    assert record["id"] == name
    for other in (name, record["a_call_id"], record["b_call_id"]):
        trace = json.loads(box.sally("--json", "trace", "call", other))
        assert (trace["id"], trace["cause"], trace["left_out"]) == (name, "normal", 0)
    seen = [(m["leg"], m["direction"], m.get("status"), m["method"], m["sdp"])
            for m in trace["messages"] if m.get("status") != 100]
    assert seen == [
        ("caller", "in", None, "INVITE", True), ("callee", "out", None, "INVITE", True),
        ("callee", "in", 180, "INVITE", False), ("caller", "out", 180, "INVITE", False),
        ("callee", "in", 200, "INVITE", True), ("callee", "out", None, "ACK", False),
        ("caller", "out", 200, "INVITE", True), ("caller", "in", None, "ACK", False),
        ("caller", "in", None, "BYE", False), ("caller", "out", 200, "BYE", False),
        ("callee", "out", None, "BYE", False), ("callee", "in", 200, "BYE", False)], trace
    assert trace["messages"][-1]["ms"] >= 1500
    ladder = box.sally("trace", "call", name)
    for piece in ("caller", "box", "callee", "INVITE, SDP", "180 Ringing", "200 OK (BYE)"):
        assert piece in ladder, ladder


def test_show_calls_counts_over_all_shards(make_box):
    """N calls are N calls, whichever shards have them."""
    box = make_box({"shards: 1": "shards: 4"})
    lab, calls = box.lab, 12
    with Sipp(lab, lab.core, scenario.answer_and_talk(0, rtp=False)), \
            Sipp(lab, lab.access, scenario.talk_and_hang_up(3000, rtp=False), to=f"{ACCESS_BOX}:5060",
                 calls=calls, rate=50):
        wait_until(lambda: box.calls().answered >= calls, 10, "the calls to be answered")
        for count in (1, 5, 11, 12, 13):
            assert len(box.show("calls", str(count))["calls"]) == min(count, calls)
        assert box.show("calls", "1")["total"] == calls


def test_graph_shows_the_nodes(box):
    table = box.sally("show", "graph")
    for node in ("eth", "ip", "media", "sip"):
        assert node in table


def test_exit_statuses(box):
    """0 done, 1 refused, 2 usage."""
    assert sally(box, "-s", box.socket, "show", "call", "nosuchcall").returncode == 1
    assert sally(box, "-s", "/nonexistent/socket", "show", "status").returncode == 1
    for wrong in (("show",), ("show", "nothing"), ("frobnicate",), ("--nosuch",), ("show", "call")):
        done = sally(box, "-s", box.socket, *wrong)
        assert done.returncode == 2, (wrong, done)
        assert done.stderr.strip()


def test_socket_is_private(box):
    assert stat.S_IMODE(os.stat(box.socket).st_mode) == 0o600
    # Control may run as another user of the dataplane's group; nobody else gets in.
    assert stat.S_IMODE(os.stat(box.dataplane_socket).st_mode) & 0o007 == 0


def rpc(box, line):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(box.socket)
        client.sendall(line)
        return json.loads(client.makefile().readline())


def test_json_rpc_errors(box):
    """JSON-RPC 2.0 section 5.1."""
    assert rpc(box, b"nonsense\n")["error"]["code"] == -32700
    assert rpc(box, b'{"jsonrpc":"2.0","id":1,"method":"nosuch"}\n')["error"]["code"] == -32601
    assert rpc(box, b'{"id":1}\n')["error"]["code"] == -32600
    assert box.control.alive()
