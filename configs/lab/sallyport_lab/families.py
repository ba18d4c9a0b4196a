"""The lab's box with both address families on both sides.

Calls to a user that begins with 6 go to the other side's IPv6 address, all others to its IPv4
address; whoever calls may be of either family.
"""

from .net import ACCESS6, ACCESS6_BOX, CORE6, CORE6_BOX

# What stands in configs/lab.yaml for each side: name, IPv4 address and prefix, IPv6 address.
# DSCP of (SIP, media) that leaves each realm: not the default in one, the default in the other.
DSCP = {"access": (26, 34), "core": (24, 46)}
SIDES = (("192.0.2.1", ACCESS6_BOX), ("198.51.100.1", CORE6_BOX))
_PHONES = "  - {name: phones, realm: access, address: 192.0.2.2}"
_ROUTES = "routes:\n"


def both_families():
    """Changes for Box."""
    changes = {
        _PHONES: _PHONES + f"""
  - {{name: softswitch6, realm: core, address: "{CORE6}"}}
  - {{name: phones6, realm: access, address: "{ACCESS6}"}}""",
        _ROUTES: _ROUTES + """  - {from: access, to: softswitch6, user_prefix: "6"}
  - {from: core, to: phones6, user_prefix: "6"}
""",
    }
    for four, six in SIDES:
        changes[f"addresses: [{four}/24]"] = f'addresses: [{four}/24, "{six}/64"]'
        changes[f'sip: ["{four}:5060"]'] = f'sip: ["{four}:5060", "[{six}]:5060"]'
        changes[f"media: {{address: {four}, ports: 20000-29999}}"] = f"""media:
      - {{address: {four}, ports: 20000-29999}}
      - {{address: "{six}", ports: 20000-29999}}"""
    sip, media = DSCP["access"]
    changes[f"addresses: [{SIDES[0][0]}/24]"] += f"\n    dscp: {{sip: {sip}, media: {media}}}"
    return changes
