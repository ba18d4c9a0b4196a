"""The box as a Linux machine: twins, devices, memory, idle, sums."""

import itertools
import os
import signal
import socket
import time

import pytest
from sockets import Phone, sip_request, status_of

from sallyport_lab import Box, Sipp, scenario, wait_until
from sallyport_lab.box import DRIVERS
from sallyport_lab.net import ACCESS_BOX, ACCESS_WRONG, CORE_BOX

TO_BOX = f"{ACCESS_BOX}:5060"


def three_calls(box):
    lab = box.lab
    access, core = lab.access.media(), lab.core.media()
    with Sipp(lab, lab.core, scenario.answer_and_talk(1000)) as server:
        with Sipp(lab, lab.access, scenario.talk_and_hang_up(1000), to=TO_BOX, calls=3) as phones:
            placed = phones.wait(20)
        taken = server.settle(3)
    assert (placed.succeeded, taken.succeeded) == (3, 3), phones.errors() + server.errors()
    access, core = lab.access.media() - access, lab.core.media() - core
    assert access.sent == core.received > 0 and core.sent == access.received > 0


@pytest.mark.parametrize("driver, pages", itertools.product(DRIVERS, ("auto", "never")))
def test_devices_and_memory(hugepages, lab, driver, pages):
    """Calls on every lab device, with hugepages where they can be had, and without."""
    with Box(lab, driver, changes={"hugepages: auto": f"hugepages: {pages}"}) as box:
        box.start()
        if pages == "never":
            assert not box.show("status")["dataplane"]["hugepages"]
        three_calls(box)
        assert driver.removeprefix("net_") in str(box.show("ports"))
        assert box.stop() == (0, 0)


def test_hugepages_that_are_gone(lab):
    """The kernel told of free pages that cannot be had in the end: it starts without them."""
    box = Box(lab, "net_af_packet", changes={"hugepages: auto": "hugepages: auto\n  memory_mib: 3000"})
    sizes = lab.path("hugepages")
    pages = os.path.join(sizes, "hugepages-2048kB")
    os.makedirs(pages)
    for name in ("nr_hugepages", "free_hugepages"):
        with open(os.path.join(pages, name), "w", encoding="ascii") as number:
            number.write("60000\n")
    for name in ("resv_hugepages", "surplus_hugepages", "nr_overcommit_hugepages"):
        with open(os.path.join(pages, name), "w", encoding="ascii") as number:
            number.write("0\n")
    program = box.program("dataplane", "sallyport-dataplane")
    process = lab.box.start("dataplane", ["unshare", "-m", "sh", "-ec", f"""
        mount --bind {sizes} /sys/kernel/mm/hugepages
        exec {program} -c {box.config}"""], lab.path("dataplane.log"))
    wait_until(lambda: "running ports=2" in process.output() or not process.alive(), 20, "a start")
    assert process.alive(), process.tail()
    assert "without hugepages" in process.output()
    assert process.stop() == 0


def test_vhost_device_without_its_module(lab):
    """A /dev/vhost-net that cannot be opened: the twins are plain TAP interfaces then."""
    box = Box(lab, "net_af_packet")
    dev = lab.path("dev")
    os.mkdir(dev)
    program = box.program("dataplane", "sallyport-dataplane")
    process = lab.box.start("dataplane", ["unshare", "-m", "sh", "-ec", f"""
        mount -t tmpfs none {dev}
        cp -a /dev/net /dev/null /dev/zero /dev/urandom {dev}
        rm -f {dev}/vhost-net
        mknod {dev}/vhost-net c 240 200
        mount --bind {dev} /dev
        exec {program} -c {box.config}"""], lab.path("dataplane.log"))
    wait_until(lambda: "running ports=2" in process.output() or not process.alive(), 10, "a start")
    assert process.alive(), process.tail()
    links = lab.box.run("ip", "-o", "link")
    assert " access:" in links and " core:" in links
    assert process.stop() == 0


def test_arp_and_ping_through_the_twin(box):
    """The kernel answers for the box, with its tools' defaults, in both directions."""
    lab = box.lab
    for peer, address in ((lab.access, ACCESS_BOX), (lab.core, CORE_BOX)):
        peer.run("ip", "neigh", "flush", "all")
        assert peer.enter(echo, address), f"no ICMP echo from {address}"
        assert address in peer.run("ip", "neigh", "show", "nud", "reachable")
    assert lab.box.enter(echo, lab.access.address)
    assert lab.box.enter(echo, lab.core.address)


