"""The lab as pytest fixtures, for integration/ and conformance/.

SALLYPORT_BUILD       build folder whose programs run (default: build)
SALLYPORT_DRIVER      net_af_xdp or net_af_packet instead of the first that works
SALLYPORT_SANITIZED   1: the programs are instrumented: a quiet box may use more of a core
SALLYPORT_KEEP        keep the folder with configuration and logs
SALLYPORT_TRACE       SIPp writes its messages there too
SALLYPORT_LOCKS       folder for locks: another run goes on beside this one
"""

import contextlib
import fcntl
import os
import signal
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "configs", "lab"))

# pylint: disable=wrong-import-position,redefined-outer-name
from sallyport_lab import Box, Lab, LabError, account, both_families  # noqa: E402
from sallyport_lab.box import Hugepages, start_box  # noqa: E402
from topology import Topology  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "soak: long repetitions, run by make soak")
    config.addinivalue_line("markers", "alone: judged by time or load: nothing runs beside it")
    config.addinivalue_line("markers", "waits: waits for most of its time, with little load")
    config.addinivalue_line("markers", "unwatched(reason): nobody looks what crosses the box")
    config.addinivalue_line("markers", "others_names(reason): only which addresses cross it")


def pytest_collection_modifyitems(items):
    """Those that want the machine alone come last: nobody else has to wait for them."""
    items.sort(key=lambda item: item.get_closest_marker("alone") is not None)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the ends of the programs' logs."""
    report = (yield).get_result()
    boxes = [value for value in item.funcargs.values() if isinstance(value, Box)]
    if report.failed and boxes and report.when != "teardown":  # by then the logs may be gone
        report.sections.append(("logs", "\n".join(box.logs() for box in boxes)))


@pytest.fixture(scope="session", autouse=True)
def root():
    if os.geteuid() != 0:
        pytest.exit("these tests make network namespaces: run them as root", 1)


@contextlib.contextmanager
def _locked(name, how):
    path = os.path.join(os.environ["SALLYPORT_LOCKS"], name)
    with open(path, "w", encoding="ascii") as lock:
        fcntl.flock(lock, how)
        yield


@pytest.fixture(autouse=True)
def machine(request):
    """The machine, together with the test of the run beside this one or, if marked so, alone."""
    if "SALLYPORT_LOCKS" not in os.environ:
        yield
        return
    alone = request.node.get_closest_marker("alone") is not None
    with contextlib.ExitStack() as held:
        # Who waits to be alone keeps the door shut, so that its turn comes.
        with _locked("door", fcntl.LOCK_EX):
            held.enter_context(_locked("machine", fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        yield


@pytest.fixture(scope="session")
def hugepages():
    pages = Hugepages()
    yield pages
    pages.restore()


@pytest.fixture(scope="session")
def _shared():
    """The lab and box that most tests share; made again after a test that broke it."""
    state = {}
    yield state
    _discard(state)


def _stop(current):
    """What runs ends well: at their end the sanitizers say what they found."""
    running = [process for process in (current.dataplane, current.control)
               if process and process.alive()]
    current.stop_at_once()
    for process in running:
        # A SIGTERM that comes when control has done with its calls ends it.
        assert process.status() in (0, -signal.SIGTERM), f"{process.name}: {process.tail(60)}"


def _discard(state):
    if state:
        box, lab = state.pop("box"), state.pop("lab")
        state.clear()
        try:
            _stop(box)
        finally:
            lab.close()


def _healthy(box):
    try:
        return (box.dataplane.alive() and box.control.alive() and box.attached()
                and box.show("status")["calls"]["active"] == 0)
    except (LabError, KeyError):
        return False


def _lend(shared, changes):
    """The shared box, made anew when it is not well or has another configuration."""
    if shared and (shared["changes"] != changes or not _healthy(shared["box"])):
        _discard(shared)
    if not shared:
        lab = Lab()
        try:
            shared.update(lab=lab, box=start_box(lab, changes=changes), changes=changes)
        except BaseException:
            lab.close()
            raise
    return shared["box"]


def _still_alive(current):
    assert current.dataplane.alive(), f"the dataplane died:\n{current.dataplane.tail()}"
    assert current.control.alive(), f"control died:\n{current.control.tail()}"


def _all_accounted_for(current):
    """Of a box that runs: a test may have ended it, or half of it."""
    processes = (current.dataplane, current.control)
    if all(process and process.alive() for process in processes) and current.attached():
        account.at_rest(current, current.buffers)


def _watched(node, lab):
    """Nothing of one side is seen on the other while the block runs, whatever the test does."""
    reasons = {name: marker.args[0] for name in ("unwatched", "others_names")
               for marker in node.iter_markers(name)}
    assert all(reasons.values()), "a reason is wanted"
    if "unwatched" in reasons:
        return contextlib.nullcontext()
    return Topology(lab, names="others_names" not in reasons)


@pytest.fixture
def lend_box(request, _shared, hugepages):
    """lend_box(changes) gives a running box that tests of the same configuration share."""
    with contextlib.ExitStack() as stack:
        def lend(changes=None):
            box = _lend(_shared, changes)
            stack.enter_context(_watched(request.node, box.lab))
            return box
        yield lend
    if _shared:
        _still_alive(_shared["box"])
        _all_accounted_for(_shared["box"])


@pytest.fixture
def box(lend_box):
    """A running box; its lab is box.lab."""
    return lend_box()


@pytest.fixture
def dual_box(lend_box):
    """The same with IPv4 and IPv6 on both sides; box.lab.side("access", 6) is a peer in IPv6."""
    return lend_box(both_families())


@pytest.fixture
def lab(request):
    """A lab of one's own, for tests that end processes or want another configuration."""
    with Lab() as own, _watched(request.node, own):
        yield own


@pytest.fixture
def make_box(lab, hugepages):
    """make_box(changes=..., driver=...) gives a running box in this test's own lab."""
    made = []

    def make(changes=None, driver=None):
        box = Box(lab, driver, changes=changes).start() if driver else start_box(
            lab, changes=changes)
        made.append(box)
        return box
    yield make
    try:
        for box in made:
            _all_accounted_for(box)
    finally:
        for box in made:
            _stop(box)
