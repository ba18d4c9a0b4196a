#!/usr/bin/python3
"""Packets a second through the relay on one worker core, beside dpdk-testpmd 5tswap.

Both read the same pcap files without end on two net_pcap ports. Rounds alternate, medians count.
A second is one of the forwarding thread's own time on its core, so that what else runs on the
machine takes packets from neither.
Writes its row into a JSON list of {name, value, unit, baseline, ratio, target, met}.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

FLOWS = 20000
FIRST_PORT = 10000
REMOTE_PORT = 4000
BURST = 32  # PORT_BURST of dataplane/ports.h
MBUFS = 65536  # net_pcap keeps a copy of both files
MEMORY_MIB = 512
TARGET = 0.6
WARM_UP_S = 1.0
# Realm 0 and 1: own address, first remote. net_pcap's n-th device has MAC 02:70:63:61:70:0n.
SIDES = (
    {"port": "bench0", "local": "10.1.0.1", "gateway": "10.1.0.2", "remote": "198.18.0.1"},
    {"port": "bench1", "local": "10.2.0.1", "gateway": "10.2.0.2", "remote": "198.19.0.1"},
)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def rtp_frame(mac, src, sport, dst, dport, sequence):
    """G.711, 20 ms: 12 bytes of RTP header and 160 of sound."""
    rtp = struct.pack("!BBHII", 0x80, 0, sequence & 0xFFFF, 160 * sequence & 0xFFFFFFFF, sport)
    rtp += bytes([0xD5]) * 160
    length = 8 + len(rtp)
    udp = struct.pack("!HHHH", sport, dport, length, 0) + rtp
    pseudo = src + dst + struct.pack("!BBH", 0, 17, length)
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp) or 0xFFFF) + udp[8:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0, 64, 17, 0, src, dst)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return mac + bytes.fromhex("02000000aaaa") + b"\x08\x00" + ip + udp


def pcap_write(path, index, side):
    """One packet for each flow, from its remote to its local port."""
    mac = bytes.fromhex("0270636170") + bytes([index])
    first = struct.unpack("!I", socket.inet_aton(side["remote"]))[0]
    local = socket.inet_aton(side["local"])
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for flow in range(FLOWS):
            remote = struct.pack("!I", first + flow)
            frame = rtp_frame(mac, remote, REMOTE_PORT, local, FIRST_PORT + 2 * flow, flow)
            out.write(struct.pack("<IIII", 0, flow, len(frame), len(frame)) + frame)


def worker_ns(pid):
    """Time on the CPU of lcore 1's thread, nanoseconds (first field of schedstat)."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as f:
            if not f.read().strip().endswith("worker-1"):
                continue
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[0])
    raise RuntimeError("no forwarding thread")


