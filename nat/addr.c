/*
 * Addresses: text to bytes and back, prefixes, and the classes that decide
 * whether a packet may be sent somewhere at all.
 */
#include "addr.h"
#include "decimal.h"

#include <arpa/inet.h>
#include <errno.h>

#define V4_BITS 32
#define V6_BITS 128

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* v4_parse() character by character. */
static bool v4_parse_steps(struct str_view text, uint8_t *bytes)
{
	unsigned int n = 0, digits = 0, value = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned int digit = (unsigned char)text.p[i] - (unsigned int)'0';

		if (digit <= 9 && (digits == 0 || value != 0)) {
			value = value * 10 + digit;
			digits++;
		} else if (text.p[i] == '.' && digits > 0 && n < 3) {
			bytes[n++] = (uint8_t)value;
			value = digits = 0;
		} else {
			return false;
		}
		if (value > UINT8_MAX)
			return false;
	}
	bytes[3] = (uint8_t)value;
	return n == 3 && digits > 0;
}

/* Four numbers up to 255 without leading zeros, and nothing else. */
static bool v4_parse(struct str_view text, uint8_t *bytes)
{
	if (text.len == 0 || !load_fits(text.p + text.len - 1, text.p + text.len, 5))
		return v4_parse_steps(text, bytes);
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t value;
		size_t n = decimal_span4(text, &value);

		if (n - 1 > 2 || value > UINT8_MAX || (n > 1 && text.p[0] == '0'))
			return false;
		bytes[i] = (uint8_t)value;
		text.p += n;
		text.len -= n;
		if (i == 3)
			break;
		if (text.len == 0 || text.p[0] != '.')
			return false;
		text.p++;
		text.len--;
	}
	return text.len == 0;
}

int net_addr_parse(struct str_view text, struct net_addr *out)
{
	char buf[NET_ADDR_STRLEN];
	uint8_t bytes[16];
	bool bracket = text.len >= 2 && text.p[0] == '[' && text.p[text.len - 1] == ']';

	if (bracket) {
		text.p++;
		text.len -= 2;
	}
	if (!bracket && v4_parse(text, bytes)) {
		*out = net_addr_v4(bytes);
		return 0;
	}
	if (text.len == 0 || text.len >= sizeof(buf) || memchr(text.p, '\0', text.len) != NULL)
		return -EINVAL;
	memcpy(buf, text.p, text.len);
	buf[text.len] = '\0';
	if (inet_pton(AF_INET6, buf, bytes) == 1) {
		*out = net_addr_v6(bytes);
		return 0;
	}
	return -EINVAL;
}

static unsigned int addr_bits(const struct net_addr *a)
{
	return a->family == NET_FAMILY_V4 ? V4_BITS : V6_BITS;
}

int net_prefix_parse(struct str_view text, struct net_addr *out, uint8_t *len)
{
	const char *slash = text.len > 0 ? memchr(text.p, '/', text.len) : NULL;
	struct net_addr a;
	unsigned int bits = 0;
	size_t n;

	if (slash == NULL)
		return -EINVAL;
	n = text.len - (size_t)(slash - text.p) - 1;
	if (n < 1 || n > 3 || (n > 1 && slash[1] == '0'))
		return -EINVAL;
	for (size_t i = 1; i <= n; i++) {
		if (slash[i] < '0' || slash[i] > '9')
			return -EINVAL;
		bits = bits * 10 + (unsigned int)(slash[i] - '0');
	}
	if (net_addr_parse((struct str_view){text.p, (size_t)(slash - text.p)}, &a) != 0)
		return -EINVAL;
	if (bits > addr_bits(&a))
		return -EINVAL;
	*out = a;
	*len = (uint8_t)bits;
	return 0;
}

/* Each byte with a dot behind it: addresses are written by the dozen for each call. */
#define ONE(n) \
	{ \
		{'0' + (n), '.'}, 2 \
	}
#define TWO(n) \
	{ \
		{'0' + (n) / 10, '0' + (n) % 10, '.'}, 3 \
	}
#define THREE(n) \
	{ \
		{'0' + (n) / 100, '0' + (n) / 10 % 10, '0' + (n) % 10, '.'}, 4 \
	}
#define SIX(of, n) of(n), of((n) + 1), of((n) + 2), of((n) + 3), of((n) + 4), of((n) + 5)
#define TEN(of, n) SIX(of, n), of((n) + 6), of((n) + 7), of((n) + 8), of((n) + 9)
static const struct {
	char text[4];
	uint8_t len;
} v4_bytes[256] = {TEN(ONE, 0), TEN(TWO, 10), TEN(TWO, 20), TEN(TWO, 30), TEN(TWO, 40),
	TEN(TWO, 50), TEN(TWO, 60), TEN(TWO, 70), TEN(TWO, 80), TEN(TWO, 90), TEN(THREE, 100),
	TEN(THREE, 110), TEN(THREE, 120), TEN(THREE, 130), TEN(THREE, 140), TEN(THREE, 150),
	TEN(THREE, 160), TEN(THREE, 170), TEN(THREE, 180), TEN(THREE, 190), TEN(THREE, 200),
	TEN(THREE, 210), TEN(THREE, 220), TEN(THREE, 230), TEN(THREE, 240), SIX(THREE, 250)};

/* "192.0.2.1" and a NUL. @param out  16 bytes. @return characters without the NUL. */
static size_t v4_write(char *out, const uint8_t bytes[4])
{
	size_t n = 0;

	for (unsigned int i = 0; i < 4; i++) {
		memcpy(out + n, v4_bytes[bytes[i]].text, 4);
		n += v4_bytes[bytes[i]].len;
	}
	out[--n] = '\0';
	return n;
}

