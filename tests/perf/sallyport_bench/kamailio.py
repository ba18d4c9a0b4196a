"""The peer of call_lab: Kamailio with rtpengine where the box stands, in the same lab."""

from sallyport_lab import kamailio
from sallyport_lab.net import ACCESS_BOX, CORE, CORE_BOX
from sallyport_lab.process import wait_until

from .system import Failed

LISTEN = [f"{address}:5060" for address in (ACCESS_BOX, CORE_BOX)]
NG = "127.0.0.1:22222"
RELAY = ["rtpengine", "--config-file=none", "--table=-1", f"--interface=access/{ACCESS_BOX}",
         f"--interface=core/{CORE_BOX}", f"--listen-ng={NG}", "--port-min=20000",
         "--port-max=29999", "--delete-delay=0", "--log-level=3", "--log-stderr", "--foreground",
         "--num-threads=2"]
MODULES = ("kex", "tm", "tmx", "sl", "rr", "pv", "maxfwd", "textops", "siputils", "dialog", "topoh",
           "rtpengine")
# What an edge does that hides its inside: every call a dialog that it knows, its media relayed.
ROUTES = f"""
modparam("rr", "enable_full_lr", 1)
modparam("topoh", "mask_key", "bench")
modparam("topoh", "mask_ip", "192.0.2.200")
modparam("rtpengine", "rtpengine_sock", "udp:{NG}")
request_route {{
	if (!mf_process_maxfwd_header("70")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
	if (has_totag()) {{
		if (!loose_route()) {{
			if (!is_method("ACK")) sl_send_reply("404", "Not Here");
			exit;
		}}
		if (is_method("BYE")) rtpengine_manage();
		t_relay();
		exit;
	}}
	if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
	if (!is_method("INVITE")) {{ sl_send_reply("405", "Method Not Allowed"); exit; }}
	t_check_trans();
	record_route();
	dlg_manage();
	rtpengine_manage("replace-origin replace-session-connection direction=access direction=core");
	$fs = "udp:{CORE_BOX}:5060";
	$du = "sip:{CORE}:5060";
	t_on_reply("ANSWER");
	t_relay();
}}
onreply_route[ANSWER] {{
	if (status =~ "2[0-9][0-9]" && has_body("application/sdp"))
		rtpengine_manage("replace-origin replace-session-connection");
}}
"""


class Edge:
    """Both of its programs, in the namespace of the lab's box."""

    def __init__(self, lab):
        box = lab.box
        # There the kernel itself is the box: it takes the frames and has the addresses.
        for interface, address in (("sp-access", ACCESS_BOX), ("sp-core", CORE_BOX)):
            box.run("nft", "delete", "table", "netdev", interface)
            box.ip(f"addr add {address}/24 dev {interface}")
        self.relay = box.start("rtpengine", RELAY, lab.path("rtpengine.log"))

        def listening():
            if not self.relay.alive():
                raise Failed(f"rtpengine ended:\n{self.relay.tail()}")
            return NG in box.run("ss", "-Hlun").split()
        wait_until(listening, 10, "rtpengine to listen")
        self.proxy = kamailio.Kamailio(
            lab, box, kamailio.config(LISTEN, MODULES, ROUTES, children=2), LISTEN)
        self.pids = (self.proxy.process.pid, self.relay.pid)

    def stop(self):
        self.proxy.stop()
        self.relay.stop()
