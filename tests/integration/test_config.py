"""A wrong configuration stops the start: status 2 and one line that says where and what."""

import os
import re
import subprocess

import pytest

from sallyport_lab import Box, LabError
from sallyport_lab.box import device

CORE_DEVICE = device("net_af_xdp", "sp-core")
BOTH, CONTROL = ("dataplane", "control"), ("control",)
# what is changed in configs/lab.yaml: (old, new, words of the one line, who refuses it)
WRONG = {
    "unknown key": ("  idle: adaptive", "  idel: adaptive", ("idel",), BOTH),
    "unknown section": ("ops:\n", "opps:\n", ("opps",), BOTH),
    "bad idle": ("idle: adaptive", "idle: lazy", ("idle",), BOTH),
    "no device": (f', device: "{CORE_DEVICE}"', "", ("device",), BOTH),
    "double port": ("- {name: core, device", "- {name: access, device", ("name",), BOTH),
    "bad address": ("addresses: [192.0.2.1/24]", "addresses: [192.0.2.300/24]", ("192.0.2.300",),
                    CONTROL),
    "listener elsewhere": ('sip: ["192.0.2.1:5060"]', 'sip: ["192.0.2.9:5060"]', ("192.0.2.9",),
                           CONTROL),
    "listener in the media range": ('sip: ["192.0.2.1:5060"]', 'sip: ["192.0.2.1:20000"]',
                                    ("20000",), CONTROL),
    "media range upside down": ("media: {address: 192.0.2.1, ports: 20000-29999}",
                                "media: {address: 192.0.2.1, ports: 29999-20000}", ("ports",),
                                CONTROL),
    "unknown realm in a route": ("- {from: core, to: phones}", "- {from: cor, to: phones}",
                                 ("cor",), CONTROL),
    "unknown peer in a route": ("- {from: core, to: phones}", "- {from: core, to: phone}",
                                ("phone",), CONTROL),
    "unknown port in a realm": ("    port: core\n", "    port: coer\n", ("coer",), CONTROL),
    "not YAML": ("routes:\n", "routes: [\n", (), BOTH),
}


def run(box, *command):
    return subprocess.run(["ip", "netns", "exec", box.lab.box.name, *command],
                          capture_output=True, text=True, check=False, timeout=30,
                          stdin=subprocess.DEVNULL)


def program(box, who):
    return box.program(who, f"sallyport-{who}")


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_configuration(lab, kind):
    old, new, words, refusers = WRONG[kind]
    box = Box(lab, "net_af_xdp")
    with open(box.config, encoding="utf-8") as text:
        good = text.read()
    assert old in good, f"configs/lab.yaml has no {old!r}"
    with open(box.config, "w", encoding="utf-8") as text:
        text.write(good.replace(old, new))
    checks = [run(box, program(box, who), "-c", box.config) for who in refusers]
    checks.append(run(box, box.program("control", "cli", "sally"), "config", "check", box.config))
    for done in checks:
        assert done.returncode == 2, done
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        assert re.search(rf"{re.escape(box.config)}:\d+: ", lines[0]), lines[0]
        for word in words:
            assert word in lines[0], lines[0]
    assert len({done.stderr for done in checks}) == 1, checks


def test_missing_file(lab):
    box = Box(lab, "net_af_xdp")
    file = lab.path("nosuch.yaml")
    for who in BOTH:
        done = run(box, program(box, who), "-c", file)
        assert done.returncode == 2
        assert done.stderr == f"{file}: No such file or directory; name a readable file\n"


def test_good_files_are_good(lab):
    box = Box(lab, "net_af_xdp")
    folder = os.path.dirname(os.path.abspath(__file__))
    samples = os.path.join(folder, "..", "..", "configs")
    for name in [n for n in os.listdir(samples) if n.endswith(".yaml")]:
        done = run(box, box.program("control", "cli", "sally"), "config", "check",
                   os.path.join(samples, name))
        assert done.returncode == 0, (name, done.stderr)


def test_no_such_device(lab):
    """A sentence that says what to do, not an abort."""
    box = Box(lab, "net_af_packet")
    with open(box.config, encoding="utf-8") as text:
        config = text.read()
    with open(box.config, "w", encoding="utf-8") as text:
        text.write(config.replace("iface=sp-core", "iface=nosuch0"))
    try:
        box.start_dataplane()
    except LabError:
        assert box.dataplane.wait(5) > 0
        assert "nosuch0" in box.dataplane.output()
        return
    raise AssertionError("it started without its device")


def test_no_privilege(lab):
    """Without the rights to open devices: a sentence, and no crash."""
    box = Box(lab, "net_af_packet")
    done = run(box, "setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all",
               "--inh-caps=-all", program(box, "dataplane"), "-c", box.config)
    assert done.returncode > 0
    assert done.stderr.strip()
