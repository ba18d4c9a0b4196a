"""The baseline: dpdk-testpmd on one core, two net_pcap ports, the files of the measurement."""

import re
import subprocess
import threading
import time

from .system import Failed, huge_free_mib, thread_ns

BURST = 32  # PORT_BURST of dataplane/ports.h
PORTS = 2


def devices(pcaps):
    return [f"net_pcap{i},rx_pcap={path},infinite_rx=1" for i, path in enumerate(pcaps)]


def eal_arguments(machine, memory_mib):
    memory = ["--in-memory"] if huge_free_mib() >= memory_mib else ["--no-huge", "--no-shconf"]
    return ["--no-pci", "--no-telemetry", "-m", str(memory_mib), *memory,
            f"--file-prefix={machine.netns.name}",
            "--lcores", f"0@{machine.main_core},1@{machine.core}"]


def measure(machine, pcaps, mode, memory_mib, mbufs):
    """Packets a second of the forwarding thread's own CPU time."""
    command = ["dpdk-testpmd"] + eal_arguments(machine, memory_mib)
    for device in devices(pcaps):
        command += ["--vdev", device]
    command += ["--", "--no-mlockall", "--nb-cores=1", f"--forward-mode={mode}",
                f"--burst={BURST}", f"--total-num-mbufs={mbufs}", "--stats-period=1"]
    child = machine.netns.spawn(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    watchdog = threading.Timer(60 + machine.seconds, child.kill)
    watchdog.start()
    samples, total, ports, last = [], 0, 0, ""
    for line in child.stdout:
        last = line.strip() or last
        found = re.search(rf"{'RX' if mode == 'rxonly' else 'TX'}-packets:\s+(\d+)", line)
        if found:
            total, ports = total + int(found[1]), ports + 1
        if ports == PORTS:
            samples.append((time.monotonic(), total, thread_ns(child.pid)))
            total, ports = 0, 0
        if len(samples) > 2 and samples[-1][0] - samples[1][0] >= machine.seconds:
            break
    machine.netns.stop(child)
    watchdog.cancel()
    if len(samples) < 3:
        raise Failed(f"dpdk-testpmd ended early: {last}")
    (_, n0, t0), (_, n1, t1) = samples[1], samples[-1]
    return (n1 - n0) / ((t1 - t0) / 1e9)
