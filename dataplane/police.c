#include "police.h"

#include <rte_memory.h>
#include <rte_ring_elem.h>

#include "worker.h"

#define SET_RING 8192
#define EVENT_RING 1024
/* Taken from main in one loop. */
#define SET_BUDGET 256

/* The whole table is looked at in this time, a few sets a millisecond. */
#define AGE_ROUND_MS 30000
#define AGE_STEP_MS 4

static struct rte_ring *notes_make(const char *what, unsigned int worker, unsigned int size)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s-%u", what, worker);
	return rte_ring_create_elem(name, sizeof(struct police_note), size, SOCKET_ID_ANY,
		RING_F_SP_ENQ | RING_F_SC_DEQ);
}

struct police *police_new(unsigned int index, uint32_t sources, const uint64_t key[2])
{
	struct police *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->sources = source_table_new(sources, key);
	p->lanes = aligned_alloc(64, LANE_SETS * sizeof(*p->lanes));
	p->set = notes_make("source-set", index, SET_RING);
	p->event = notes_make("source-event", index, EVENT_RING);
	if (p->sources == NULL || p->lanes == NULL || p->set == NULL || p->event == NULL) {
		police_free(p);
		return NULL;
	}
	memset(p->lanes, 0, LANE_SETS * sizeof(*p->lanes));
	return p;
}

void police_free(struct police *p)
{
	if (p == NULL)
		return;
	source_table_free(p->sources);
	free(p->lanes);
	rte_ring_free(p->set);
	rte_ring_free(p->event);
	free(p);
}

/* --- denial --- */

/* Main hears of it; what does not fit is not told, the source is denied all the same. */
static void event_tell(struct police *p, const struct source *s, uint32_t seconds)
{
	struct police_note note = {
		.source.addr.family = s->kind & 0xf,
		.source.port = s->port,
		.realm = s->realm,
		.source_class = s->source_class,
		.reason = s->reason,
		.seconds = seconds,
	};

	memcpy(note.source.addr.bytes, s->addr, sizeof(s->addr));
	if (rte_ring_sp_enqueue_elem(p->event, &note, sizeof(note)) == 0)
		main_wake();
}

/* A refusal that is the source's own fault. */
static void strike(struct police *p, struct source *s, const struct police_limits *limits,
	struct source_clock now)
{
	source_refuse(p->sources, s);
	if (limits->deny_after == 0)
		return;
	if ((uint16_t)((uint16_t)now.s - s->window_s) > limits->deny_window_s || s->strikes == 0) {
		s->strikes = 0;
		s->window_s = (uint16_t)now.s;
	}
	if (++s->strikes < limits->deny_after && s->strikes != UINT16_MAX)
		return;
	if (source_class_now(p->sources, s, now) == SOURCE_TRUSTED) {
		source_class_set(p->sources, s, SOURCE_UNTRUSTED, SOURCE_REASON_RATE, 0, now);
		s->flags |= SOURCE_WAS_TRUSTED;
		event_tell(p, s, 0);
	} else if (s->source_class == SOURCE_UNTRUSTED && limits->deny_s > 0) {
		source_class_set(
			p->sources, s, SOURCE_DENIED, SOURCE_REASON_RATE, limits->deny_s, now);
		event_tell(p, s, limits->deny_s);
	}
}

static enum source_class class_of(struct police *p, struct source *s, struct source_clock now)
{
	return s != NULL ? source_class_now(p->sources, s, now) : SOURCE_UNTRUSTED;
}

/* Of what control said, or of its rate? */
static bool by_control(const struct source *s)
{
	return s->reason != SOURCE_REASON_RATE;
}

bool police_denied(struct police *p, const struct source_key *own, const struct source_key *address,
	uint16_t listed, struct source_clock now)
{
	struct source *o = own != NULL ? source_find(p->sources, own) : NULL;
	struct source *a = address != NULL ? source_find(p->sources, address) : NULL;
	enum source_class own_class = class_of(p, o, now);
	struct source *by = NULL;

	if (own_class == SOURCE_DENIED)
		by = o;
	else if (class_of(p, a, now) == SOURCE_DENIED &&
		 (own_class != SOURCE_TRUSTED || by_control(a)))
		by = a;
	if (by == NULL || (listed != SOURCE_UNLISTED && by->reason != SOURCE_REASON_OPERATOR) ||
		(!by_control(by) && (by->flags & SOURCE_WAS_TRUSTED) != 0))
		return false;
	by->refused++;
	return true;
}

