"""flow_*: how fast flows come and go while traffic runs, and what memory each takes."""

from dataclasses import replace

from .dataplane import Dataplane
from .relay import IPV4
from .rows import Figure, Row
from .system import Failed

CHURN = 2000  # streams added and removed in turn


def rate(machine):
    """Each command is about a stream, which is two flows: one a direction."""
    setup = IPV4.setup(machine)
    with Dataplane(machine, replace(setup, loader=setup.loader + ("-c", str(CHURN)))) as box:
        result = box.load()
    if result.drops:
        raise Failed(f"packets were lost: {result.dropped()}")
    return {"value": 2 * result.commands / result.seconds,
            "relayed": result.tx / result.cpu_s}


def memory(machine):
    setup = IPV4.setup(machine)
    with Dataplane(machine, setup) as box:
        size, used = box.loader(1)[-1]["pools"]["flow"]
    return {"value": used / size}


ROWS = [
    Row("flow_rate", "flows/s", Figure("flow_rate", rate, IPV4.huge_mib()), target=50000,
        compare="least"),
    Row("flow_memory", "bytes", Figure("flow_memory", memory, IPV4.huge_mib()), target=512,
        compare="most"),
]