class Bench:
    def __init__(self, args, directory):
        self.args = args
        self.dir = directory
        self.netns = f"sallyport-bench-{os.getpid()}"
        self.children = []
        self.pcaps = [os.path.join(directory, f"side{i}.pcap") for i in range(2)]
        cpus = sorted(os.sched_getaffinity(0))
        self.main_core, self.core = cpus[0], cpus[1 if len(cpus) > 1 else 0]

    def sh(self, *command):
        subprocess.run(("ip", "netns", "exec", self.netns) + command, check=True)

    def spawn(self, command, **options):
        child = subprocess.Popen(["ip", "netns", "exec", self.netns] + command, text=True, **options)
        self.children.append(child)
        return child

    def stop(self, child):
        child.send_signal(signal.SIGINT)
        try:
            child.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self.children.remove(child)

    def set_up(self):
        for index, side in enumerate(SIDES):
            pcap_write(self.pcaps[index], index, side)
        subprocess.run(("ip", "netns", "add", self.netns), check=True)
        self.sh("ip", "link", "set", "lo", "up")

    def tear_down(self):
        for child in list(self.children):
            self.stop(child)
        subprocess.run(("ip", "netns", "del", self.netns), stderr=subprocess.DEVNULL, check=False)

    def devices(self):
        return [f"net_pcap{i},rx_pcap={path},infinite_rx=1" for i, path in enumerate(self.pcaps)]

    # --- ours ---

    def config_write(self):
        path = os.path.join(self.dir, "bench.yaml")
        with open(path, "w", encoding="ascii") as out:
            out.write(
                f"dataplane:\n  socket: {self.dir}/dataplane.sock\n  cores: {self.core}\n"
                f"  main_core: {self.main_core}\n  idle: poll\n  memory_mib: {MEMORY_MIB}\n"
                f"  mbufs: {MBUFS}\n  ports:\n"
            )
            for side, device in zip(SIDES, self.devices()):
                out.write(f'    - {{name: {side["port"]}, device: "{device}"}}\n')
        return path

    def loader(self, streams, seconds, dataplane):
        """Runs the flow loader; its JSON lines, each with the worker's time when it came."""
        command = [f"{self.args.build}/tests/perf/flow_loader", "-s", f"{self.dir}/dataplane.sock"]
        for local, remote, side in zip("ab", "AB", SIDES):
            command += [f"-{local}", side["local"] + "/24", f"-{remote}", side["remote"]]
        command += ["-p", str(FIRST_PORT), "-P", str(REMOTE_PORT), "-n", str(streams)]
        command += ["-t", str(seconds)]
        child = self.spawn(command, stdout=subprocess.PIPE)
        watchdog = threading.Timer(60 + seconds, child.kill)
        watchdog.start()
        lines = [dict(json.loads(line), cpu=worker_ns(dataplane.pid)) for line in child.stdout]
        child.wait()
        watchdog.cancel()
        self.children.remove(child)
        if child.returncode != 0:
            raise RuntimeError("the flow loader failed")
        return lines

    def routes_add(self):
        """The remotes lie behind a gateway whose address the kernel knows for good."""
        for side in SIDES:
            net = side["remote"].rsplit(".", 2)[0] + ".0.0/16"
            self.sh("ip", "neigh", "replace", side["gateway"], "lladdr", "02:00:00:00:aa:aa",
                    "nud", "permanent", "dev", side["port"])
            self.sh("ip", "route", "replace", net, "via", side["gateway"], "dev", side["port"])

    def wait_ready(self, child):
        path = f"{self.dir}/dataplane.sock"
        limit = time.monotonic() + 30
        while time.monotonic() < limit:
            if child.poll() is not None:
                with open(f"{self.dir}/dataplane.log", encoding="utf8") as log:
                    raise RuntimeError(f"sallyport-dataplane ended: {log.read()[-500:]}")
            if os.path.exists(path):
                return
            time.sleep(0.05)
        raise RuntimeError("sallyport-dataplane does not start")

    def ours(self):
        command = [f"{self.args.build}/dataplane/sallyport-dataplane", "-c", self.config_write()]
        child = self.spawn(command, stderr=open(f"{self.dir}/dataplane.log", "w", encoding="utf8"))
        self.wait_ready(child)
        self.loader(0, 0, child)  # the addresses come with it
        self.routes_add()
        time.sleep(0.3)
        lines = self.loader(FLOWS, int(WARM_UP_S + self.args.seconds), child)
        self.stop(child)
        samples = [s for s in lines if "tx" in s]
        first = next(s for s in samples if s["ns"] >= WARM_UP_S * 1e9)
        last = samples[-1]
        rx, tx, drops = (last[key] - first[key] for key in ("rx", "tx", "drops"))
        if tx < 0.99 * rx:
            raise RuntimeError(f"only {tx} of {rx} packets were relayed, {drops} dropped")
        return tx / ((last["cpu"] - first["cpu"]) / 1e9)

    # --- the baseline ---

    def huge(self):
        """The memory that the dataplane would take."""
        with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", encoding="ascii") as f:
            return int(f.read()) * 2 >= MEMORY_MIB

    def testpmd(self):
        memory = ["--in-memory"] if self.huge() else ["--no-huge", "--no-shconf"]
        command = ["dpdk-testpmd", "--no-pci", "--no-telemetry", "-m", str(MEMORY_MIB)] + memory
        command += [f"--file-prefix={self.netns}", "--lcores", f"0@{self.main_core},1@{self.core}"]
        for device in self.devices():
            command += ["--vdev", device]
        command += ["--", "--no-mlockall", "--nb-cores=1", "--forward-mode=5tswap",
                    f"--burst={BURST}", f"--total-num-mbufs={MBUFS}", "--stats-period=1"]
        child = self.spawn(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        watchdog = threading.Timer(30 + self.args.seconds, child.kill)
        watchdog.start()
        samples, total, ports = [], 0, 0
        for line in child.stdout:
            found = re.search(r"TX-packets:\s+(\d+)", line)
            if found:
                total, ports = total + int(found[1]), ports + 1
            if ports == len(SIDES):
                samples.append((time.monotonic(), total, worker_ns(child.pid)))
                total, ports = 0, 0
            if len(samples) > 2 and samples[-1][0] - samples[1][0] >= self.args.seconds:
                break
        self.stop(child)
        watchdog.cancel()
        if len(samples) < 3:
            raise RuntimeError("dpdk-testpmd ended early")
        (_, n0, t0), (_, n1, t1) = samples[1], samples[-1]
        return (n1 - n0) / ((t1 - t0) / 1e9)


def row_store(path, row):
    try:
        with open(path, encoding="utf8") as f:
            rows = [r for r in json.load(f) if r["name"] != row["name"]]
    except (OSError, ValueError):
        rows = []
    with open(path, "w", encoding="utf8") as f:
        json.dump([row] + rows, f, indent=2)
        f.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="meson's build folder")
    parser.add_argument("--json", default=None, help="result file (BUILD/bench.json)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of measuring, a round and program")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("relay_bench: run as root: it makes a network namespace and TAP interfaces")
    if shutil.which("dpdk-testpmd") is None:
        sys.exit("relay_bench: dpdk-testpmd is missing: install the package dpdk")
    directory = tempfile.mkdtemp(prefix="sallyport-bench-")
    bench = Bench(args, directory)
    ours, base = [], []
    try:
        bench.set_up()
        for number in range(1, args.rounds + 1):
            base.append(bench.testpmd())
            ours.append(bench.ours())
            print(f"round {number}: relay {ours[-1] / 1e6:.2f} Mpps, "
                  f"testpmd {base[-1] / 1e6:.2f} Mpps", flush=True)
    finally:
        bench.tear_down()
        shutil.rmtree(directory, ignore_errors=True)
    value, reference = statistics.median(ours), statistics.median(base)
    row = {
        "name": "relay_ipv4",
        "value": round(value),
        "unit": "packets/s",
        "baseline": {"name": "testpmd 5tswap", "value": round(reference)},
        "ratio": round(value / reference, 3),
        "target": TARGET,
        "met": value / reference >= TARGET,
    }
    row_store(args.json or os.path.join(args.build, "bench.json"), row)
    print(f"\n{'name':<12} {'packets/s':>12} {'baseline':<16} {'packets/s':>12} "
          f"{'ratio':>6} {'target':>6}  met")
    print(f"{row['name']:<12} {row['value']:>12} {row['baseline']['name']:<16} "
          f"{row['baseline']['value']:>12} {row['ratio']:>6} {row['target']:>6}  "
          f"{'yes' if row['met'] else 'no'}")


if __name__ == "__main__":
    main()