/* --- SIP --- */

/* The class of the sender, and whose entry says so (NULL: nobody's). */
static enum source_class sender_class(struct police *p, struct source *own, struct source *address,
	struct source_clock now, struct source **by)
{
	enum source_class source_class = class_of(p, own, now);

	*by = own;
	if (source_class != SOURCE_UNTRUSTED)
		return source_class;
	source_class = class_of(p, address, now);
	*by = source_class != SOURCE_UNTRUSTED ? address : NULL;
	return source_class;
}

/* What the buckets of a message are when its tokens are taken. */
struct charges {
	uint32_t sip, method, address, prefix;
};

/* The buckets of the source itself. */
static int own_check(struct police *p, const struct police_message *m, struct source *own,
	const struct police_limits *limits, struct source_clock now, struct charges *after)
{
	source_touch(own, now);
	if (!token32_has(own->bucket[BUCKET_SIP], &limits->sip, now.us, &after->sip)) {
		strike(p, own, limits, now);
		return DROP_SIP_RATE;
	}
	if (m->method < POLICE_METHOD_COUNT &&
		!token32_has(own->bucket[BUCKET_METHOD + m->method], &limits->sip_method[m->method],
			now.us, &after->method)) {
		strike(p, own, limits, now);
		return DROP_SIP_METHOD_RATE;
	}
	return POLICE_PASS;
}

static int address_check(struct police *p, struct source *address,
	const struct police_limits *limits, struct source_clock now, uint32_t *after)
{
	source_touch(address, now);
	if (token32_has(address->bucket[BUCKET_SIP], &limits->sip_address, now.us, after))
		return POLICE_PASS;
	strike(p, address, limits, now);
	return DROP_SIP_ADDRESS_RATE;
}

/* Neighbours in the prefix are nobody's fault. */
static int prefix_check(struct police *p, struct source *prefix, const struct police_limits *limits,
	struct source_clock now, uint32_t *after)
{
	source_touch(prefix, now);
	if (token32_has(prefix->bucket[BUCKET_SIP], &limits->sip_prefix, now.us, after))
		return POLICE_PASS;
	source_refuse(p->sources, prefix);
	return DROP_SIP_PREFIX_RATE;
}

/* Take one token of an entry that was not there: it is made, full but for this one.
 * @return it, or NULL: no place. */
static struct source *charge_new(struct police *p, const struct source_key *k,
	const struct token32_cost *cost, struct source_clock now)
{
	struct source *s = source_add(p->sources, k, SOURCE_UNTRUSTED, now);
	uint32_t after;

	if (s == NULL)
		return NULL;
	source_touch(s, now);
	token32_has(s->bucket[BUCKET_SIP], cost, now.us, &after);
	s->bucket[BUCKET_SIP] = after;
	return s;
}

/* The source of a message that is not known yet. */
static int own_new(struct police *p, const struct police_message *m,
	const struct police_limits *limits, struct source_clock now)
{
	struct source *own = charge_new(p, &m->own, &limits->sip, now);
	uint32_t *bucket, after;

	if (own == NULL) {
		bucket = &p->sources->tags[m->own.set].overflow_us;
		if (!token32_has(*bucket, &limits->sip, now.us, &after))
			return DROP_SIP_SOURCES_FULL;
		*bucket = after;
		return POLICE_PASS;
	}
	if (m->method < POLICE_METHOD_COUNT) {
		bucket = &own->bucket[BUCKET_METHOD + m->method];
		token32_has(*bucket, &limits->sip_method[m->method], now.us, &after);
		*bucket = after;
	}
	own->messages++;
	return POLICE_PASS;
}

/* Whose buckets an untrusted or trusted message is charged to, NULL: not there yet. */
struct charged {
	struct source *own, *address, *prefix;
	bool with_address, with_prefix; /* have a bucket here */
};

