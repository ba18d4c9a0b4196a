"""Kamailio in a namespace of the lab, on a configuration that the caller writes."""

import os

from .process import LabError, wait_until

MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules/"
# auto_aliases: reverse look-ups at the start would wait for name servers that are not there.
_HEAD = """#!KAMAILIO
debug=1
log_stderror=yes
children={children}
disable_tcp=yes
enable_sctp=no
auto_aliases=no
mpath="{modules}"
"""


def config(listen, modules, body, children=1):
    """listen: "address:port" of each UDP socket; modules: names; body: parameters and routes."""
    lines = [f"listen=udp:{socket}" for socket in listen]
    lines += [f'loadmodule "{name}.so"' for name in modules]
    return (_HEAD.format(children=children, modules=MODULES) + "\n".join(lines) + "\n"
            + body)


class Kamailio:
    """One Kamailio with its children; stop() ends them all."""

    def __init__(self, lab, space, text, listen, name="kamailio"):
        folder = lab.path(name)
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "kamailio.cfg")
        with open(path, "w", encoding="ascii") as cfg:
            cfg.write(text)
        self.process = space.start(
            name, ["kamailio", "-f", path, "-DD", "-E", "-m", "64", "-M", "8", "-w", folder,
                   "-Y", folder], os.path.join(folder, "log"))
        try:
            wait_until(lambda: self._listening(space, listen), 15, "Kamailio to listen")
        except LabError as error:
            self.process.kill()
            raise LabError(f"{error}:\n{self.process.tail()}") from error

    def _listening(self, space, listen):
        if not self.process.alive():
            raise LabError(f"Kamailio ended with status {self.process.status()}")
        sockets = space.run("ss", "-Hlun").split()
        return all(socket in sockets for socket in listen)

    def stop(self):
        """SIGTERM: the main process ends its children."""
        return self.process.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
