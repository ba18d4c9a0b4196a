/*
 * Fuzz target: an SDP is parsed, written with our addresses, and parsed again; and once more under
 * a codec policy. What must hold for any input is asserted. A SIP message as input stands for
 * its body.
 */
#include <errno.h>

#include "load.h"
#include "media_rate.h"
#include "sdp_policy.h"

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
	MUST(sdp->n_media <= SDP_MEDIA_MAX && sdp->n_formats <= SDP_FORMATS_ALL_MAX);
	MUST(sdp->n_attributes <= SDP_ATTRIBUTES_MAX);
	MUST(sdp->n_session_attributes <= sdp->n_attributes);
	for (unsigned int i = 0; i < sdp->n_media; i++) {
		const struct sdp_media *m = &sdp->media[i];

		MUST(m->type.len > 0 && within(m->type, text));
		MUST(m->proto.len > 0 && within(m->proto, text));
		MUST(m->n_formats > 0 && m->n_formats <= SDP_FORMATS_MAX);
		MUST(m->first_format + m->n_formats <= sdp->n_formats);
		MUST(m->first_attribute + m->n_attributes <= sdp->n_attributes);
		MUST(m->kind < SDP_KIND_COUNT && m->direction < SDP_DIRECTION_COUNT);
		MUST(m->kind == SDP_KIND_RTP || m->kind == SDP_KIND_REFUSED ||
			m->security == SDP_SECURITY_NONE);
	}
	for (unsigned int i = 0; i < sdp->n_formats; i++)
		MUST(within(sdp->format[i].word, text) && within(sdp->format[i].name, text));
	for (unsigned int i = 0; i < sdp->n_attributes; i++)
		MUST(sdp->attribute[i].id < SDP_ATTR_COUNT &&
			within(sdp->attribute[i].value, text));
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
		r = media_rate_rtcp(&r, c.security);
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

static void check_policy(const struct sdp *sdp, struct sdp *filtered)
{
	static const struct config_policy policy = {
		.allow = {{{"PCMA", 0}, {"PCMU", 0}, {"opus", 48000}, {"H264", 0}}, 4},
		.deny = {{{"CN", 0}, {"PCMU", 16000}}, 2},
		.order = {{{"opus", 0}, {"telephone-event", 0}, {"PCMA", 0}}, 3},
	};

	*filtered = *sdp;
	sdp_policy_filter(filtered, &policy);
	sdp_policy_order(filtered, &policy);
	for (unsigned int i = 0; i < sdp->n_media; i++) {
		const struct sdp_media *m = &filtered->media[i];

		MUST(m->n_formats > 0 && m->n_formats <= sdp->media[i].n_formats);
		for (unsigned int k = 0; m->kind == SDP_KIND_RTP && k < m->n_formats; k++) {
			struct codec_format f =
				sdp_format_codec(&filtered->format[m->first_format + k]);

			MUST(!sv_eq_nocase(f.name, SV("CN")) && !sv_eq_nocase(f.name, SV("GSM")));
		}
	}
}

#define OUT_MAX (2 * SDP_LEN_MAX + 4096)

/* What to put into each line. */
static void rewrite_make(const struct sdp *sdp, struct sdp_rewrite *rw)
{
	*rw = (struct sdp_rewrite){.session_id = 1, .version = 2, .n_media = sdp->n_media};
	MUST(net_addr_parse(SV("203.0.113.7"), &rw->origin) == 0);
	for (unsigned int i = 0; i < sdp->n_media; i++) {
		struct sdp_rewrite_line *line = &rw->line[i];

		/* An address for each m= line, every other one IPv6. */
		MUST(net_addr_parse(
			     i % 2 == 0 ? SV("203.0.113.7") : SV("2001:db8::7"), &line->addr) == 0);
		line->direction = sdp_direction_meant(&sdp->media[i]);
		if (sdp->media[i].kind == SDP_KIND_REFUSED || sdp->media[i].port == 0)
			continue;
		line->port = (uint16_t)(20000 + 2 * i);
		line->rtcp_mux = sdp->media[i].rtcp_mux;
	}
}

static void write_again(const struct sdp *sdp)
{
	static char out[OUT_MAX];
	struct sdp_rewrite rw;
	static struct sdp again;
	int written;

	rewrite_make(sdp, &rw);
	written = sdp_build(sdp, &rw, out, sizeof(out));
	MUST(written > 0);
	check_written((struct str_view){out, (size_t)written});
	MUST(sdp_parse((struct str_view){out, (size_t)written}, &again) == 0);
	MUST(again.n_media == sdp->n_media);
	for (unsigned int i = 0; i < sdp->n_media; i++) {
		MUST(again.media[i].port == rw.line[i].port &&
			again.media[i].rtcp_mux == rw.line[i].rtcp_mux);
		MUST(again.media[i].n_formats == sdp->media[i].n_formats);
		MUST(rw.line[i].port == 0 || again.media[i].direction == rw.line[i].direction);
	}
	/* Any room, and not a byte beyond it. */
	for (size_t cap = (size_t)written - 1; cap > 0; cap /= 2)
		MUST(sdp_build(sdp, &rw, out, cap) == -EMSGSIZE);
}

static void check_same(const struct sdp *a, const struct sdp *b)
{
	static char one[OUT_MAX], two[OUT_MAX];
	struct sdp_rewrite rw;
	int written;

	MUST(a->n_media == b->n_media);
	for (unsigned int i = 0; i < a->n_media; i++) {
		const struct sdp_media *m = &a->media[i], *n = &b->media[i];

		MUST(m->kind == n->kind && m->security == n->security && m->port == n->port);
		MUST(m->direction == n->direction && m->rtcp_port == n->rtcp_port);
		MUST(memcmp(&m->addr, &n->addr, sizeof(m->addr)) == 0);
		MUST(memcmp(&m->rtcp_addr, &n->rtcp_addr, sizeof(m->rtcp_addr)) == 0);
	}
	rewrite_make(a, &rw);
	written = sdp_build(a, &rw, one, sizeof(one));
	MUST(written > 0 && sdp_build(b, &rw, two, sizeof(two)) == written);
	MUST(memcmp(one, two, (size_t)written) == 0);
}

/* At the end of a page a text is read by steps, elsewhere by registers, unless AddressSanitizer
 * watches: both find the same. */
static void ways_agree(struct str_view text)
{
	static _Alignas(LOAD_PAGE) char room[SDP_LEN_MAX + 2 * LOAD_PAGE];
	static struct sdp by_steps, wide;
	size_t page = (text.len + LOAD_PAGE - 1) & ~(size_t)(LOAD_PAGE - 1);
	int rc;

	if (text.len == 0 || text.len > SDP_LEN_MAX)
		return;
	memcpy(room + page - text.len, text.p, text.len);
	rc = sdp_parse((struct str_view){room + page - text.len, text.len}, &by_steps);
	MUST(sdp_parse(text, &wide) == rc);
	if (rc == 0)
		check_same(&by_steps, &wide);
}

static void round_trip(struct str_view text)
{
	static struct sdp sdp, filtered;

	ways_agree(text);
	if (sdp_parse(text, &sdp) != 0)
		return;
	check(&sdp, text);
	check_codecs(&sdp);
	write_again(&sdp);
	check_policy(&sdp, &filtered);
	write_again(&filtered);
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
