/*
 * Fuzz target: an SDP is parsed, written with our addresses, and parsed again. What must
 * hold for any input is asserted. A SIP message as input stands for its body.
 */
#include <errno.h>

#include "media_rate.h"
#include "sdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MUST(cond) \
	do { \
		if (!(cond)) \
			__builtin_trap(); \
	} while (0)

static bool within(struct str_view part, struct str_view whole)
{
	return part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static void check(const struct sdp *sdp, struct str_view text)
{
	MUST(sdp->n_media <= SDP_MEDIA_MAX && within(sdp->lines, text));
	for (unsigned int i = 0; i < sdp->n_media; i++) {
		const struct sdp_media *m = &sdp->media[i];

		MUST(m->type.len > 0 && within(m->type, text));
		MUST(m->proto.len > 0 && within(m->proto, text));
		MUST(m->formats.len > 0 && within(m->formats, text));
		MUST(within(m->lines, text));
		MUST(m->kind < SDP_KIND_COUNT && m->direction < SDP_DIRECTION_COUNT);
	}
}

/* Whatever it says, its media has a rate, and what goes to people can be printed. */
static void check_codecs(const struct sdp *sdp)
{
	for (unsigned int i = 0; i < sdp->n_media; i++) {
		struct sdp_codecs c;
		struct media_rates r;

		sdp_codecs_read(sdp, &sdp->media[i], &c);
		MUST(c.clock_hz <= API_CLOCK_HZ_MAX && strlen(c.codec) < sizeof(c.codec));
		for (const char *p = c.codec; *p != '\0'; p++)
			MUST(*p > ' ' && *p <= '~');
		r = media_rate_rtp(&c, &c, &c, sdp->media[i].rtcp_mux);
		MUST(r.packets.rate > 0 && r.bytes.rate > 0);
		r = media_rate_rtcp(&r);
		MUST(r.packets.rate > 0 && r.bytes.rate > 0);
		r = media_rate_udptl(&c);
		MUST(r.packets.rate > 0 && r.bytes.rate > 0);
	}
}

static bool begins(const char *p, const char *end, struct str_view with)
{
	return (size_t)(end - p) >= with.len && memcmp(p, with.p, with.len) == 0;
}

/* Nothing of the sender's own: no address but ours, no control character. */
static void check_written(struct str_view text)
{
	const char *end = text.p + text.len;

	for (const char *p = text.p; (p = memmem(p, (size_t)(end - p), "\nc=", 3)) != NULL; p++)
		MUST(begins(p + 3, end, SV("IN IP4 203.0.113.7\r\n")) ||
			begins(p + 3, end, SV("IN IP6 2001:db8::7\r\n")));
	for (const char *p = text.p; p < end; p++)
		MUST((*p >= ' ' && *p <= '~') || *p == '\r' || *p == '\n');
}

static void round_trip(struct str_view text)
{
	static char out[2 * SDP_LEN_MAX + 4096];
	struct sdp_rewrite rw = {.session_id = 1, .version = 2};
	struct sdp sdp, again;
	int written;

	if (sdp_parse(text, &sdp) != 0)
		return;
	check(&sdp, text);
	check_codecs(&sdp);
	MUST(net_addr_parse(SV("203.0.113.7"), &rw.origin) == 0);
	rw.n_media = sdp.n_media;
	for (unsigned int i = 0; i < sdp.n_media; i++)
		if (sdp.media[i].kind != SDP_KIND_REFUSED && sdp.media[i].port != 0) {
			rw.port[i] = (uint16_t)(20000 + 2 * i);
			rw.rtcp_mux[i] = sdp.media[i].rtcp_mux;
		}
	/* An address for each m= line, every other one IPv6. */
	for (unsigned int i = 0; i < sdp.n_media; i++)
		MUST(net_addr_parse(
			     i % 2 == 0 ? SV("203.0.113.7") : SV("2001:db8::7"), &rw.addr[i]) == 0);
	written = sdp_build(&sdp, &rw, out, sizeof(out));
	MUST(written > 0);
	check_written((struct str_view){out, (size_t)written});
	MUST(sdp_parse((struct str_view){out, (size_t)written}, &again) == 0);
	MUST(again.n_media == sdp.n_media);
	for (unsigned int i = 0; i < sdp.n_media; i++)
		MUST(again.media[i].port == rw.port[i] &&
			again.media[i].rtcp_mux == rw.rtcp_mux[i]);
	/* Any room, and not a byte beyond it. */
	for (size_t cap = (size_t)written; cap > 0; cap /= 2)
		MUST(sdp_build(&sdp, &rw, out, cap) == -EMSGSIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str_view text = {(const char *)data, len};
	const char *body = memmem(data, len, "\r\n\r\n", 4);

	round_trip(text);
	if (body != NULL)
		round_trip((struct str_view){body + 4, len - (size_t)(body + 4 - text.p)});
	return 0;
}
