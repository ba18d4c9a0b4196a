"""baresip in a namespace of the lab, without a screen or a sound card, led by its JSON commands."""

import json
import os
import re
import socket
import threading
import time

from .process import wait_until

# The generator of sound gives 48 kHz stereo and nothing else.
_CONFIG = """poll_method epoll
sip_listen {address}:{port}
call_local_timeout 120
call_max_calls 4
rtp_ports {low}-{high}
audio_player aubridge,null
audio_source ausine,440
audio_alert aubridge,null
ausrc_srate 48000
ausrc_channels 2
auplay_srate 8000
auplay_channels 1
ausrc_format s16
auplay_format s16
rtp_stats yes
module_path /usr/lib/baresip/modules
module g711.so
module ausine.so
module aubridge.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
"""
CONTROL = 4444


class Baresip:
    """One baresip with an account that needs no registrar; G.711 A-law. `events` are its own,
    in order."""

    def __init__(self, lab, peer, user="phone", *, address=None, port=5060, media=(20000, 20100),
                 name="baresip"):
        self.address, self.port = address or peer.address, port
        folder = lab.path(name)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config"), "w", encoding="ascii") as text:
            text.write(_CONFIG.format(address=self.address, port=port, low=media[0],
                                      high=media[1], control=CONTROL))
        with open(os.path.join(folder, "accounts"), "w", encoding="ascii") as text:
            text.write(f"<sip:{user}@{self.address}:{port}>;regint=0;audio_codecs=PCMA\n")
        self.process = peer.start(name, ["baresip", "-f", folder, "-s"],
                                  os.path.join(folder, "log"), env={"HOME": folder})
        self.events, self._taken = [], 0
        self._socket = wait_until(lambda: self._connected(peer), 10, "baresip to listen")
        threading.Thread(target=self._read, daemon=True).start()

    def _connected(self, peer):
        assert self.process.alive(), self.process.tail()
        try:
            return peer.enter(socket.create_connection, ("127.0.0.1", CONTROL))
        except ConnectionRefusedError:
            return None

    def _read(self):
        """Netstrings of JSON: events, and what the commands said."""
        data = b""
        while True:
            try:
                more = self._socket.recv(65536)
            except OSError:
                return
            if not more:
                return
            data += more
            while match := re.match(rb"(\d+):", data):
                end = match.end() + int(match.group(1))
                if len(data) <= end:
                    break
                message = json.loads(data[match.end():end])
                data = data[end + 1:]
                if message.get("event"):
                    self.events.append(message)

    def command(self, name, params=""):
        text = json.dumps({"command": name, "params": params, "token": name}).encode()
        self._socket.sendall(b"%d:%s," % (len(text), text))

    def wait(self, kind, seconds=10):
        """The next event of this type after the last one that somebody waited for."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for i, event in enumerate(self.events[self._taken:], self._taken):
                if event["type"] == kind:
                    self._taken = i + 1
                    return event
            time.sleep(0.01)
        raise AssertionError(f"no {kind} of baresip; {[e['type'] for e in self.events]}\n"
                             f"{self.process.tail(40)}")

    def stop(self):
        self._socket.close()
        return self.process.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