def echo(address):
    """One ICMP echo by a raw socket, as ping does it."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.settimeout(2)
        body = b"\x08\x00\x00\x00" + os.getpid().to_bytes(4, "big")
        total = sum(int.from_bytes(body[i:i + 2], "big") for i in range(0, 8, 2))
        total = (total & 0xffff) + (total >> 16)
        raw.sendto(body[:2] + (~total & 0xffff).to_bytes(2, "big") + body[4:], (address, 0))
        try:
            while True:
                reply, source = raw.recvfrom(2048)
                if source[0] == address and reply[20] == 0:
                    return True
        except socket.timeout:
            return False


def test_tcp_reaches_the_kernel(box):
    """A TCP connection to the box's address ends in its kernel: refused, not silent."""
    def connect():
        with socket.socket() as tcp:
            tcp.settimeout(3)
            return tcp.connect_ex((ACCESS_BOX, 4000))
    assert box.lab.access.enter(connect) == 111  # ECONNREFUSED


def test_neighbour_that_moves(box):
    """The peer's MAC address changes; calls work at once after the kernel has learned it."""
    lab = box.lab
    three_calls(box)
    lab.core.ip("link set eth0 address 02:00:00:00:12:34")
    lab.core.enter(echo, CORE_BOX)
    three_calls(box)


def test_attached_means_ready(make_box):
    """What comes right after the start is answered at once: ways out are known by then."""
    box = make_box()
    with Phone(box.lab.access, ACCESS_WRONG, 5090) as phone:
        answer = phone.ask(sip_request(source=f"{ACCESS_WRONG}:5090"), (ACCESS_BOX, 5060))
    assert status_of(answer) == 200 and box.drops().get("out_no_route", 0) == 0


def test_quiet_box_is_idle(box):
    """Less than 5 % of one core over ten seconds, main and worker together."""
    if os.environ.get("SALLYPORT_SANITIZED") == "1":
        limit = 0.15  # the sanitizers' own cost
    else:
        limit = 0.05
    wait_until(lambda: box.calls().active == 0, 10, "the box to be quiet")
    time.sleep(1)
    begin, cpu = time.monotonic(), box.dataplane.cpu_seconds()
    control = box.control.cpu_seconds()
    time.sleep(10)
    elapsed = time.monotonic() - begin
    assert (box.dataplane.cpu_seconds() - cpu) / elapsed < limit
    assert (box.control.cpu_seconds() - control) / elapsed < limit


def test_every_packet_is_accounted_for(box):
    """What came in from anywhere is what went out, was given away or dropped, exactly."""
    three_calls(box)
    box.lab.access.enter(echo, ACCESS_BOX)

    def balances():
        return [(port["rx_packets"] + port["from_twin"] + port["from_control"],
                 port["forwarded"] + port["originated"] + port["punted"] + port["sip_up"]
                 + port["gleaned"] + port["reassembled"] + port["dropped"]) for port in box.show("ports")]
    wait_until(lambda: balances() == balances(), 10, "the ports to be at rest")
    for came, went in balances():
        assert came == went > 0
    access = next(port for port in box.show("ports") if port["name"] == "access")
    assert access["punted"] > 0 and access["from_twin"] > 0  # the ping, and its answer


@pytest.mark.parametrize("driver", DRIVERS)
def test_link_down_shows(make_box, driver):
    """Down and removed are told from up, and after a link came back calls work."""
    box = make_box(driver=driver)
    lab = box.lab

    def links():
        return {port["name"]: port["link"] for port in box.show("ports")}
    assert links() == {"access": "up", "core": "up"}
    lab.box.ip("link set sp-core down")
    wait_until(lambda: links() == {"access": "up", "core": "down"}, 5, "the link to be down")
    lab.box.ip("link set sp-core up")
    wait_until(lambda: links() == {"access": "up", "core": "up"}, 5, "the link to be up")
    three_calls(box)
    lab.box.ip("link del sp-core")
    wait_until(lambda: links() == {"access": "up", "core": "down"}, 5, "the link to be gone")


@pytest.mark.parametrize("driver", DRIVERS)
def test_second_dataplane_is_refused(make_box, driver):
    """On the same interfaces it says so and ends; the first one's calls go on."""
    box = make_box(driver=driver)
    second = box.lab.box.start(
        "second", [box.program("dataplane", "sallyport-dataplane"), "-c", box.config],
        box.lab.path("second.log"))
    assert second.wait(10) == 1
    assert "'sp-access' is in use by another" in second.output()
    three_calls(box)


def test_ctrl_c_too(make_box):
    """SIGINT ends both as SIGTERM does."""
    box = make_box()
    for process in (box.control, box.dataplane):
        process.signal(signal.SIGINT)
        assert process.wait(15) == 0, process.tail()
