"""Where every packet and every buffer of the box went (stats_port_counts; threats row 32)."""

from .process import LabError, wait_until

# net_af_xdp looks for sent packets when it sends the next ones; the other one keeps none.
DRIVER_KEEPS = {"net_af_xdp": 64, "net_af_packet": 0}
UNDER_WAY = 16  # first neighbour discovery, at the start
_CAME = ("rx_packets", "from_twin", "from_control")
_WENT = ("forwarded", "originated", "punted", "sip_up", "gleaned", "reassembled", "dropped")


def difference(port):
    """Packets of a row of `sally show ports` that came and are not told to have gone."""
    return sum(port[name] for name in _CAME) - sum(port[name] for name in _WENT)


def astray(box, buffers):
    """What is not accounted for, in words; "" when all is. buffers: in use at the start.

    A buffer too many is a leak; many too few were freed twice. A few are what was under way when
    the start was read."""
    ports = {port["name"]: difference(port) for port in box.show("ports")}
    pools = box.pools()
    kept = DRIVER_KEEPS[box.driver]
    wrong = [f"port {name}: {count} packets" for name, count in ports.items() if count != 0]
    wrong += [f"{pools[name]} of {name}" for name in ("fragment", "datagram") if pools[name] != 0]
    if not -UNDER_WAY - kept <= pools["mbuf"] - buffers <= kept:
        wrong.append(f"{pools['mbuf']} buffers in use, at the start {buffers}")
    return ", ".join(wrong)


def at_rest(box, buffers, seconds=5):
    """Until every packet is counted exactly once and every buffer is back."""
    try:
        wait_until(lambda: astray(box, buffers) == "", seconds, "the account")
    except LabError:
        wrong = astray(box, buffers)
        assert wrong == "", f"packets or buffers went astray: {wrong}"