static int charged_check(struct police *p, const struct police_message *m, const struct charged *c,
	const struct police_limits *limits, struct source_clock now, struct charges *after)
{
	int rc = POLICE_PASS;

	if (c->own != NULL)
		rc = own_check(p, m, c->own, limits, now, after);
	if (rc == POLICE_PASS && c->with_address && c->address != NULL)
		rc = address_check(p, c->address, limits, now, &after->address);
	if (rc == POLICE_PASS && c->with_prefix && c->prefix != NULL)
		rc = prefix_check(p, c->prefix, limits, now, &after->prefix);
	return rc;
}

/* All entries are there: only now are they changed. */
static void charged_take(
	const struct police_message *m, const struct charged *c, const struct charges *after)
{
	c->own->bucket[BUCKET_SIP] = after->sip;
	if (m->method < POLICE_METHOD_COUNT)
		c->own->bucket[BUCKET_METHOD + m->method] = after->method;
	c->own->messages++;
	if (c->with_address)
		c->address->bucket[BUCKET_SIP] = after->address;
	if (c->with_prefix)
		c->prefix->bucket[BUCKET_SIP] = after->prefix;
}

/* An entry that is made may take the place of one that was found: those behind it are looked for
 * again. */
static int charged_add(struct police *p, const struct police_message *m, const struct charged *c,
	const struct police_limits *limits, struct source_clock now, const struct charges *after)
{
	if (c->own == NULL) {
		int rc = own_new(p, m, limits, now);

		if (rc != POLICE_PASS)
			return rc;
	} else {
		const struct charged own = {.own = c->own};

		charged_take(m, &own, after);
	}
	if (c->with_address)
		charge_new(p, &m->address, &limits->sip_address, now);
	if (c->with_prefix)
		charge_new(p, &m->prefix, &limits->sip_prefix, now);
	return POLICE_PASS;
}

/* Checks first: who is refused anywhere has eaten nobody's tokens. New entries last: a flood that
 * is refused as a whole does not turn the table over. */
static int police_unlisted(struct police *p, const struct police_message *m, struct charged *c,
	bool trusted, const struct police_limits *limits, struct source_clock now)
{
	struct charges after = {0};
	int rc;

	if (c->with_prefix)
		c->prefix = source_find_fetched(p->sources, &m->prefix, m->fetched[2]);
	rc = charged_check(p, m, c, limits, now, &after);
	if (rc != POLICE_PASS)
		return rc;
	if (!trusted && !token_take_of(&p->untrusted_full_ns[m->realm % API_REALMS_MAX],
				&limits->sip_untrusted, now.ns))
		return DROP_SIP_UNTRUSTED_RATE;
	if (unlikely(c->own == NULL || (c->with_address && c->address == NULL) ||
		     (c->with_prefix && c->prefix == NULL)))
		return charged_add(p, m, c, limits, now, &after);
	charged_take(m, c, &after);
	return POLICE_PASS;
}

int police_sip(struct police *p, const struct police_message *m, const struct police_limits *limits,
	struct source_clock now, enum source_class *source_class)
{
	struct charged c = {
		.own = source_find_fetched(p->sources, &m->own, m->fetched[0]),
		.address = source_find_fetched(p->sources, &m->address, m->fetched[1]),
	};
	struct source *by;
	bool trusted;

	*source_class = sender_class(p, c.own, c.address, now, &by);
	if (m->listed != SOURCE_UNLISTED)
		*source_class = SOURCE_TRUSTED;
	if (m->sip_class == SIP_CLASS_LANE)
		return lane_table_take(p->lanes, m->nonce, &limits->sip_dialog, now.ns)
			       ? POLICE_PASS
			       : DROP_SIP_DIALOG_RATE;
	if (m->listed != SOURCE_UNLISTED) {
		const struct source_entry *e = &source_entries[m->listed];

		return token_take(
			       &p->listed_full_ns[m->listed], e->limit.rate, e->limit.burst, now.ns)
			       ? POLICE_PASS
			       : DROP_SIP_PEER_RATE;
	}
	if (*source_class == SOURCE_DENIED) {
		by->refused++;
		return DROP_SIP_DENIED;
	}
	trusted = *source_class == SOURCE_TRUSTED;
	c.with_address = limits->sip_address.us != 0 && (!trusted || by == c.address);
	c.with_prefix = limits->sip_prefix.us != 0 && !trusted;
	return police_unlisted(p, m, &c, trusted, limits, now);
}

