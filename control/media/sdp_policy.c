#include "sdp_policy.h"

#include "sdp_codecs.h"
#include "sdp_lines.h"
#include "sdp_reader.h"

/* What a format is to the others of its line. */
enum role {
	ROLE_CODEC,
	ROLE_BESIDE,	 /* events, noise, repair: goes with a codec */
	ROLE_REDUNDANT,	 /* RFC 2198: names the payload types that it repeats */
	ROLE_RETRANSMIT, /* RFC 4588: names the one that it repeats */
};

struct candidate {
	struct codec_format codec;
	enum role role;
	bool denied, kept;
};

/* The formats of one m= line under judgement. */
struct candidates {
	unsigned int n;
	struct candidate at[SDP_FORMATS_MAX];
	uint8_t place[SDP_PAYLOAD_TYPES]; /* of each payload type, from 1; 0: not listed */
};

static const struct {
	struct str_view name;
	enum role role;
} roles[] = {
	{{"telephone-event", 15}, ROLE_BESIDE},
	{{"tone", 4}, ROLE_BESIDE},
	{{"CN", 2}, ROLE_BESIDE},
	{{"ulpfec", 6}, ROLE_BESIDE},
	{{"flexfec", 7}, ROLE_BESIDE},
	{{"flexfec-03", 10}, ROLE_BESIDE},
	{{"red", 3}, ROLE_REDUNDANT},
	{{"rtx", 3}, ROLE_RETRANSMIT},
};

static enum role role_of(struct str_view name)
{
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (sv_eq_nocase(name, roles[i].name))
			return roles[i].role;
	return ROLE_CODEC;
}

/* RFC 3551 table 5: what they send is not known, so that codec.c has no row for them. */
static struct str_view video_name(uint8_t payload_type)
{
	switch (payload_type) {
	case 26:
		return SV("JPEG");
	case 31:
		return SV("H261");
	case 32:
		return SV("MPV");
	case 34:
		return SV("H263");
	default:
		return (struct str_view){NULL, 0};
	}
}

/* @return its place on the list, or -1. */
static int place_on(const struct config_codecs *list, const struct codec_format *f)
{
	for (unsigned int i = 0; i < list->n; i++) {
		const struct config_codec *c = &list->codec[i];

		if ((c->clock_hz == 0 || c->clock_hz == f->clock_hz) &&
			sv_eq_nocase(f->name, (struct str_view){c->name, strlen(c->name)}))
			return (int)i;
	}
	return -1;
}

static void candidates_read(const struct sdp *sdp, const struct sdp_media *m,
	const struct config_policy *p, struct candidates *all)
{
	memset(all->place, 0, sizeof(all->place));
	all->n = m->n_formats;
	for (unsigned int i = 0; i < all->n; i++) {
		const struct sdp_format *f = &sdp->format[m->first_format + i];
		struct candidate *c = &all->at[i];

		all->place[f->payload_type] = (uint8_t)(i + 1);
		c->codec = sdp_format_codec(f);
		if (c->codec.name.len == 0)
			c->codec.name = video_name(f->payload_type);
		c->role = role_of(c->codec.name);
		c->denied = place_on(&p->deny, &c->codec) >= 0;
		c->kept = !c->denied && c->role == ROLE_CODEC &&
			  (p->allow.n == 0 || place_on(&p->allow, &c->codec) >= 0);
	}
}

static bool clock_kept(const struct candidates *all, uint32_t clock_hz)
{
	for (unsigned int i = 0; i < all->n; i++)
		if (all->at[i].kept && all->at[i].role == ROLE_CODEC &&
			all->at[i].codec.clock_hz == clock_hz)
			return true;
	return false;
}

static bool type_kept(const struct candidates *all, struct str_view type)
{
	uint32_t pt;

	return sdp_number(type, SDP_PAYLOAD_TYPES - 1, &pt) && all->place[pt] != 0 &&
	       all->at[all->place[pt] - 1].kept;
}

/* "96/96/97" */
static bool redundant_kept(const struct candidates *all, struct str_view list)
{
	while (list.p != NULL)
		if (!type_kept(all, sdp_cut(&list, '/')))
			return false;
	return true;
}

