#!/usr/bin/python3
"""`make demo`: real calls with sound through Sallyport, counted at both ends.

Makes the lab, starts both processes, lets SIPp in `access` call SIPp in `core`, shows what the
box shows meanwhile, and ends with a table. Exit status 0 only when every call was answered and no
RTP packet was lost.
"""

import argparse
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from sallyport_lab import Lab, LabError, Sipp, scenario  # noqa: E402
from sallyport_lab.box import Hugepages, start_box  # noqa: E402
from sallyport_lab.net import ACCESS_BOX, require_root  # noqa: E402


def say(text=""):
    print(text, flush=True)


def step(text):
    say(f"==> {text}")


def quit_on_signal(number, _frame):
    """Unwind, so that the lab is removed."""
    raise SystemExit(128 + number)


def first_lines(text, count):
    lines = text.rstrip().splitlines()
    more = [f"... {len(lines) - count} more lines"] if len(lines) > count else []
    return "\n".join("    " + line for line in lines[:count] + more)


def watch(box, phones, lab):
    """One line a second while the calls run; sally's own view once in the middle."""
    head = (f"{'time':>5} {'placed':>7} {'active':>7} {'answered':>9} {'failed':>7}"
            f" {'access sent':>12} {'core got':>9} {'core sent':>10} {'access got':>11}"
            f" {'box relayed':>12}")
    say(head)
    start, shown = time.monotonic(), False
    while phones.process.alive():
        time.sleep(1)
        now, access, core = phones.counts(), lab.access.media(), lab.core.media()
        calls = box.calls()
        say(f"{time.monotonic() - start:4.0f}s {now.created:7} {calls.active:7} {calls.answered:9}"
            f" {now.failed:7} {access.sent:12} {core.received:9} {core.sent:10}"
            f" {access.received:11} {box.relayed():12}")
        if not shown and now.created >= phones.calls // 2:
            shown = True
            for command in (("show", "calls"), ("show", "ports")):
                say(f"\n    $ sally {' '.join(command)}")
                say(first_lines(box.sally(*command), 10) + "\n")
            say(head)
        if time.monotonic() - start > 120:
            raise LabError("the calls should have been over long ago")


def row(name, *cells):
    say(f"  {name:<28}" + "".join(f"{cell:>10}" for cell in cells))


def report(box, phones, server, lab):
    """The closing table. Returns what is wrong with it."""
    placed, taken, calls = phones.counts(), server.counts(), box.calls()
    access, core = lab.access.media(), lab.core.media()
    drops = {reason: count for reason, count in box.drops().items() if count}
    lost_up, lost_down = access.sent - core.received, core.sent - access.received

    say()
    row("calls", "placed", "answered", "failed")
    row("caller (SIPp in access)", placed.created, placed.succeeded, placed.failed)
    row("callee (SIPp in core)", taken.created, taken.succeeded, taken.failed)
    row("the box", calls.total, calls.answered, calls.failed)
    say()
    row("RTP packets", "sent", "received", "lost")
    row("access -> core", access.sent, core.received, lost_up)
    row("core -> access", core.sent, access.received, lost_down)
    row("the box", "", box.relayed(), "")
    say()
    row("drops of the box", *([""] if drops else ["none"]))
    for reason, count in drops.items():
        row("  " + reason, count)
    say()

    wrong = []
    if (placed.succeeded, placed.failed) != (phones.calls, 0):
        wrong.append(f"{phones.calls - placed.succeeded} of {phones.calls} calls failed")
    if (taken.created, taken.succeeded) != (phones.calls, phones.calls):
        wrong.append(f"the callee saw {taken.created} calls, {taken.succeeded} of them good")
    if lost_up or lost_down:
        wrong.append(f"{lost_up} + {lost_down} RTP packets were lost")
    if not access.sent or not core.sent:
        wrong.append("a side sent no RTP")
    return wrong


def demo(args):
    step("lab: namespaces access, core and the box's, joined by veth pairs")
    pages = Hugepages()
    try:
        with Lab(plain_names=True) as lab:
            say(f"    {lab.access.name} {lab.access.address}, {lab.core.name} {lab.core.address},"
                f" box in {lab.box.name}")
            step("starting sallyport-dataplane and sallyport-control")
            with start_box(lab, args.build) as box:
                say(f"    ports on {box.driver}, {box.memory()}")
                step(f"SIPp in {lab.core.name} answers, SIPp in {lab.access.name} calls:")
                say(f"    {args.calls} calls, {args.rate} a second, each with {args.seconds} s of"
                    " G.711 both ways")
                talk_ms = args.seconds * 1000
                with Sipp(lab, lab.core, scenario.answer_and_talk(talk_ms)) as server, \
                        Sipp(lab, lab.access, scenario.talk_and_hang_up(talk_ms),
                             to=f"{ACCESS_BOX}:5060", calls=args.calls, rate=args.rate) as phones:
                    watch(box, phones, lab)
                    try:
                        server.settle(args.calls, 5)
                    except LabError:
                        pass  # the table shows it
                    wrong = report(box, phones, server, lab)
                    if wrong:
                        say(first_lines(phones.errors() + server.errors(), 20))
                        say(box.logs())
                step("stopping both processes, removing the lab")
    finally:
        pages.restore()
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="build folder (%(default)s)")
    parser.add_argument("--calls", type=int, default=200, help="%(default)s")
    parser.add_argument("--rate", type=int, default=20, help="calls a second, %(default)s")
    parser.add_argument("--seconds", type=int, default=5, help="of talk a call, %(default)s")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, quit_on_signal)
    try:
        require_root()
        wrong = demo(args)
    except LabError as error:
        say(f"demo: {error}")
        return 1
    except KeyboardInterrupt:
        say("demo: interrupted, the lab is removed")
        return 130
    for text in wrong:
        say(f"demo: {text}")
    if not wrong:
        say(f"demo: {args.calls} calls answered, 0 failed, 0 RTP packets lost")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
