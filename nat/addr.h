/*
 * Network addresses of both families in one fixed-size form, as used in ring
 * records, configuration and the latching decision. No sockets, no DNS.
 */
#ifndef SALLYPORT_NAT_ADDR_H
#define SALLYPORT_NAT_ADDR_H

#include "base.h"

enum net_family {
	NET_FAMILY_NONE = 0, /* unset, "any" */
	NET_FAMILY_V4 = 4,
	NET_FAMILY_V6 = 6,
};

/** An address in network order; IPv4 uses bytes[0..3], the rest is zero. */
struct net_addr {
	uint8_t bytes[16];
	uint8_t family; /* enum net_family */
	uint8_t pad[3]; /* zero, so that memcmp compares */
};
static_assert(sizeof(struct net_addr) == 20, "wire layout");

/** Transport address; the port is in host order (0: any or unset). */
struct net_endpoint {
	struct net_addr addr;
	uint16_t port;
	uint16_t pad; /* zero */
};
static_assert(sizeof(struct net_endpoint) == 24, "wire layout");

/** Room for net_addr_format / net_endpoint_format, with the NUL. */
#define NET_ADDR_STRLEN 46
#define NET_ENDPOINT_STRLEN 56

/**
 * Parse "192.0.2.1", "2001:db8::1" or "[2001:db8::1]". No names, no zone, no
 * octal or short forms ("10.1" is refused).
 * @return 0, or -EINVAL.
 */
int net_addr_parse(struct str_view text, struct net_addr *out);

/**
 * Does an address stand in this text, alone, with a port, or behind a mark as in "sip:192.0.2.1"?
 * Digits of words, of escapes ("%40") and of phone numbers with dots ("+49.89.123.45") make none.
 */
bool net_addr_is_named(struct str_view text);

/** Parse "ADDRESS/LENGTH". @return 0, or -EINVAL (bad address or length out of range). */
int net_prefix_parse(struct str_view text, struct net_addr *out, uint8_t *len);

/** Write the text form, NUL terminated. @return buf. */
const char *net_addr_format(const struct net_addr *a, char buf[NET_ADDR_STRLEN]);

/** "192.0.2.1:5060" or "[2001:db8::1]:5060". @return buf. */
const char *net_endpoint_format(const struct net_endpoint *e, char buf[NET_ENDPOINT_STRLEN]);

/* All bytes in one store, as they will be copied: a load waits for stores of its parts. */
static inline struct net_addr net_addr_v4(const void *bytes4)
{
	typedef uint32_t words __attribute__((vector_size(16)));
	struct net_addr a = {.family = NET_FAMILY_V4};
	words w = {0};

	memcpy(&w, bytes4, 4);
	memcpy(a.bytes, &w, sizeof(w));
	return a;
}

static inline struct net_addr net_addr_v6(const void *bytes16)
{
	struct net_addr a = {.family = NET_FAMILY_V6};

	memcpy(a.bytes, bytes16, sizeof(a.bytes));
	return a;
}

/** v4-mapped IPv6 (::ffff:a.b.c.d) becomes IPv4; all else stays. Do this before any check. */
struct net_addr net_addr_normalise(const struct net_addr *a);

static inline bool net_addr_eq(const struct net_addr *a, const struct net_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool net_endpoint_eq(const struct net_endpoint *a, const struct net_endpoint *b)
{
	return a->port == b->port && net_addr_eq(&a->addr, &b->addr);
}

/** True if a lies in net/len (same family). Lengths beyond the family's size count as host. */
bool net_addr_in_prefix(const struct net_addr *a, const struct net_addr *net, uint8_t len);

enum net_class {
	NET_CLASS_GLOBAL,
	NET_CLASS_PRIVATE,     /* RFC 1918, RFC 6598, RFC 4193 */
	NET_CLASS_LINK_LOCAL,  /* RFC 3927, RFC 4291 section 2.5.6 */
	NET_CLASS_LOOPBACK,    /* 127/8, ::1 */
	NET_CLASS_UNSPECIFIED, /* 0/8, :: */
	NET_CLASS_MULTICAST,   /* 224/4, ff00::/8 */
	NET_CLASS_RESERVED,    /* 240/4, broadcast */
	NET_CLASS_COUNT
};

/** Class of the normalised address. */
enum net_class net_addr_class(const struct net_addr *a);

/** May a packet be sent to it at all: global or private (threats.md row 28). */
bool net_addr_is_unicast_peer(const struct net_addr *a);

#endif