/* "apt=96;rtx-time=3000" */
static bool retransmitted_kept(const struct candidates *all, struct str_view list)
{
	return list.len > 4 && memcmp(list.p, "apt=", 4) == 0 &&
	       type_kept(all, sdp_cut(&(struct str_view){list.p + 4, list.len - 4}, ';'));
}

/* What repeats others, by the a=fmtp that names them. */
static void repeating_keep(
	const struct sdp *sdp, const struct sdp_media *m, struct candidates *all, enum role role)
{
	for (unsigned int i = 0; i < m->n_attributes; i++) {
		const struct sdp_attribute *a = &sdp->attribute[m->first_attribute + i];
		struct candidate *c;

		if (a->id != SDP_ATTR_FMTP || all->place[a->payload_type] == 0)
			continue;
		c = &all->at[all->place[a->payload_type] - 1];
		if (c->role != role || c->denied)
			continue;
		c->kept = role == ROLE_REDUNDANT ? redundant_kept(all, a->value)
						 : retransmitted_kept(all, a->value);
	}
}

static void companions_keep(
	const struct sdp *sdp, const struct sdp_media *m, struct candidates *all)
{
	for (unsigned int i = 0; i < all->n; i++)
		if (all->at[i].role == ROLE_BESIDE)
			all->at[i].kept =
				!all->at[i].denied && clock_kept(all, all->at[i].codec.clock_hz);
	repeating_keep(sdp, m, all, ROLE_REDUNDANT);
	/* After it, since that may be retransmitted too. */
	repeating_keep(sdp, m, all, ROLE_RETRANSMIT);
}

static void line_filter(struct sdp *sdp, struct sdp_media *m, const struct config_policy *p)
{
	struct sdp_format *f = &sdp->format[m->first_format];
	struct candidates all;
	unsigned int codecs = 0, n = 0;

	candidates_read(sdp, m, p, &all);
	for (unsigned int i = 0; i < all.n; i++)
		codecs += all.at[i].kept;
	if (codecs == 0) {
		m->kind = SDP_KIND_REFUSED;
		return;
	}
	companions_keep(sdp, m, &all);
	for (unsigned int i = 0; i < all.n; i++)
		if (all.at[i].kept)
			f[n++] = f[i];
	m->n_formats = (uint16_t)n;
}

void sdp_policy_filter(struct sdp *sdp, const struct config_policy *p)
{
	if (p == NULL || p->allow.n + p->deny.n == 0)
		return;
	for (unsigned int i = 0; i < sdp->n_media; i++)
		if (sdp->media[i].kind == SDP_KIND_RTP)
			line_filter(sdp, &sdp->media[i], p);
}

/* Codecs of the list, other codecs, what goes with them. */
static unsigned int rank(const struct sdp_format *f, const struct config_codecs *order)
{
	struct codec_format codec = sdp_format_codec(f);
	int place;

	if (codec.name.len == 0)
		codec.name = video_name(f->payload_type);
	place = place_on(order, &codec);
	if (place >= 0)
		return (unsigned int)place;
	return order->n + (role_of(codec.name) != ROLE_CODEC);
}

/* Insertion sort: it is stable, and the lists are short. */
static void line_order(
	struct sdp *sdp, const struct sdp_media *m, const struct config_codecs *order)
{
	struct sdp_format *f = &sdp->format[m->first_format];
	unsigned int ranks[SDP_FORMATS_MAX];

	for (unsigned int i = 0; i < m->n_formats; i++) {
		struct sdp_format moved = f[i];
		unsigned int r = rank(&moved, order), at = i;

		for (; at > 0 && ranks[at - 1] > r; at--) {
			f[at] = f[at - 1];
			ranks[at] = ranks[at - 1];
		}
		f[at] = moved;
		ranks[at] = r;
	}
}

void sdp_policy_order(struct sdp *sdp, const struct config_policy *p)
{
	if (p == NULL || p->order.n == 0)
		return;
	for (unsigned int i = 0; i < sdp->n_media; i++)
		if (sdp->media[i].kind == SDP_KIND_RTP)
			line_order(sdp, &sdp->media[i], &p->order);
}