const char *net_addr_format(const struct net_addr *a, char buf[NET_ADDR_STRLEN])
{
	if (a->family == NET_FAMILY_V4)
		v4_write(buf, a->bytes);
	else if (a->family != NET_FAMILY_V6)
		snprintf(buf, NET_ADDR_STRLEN, "any");
	else if (inet_ntop(AF_INET6, a->bytes, buf, NET_ADDR_STRLEN) == NULL)
		buf[0] = '\0';
	return buf;
}

const char *net_endpoint_format(const struct net_endpoint *e, char buf[NET_ENDPOINT_STRLEN])
{
	char text[NET_ADDR_STRLEN];
	size_t n;

	if (e->addr.family == NET_FAMILY_V4) {
		n = v4_write(buf, e->addr.bytes);
		buf[n++] = ':';
		buf[n + decimal_write(buf + n, e->port)] = '\0';
		return buf;
	}
	net_addr_format(&e->addr, text);
	snprintf(buf, NET_ENDPOINT_STRLEN, e->addr.family == NET_FAMILY_V6 ? "[%s]:%u" : "%s:%u",
		text, (unsigned int)e->port);
	return buf;
}

struct net_addr net_addr_normalise(const struct net_addr *a)
{
	if (a->family == NET_FAMILY_V6 && memcmp(a->bytes, v4_mapped, sizeof(v4_mapped)) == 0)
		return net_addr_v4(a->bytes + sizeof(v4_mapped));
	return *a;
}

bool net_addr_in_prefix(const struct net_addr *a, const struct net_addr *net, uint8_t len)
{
	unsigned int bits = len, whole;
	uint8_t mask;

	if (a->family != net->family || a->family == NET_FAMILY_NONE)
		return false;
	if (bits > addr_bits(net))
		bits = addr_bits(net);
	whole = bits / 8;
	if (memcmp(a->bytes, net->bytes, whole) != 0)
		return false;
	if (bits % 8 == 0)
		return true;
	mask = (uint8_t)(0xff << (8 - bits % 8));
	return ((a->bytes[whole] ^ net->bytes[whole]) & mask) == 0;
}

/* The first row that fits decides. */
static const struct {
	uint32_t net;
	uint8_t len;
	uint8_t class;
} v4_classes[] = {
	{0x00000000, 8, NET_CLASS_UNSPECIFIED}, /* 0/8, RFC 1122 section 3.2.1.3 */
	{0x0a000000, 8, NET_CLASS_PRIVATE},	/* 10/8, RFC 1918 */
	{0x64400000, 10, NET_CLASS_PRIVATE},	/* 100.64/10, RFC 6598 */
	{0x7f000000, 8, NET_CLASS_LOOPBACK},	/* 127/8, RFC 1122 section 3.2.1.3 */
	{0xa9fe0000, 16, NET_CLASS_LINK_LOCAL}, /* 169.254/16, RFC 3927 */
	{0xac100000, 12, NET_CLASS_PRIVATE},	/* 172.16/12, RFC 1918 */
	{0xc0a80000, 16, NET_CLASS_PRIVATE},	/* 192.168/16, RFC 1918 */
	{0xe0000000, 4, NET_CLASS_MULTICAST},	/* 224/4, RFC 5771 */
	{0xf0000000, 4, NET_CLASS_RESERVED},	/* 240/4, RFC 1112 section 4, broadcast */
};

static const struct {
	uint8_t bytes[16];
	uint8_t len;
	uint8_t class;
} v6_classes[] = {
	{{0}, 128, NET_CLASS_UNSPECIFIED}, {{[15] = 1}, 128, NET_CLASS_LOOPBACK},
	{{0}, 96, NET_CLASS_RESERVED},		  /* v4-compatible, RFC 4291 section 2.5.5.1 */
	{{0xfe, 0x80}, 10, NET_CLASS_LINK_LOCAL}, /* RFC 4291 section 2.5.6 */
	{{0xfc}, 7, NET_CLASS_PRIVATE},		  /* RFC 4193 */
	{{0xff}, 8, NET_CLASS_MULTICAST},	  /* RFC 4291 section 2.7 */
};

static enum net_class v4_class(const uint8_t b[4])
{
	uint32_t a = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];

	for (size_t i = 0; i < ARRAY_LEN(v4_classes); i++)
		if ((a ^ v4_classes[i].net) >> (V4_BITS - v4_classes[i].len) == 0)
			return v4_classes[i].class;
	return NET_CLASS_GLOBAL;
}

static enum net_class v6_class(const struct net_addr *a)
{
	for (size_t i = 0; i < ARRAY_LEN(v6_classes); i++) {
		struct net_addr net = net_addr_v6(v6_classes[i].bytes);

		if (net_addr_in_prefix(a, &net, v6_classes[i].len))
			return v6_classes[i].class;
	}
	return NET_CLASS_GLOBAL;
}

enum net_class net_addr_class(const struct net_addr *addr)
{
	struct net_addr a = net_addr_normalise(addr);

	if (a.family == NET_FAMILY_V4)
		return v4_class(a.bytes);
	return a.family == NET_FAMILY_V6 ? v6_class(&a) : NET_CLASS_UNSPECIFIED;
}

bool net_addr_is_unicast_peer(const struct net_addr *a)
{
	enum net_class c = net_addr_class(a);

	return c == NET_CLASS_GLOBAL || c == NET_CLASS_PRIVATE;
}