/* --- kernel-bound --- */

static int kernel_take(struct police *p, const struct source_key *k, unsigned int bucket,
	const struct rate_limit *limit, uint32_t n, int reason, struct source_clock now)
{
	struct source *s;

	if (limit->rate == 0)
		return POLICE_PASS;
	s = source_add(p->sources, k, SOURCE_UNTRUSTED, now);
	/* No place: the port's rate is the limit. */
	if (s == NULL)
		return POLICE_PASS;
	source_touch(s, now);
	if (token32_take(&s->bucket[bucket], limit->rate, limit->burst, n, now.us))
		return POLICE_PASS;
	source_refuse(p->sources, s);
	return reason;
}

/* As police_denied(), but nothing here could be in the lane. */
static bool kernel_denied(struct police *p, const struct source_key *address, uint16_t listed,
	struct source_clock now)
{
	struct source *s = source_find(p->sources, address);

	if (class_of(p, s, now) != SOURCE_DENIED ||
		(listed != SOURCE_UNLISTED && s->reason != SOURCE_REASON_OPERATOR))
		return false;
	s->refused++;
	return true;
}

int police_kernel(struct police *p, const struct net_addr *addr, uint16_t realm,
	const struct realm_police *limits, enum police_kernel kind, uint32_t bytes, uint64_t now_ns)
{
	uint16_t listed = source_list_find(addr, realm, SOURCE_PORT_ANY);
	struct source_clock now = source_clock(now_ns);
	struct source_key k;

	if (listed != SOURCE_UNLISTED && source_list_action(listed) == LIST_DENY)
		return DROP_PUNT_DENIED;
	source_key(p->sources, addr, 0, realm, SOURCE_ADDRESS, &k);
	if (police_denies_addresses(p) && kernel_denied(p, &k, listed, now))
		return DROP_PUNT_DENIED;
	if (listed != SOURCE_UNLISTED)
		return POLICE_PASS;
	switch (kind) {
	case POLICE_TCP_SYN:
		return kernel_take(p, &k, BUCKET_TCP_SYN, &limits->tcp_syn, 1, DROP_PUNT_SYN, now);
	case POLICE_TCP:
		return kernel_take(
			p, &k, BUCKET_TCP_BYTES, &limits->tcp_bytes, bytes, DROP_PUNT_TCP, now);
	case POLICE_ICMP:
		return kernel_take(p, &k, BUCKET_ICMP, &limits->icmp, 1, DROP_PUNT_ICMP, now);
	default:
		return POLICE_PASS;
	}
}

/* --- once a loop --- */

static void set_apply(struct police *p, const struct police_note *n, struct source_clock now)
{
	struct source_key k;
	struct source *s;

	source_key(p->sources, &n->source.addr, n->source.port, n->realm,
		n->source.port != 0 ? SOURCE_PORT : SOURCE_ADDRESS, &k);
	s = n->source_class == SOURCE_UNTRUSTED
		    ? source_find(p->sources, &k)
		    : source_add(p->sources, &k, (enum source_class)n->source_class, now);
	if (s == NULL)
		return;
	source_touch(s, now);
	s->flags &= (uint8_t)~SOURCE_WAS_TRUSTED;
	source_class_set(p->sources, s, (enum source_class)n->source_class,
		(enum source_reason)n->reason, n->seconds, now);
}

void police_poll(struct police *p, uint64_t now_ns)
{
	struct source_clock now = source_clock(now_ns);
	uint32_t now_ms = (uint32_t)(now_ns / 1000000), passed = now_ms - p->aged_ms;
	struct police_note note;

	for (unsigned int i = 0; i < SET_BUDGET; i++) {
		if (rte_ring_sc_dequeue_elem(p->set, &note, sizeof(note)) != 0)
			break;
		set_apply(p, &note, now);
	}
	if (passed < AGE_STEP_MS)
		return;
	p->aged_ms = now_ms;
	if (passed > AGE_ROUND_MS)
		passed = AGE_STEP_MS;
	source_table_age(p->sources,
		(unsigned int)((uint64_t)p->sources->sets * passed / AGE_ROUND_MS) + 1, now);
}
