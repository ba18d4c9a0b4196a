"""The lab: Sallyport and its SIP peers in network namespaces of one machine.

Used by the demo and by the integration tests; needs root, and touches nothing of
the host but its own namespaces (and the number of hugepages, which it puts back).
"""

from .box import Box, drivers_here
from .families import both_families
from .net import Lab
from .process import LabError, wait_until
from .rtp import Endpoint
from . import account, hop, scenario
from .sipp import Sipp

__all__ = ["Box", "Endpoint", "Lab", "LabError", "Sipp", "account", "both_families", "drivers_here",
           "hop", "scenario", "wait_until"]
